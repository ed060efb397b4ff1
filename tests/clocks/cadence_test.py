"""Repeats and blends in a steady beat."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.clocks import cadence


def _true_frames(count, seed=0):
  """Noise that drifts, float32 [32, 48] each."""
  rng = np.random.default_rng(seed)
  frame = rng.uniform(0, 255, (32, 48))
  for _ in range(count):
    frame = 0.6 * frame + 0.4 * rng.uniform(0, 255, (32, 48))
    yield frame.astype(np.float32)


def _codec(frames, seed=0):
  rng = np.random.default_rng(seed)
  return [f + rng.normal(0, 0.5, f.shape).astype(np.float32) for f in frames]


@settings(max_examples=20, deadline=None)
@given(
  st.integers(2, 6).flatmap(
    lambda n: st.builds(Fraction, st.integers(1, n - 1), st.just(n))
  ),
  st.integers(0, 5),
  st.integers(0, 99),
)
def test_frames_shown_again_are_counted(share, phase, seed):
  true = list(_true_frames(100, seed))
  shown = [true[int((n + phase) * share)] for n in range(90)]
  found = cadence.find(_codec(shown, seed))
  assert found is not None
  assert (found.kind, found.share) == ("repeats", share)


def test_blends_between_true_frames_are_found():
  true = list(_true_frames(50))
  shown = []
  for before, after in itertools.pairwise(true):
    shown += [before, (before + after) / 2]
  found = cadence.find(_codec(shown))
  assert (found.kind, found.share) == ("blends", Fraction(1, 2))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_frames_that_a_camera_drops_are_no_cadence(seed):
  rng = np.random.default_rng(seed)
  true = list(_true_frames(90, seed))
  # One in ten is shown twice, anywhere.
  shown = [f for f in true for _ in range(1 + (rng.random() < 0.1))]
  found = cadence.find(_codec(shown, seed))
  assert found is None


def test_true_frames_and_stills_say_nothing():
  assert cadence.find(_codec(_true_frames(80))) is None
  still = next(_true_frames(1))
  assert cadence.find(_codec([still] * 80)) is None
  assert cadence.find(_codec(_true_frames(cadence.SHORTEST - 1))) is None


def test_half_the_frames_repeated_means_half_speed_or_a_conversion():
  true = list(_true_frames(50))
  found = cadence.read(_codec([f for f in true for _ in (0, 1)]), 30.0)
  speeds = [m.speed for m in found.modes]
  for speed in (0.5, 1.0):
    assert any(abs(math.log2(s / speed)) < 0.01 for s in speeds)
  assert found.words == "1 of 2 frames are repeats, in a steady beat"


def test_24_in_30_is_a_conversion_first():
  true = list(_true_frames(90))
  shown = [true[int(n * 0.8)] for n in range(100)]
  found = cadence.read(_codec(shown), 30.0)
  assert found.modes[0].speed == pytest.approx(1.0)
