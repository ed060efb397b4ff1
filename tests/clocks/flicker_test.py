"""Lamp flicker, synthetic, filmed at known rates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.clocks import flicker


def _film(lamp, rate, *, frames=150, depth=0.03, readout=0.0, seed=0):
  """Profiles of frames, [96, 8] each, of a noisy scene under a lamp."""
  rng = np.random.default_rng(seed)
  rows = np.arange(96)[:, None] / 96 * readout
  scene = rng.uniform(60, 200, (96, flicker.COLUMNS))
  for number in range(frames):
    wave = np.cos(2 * np.pi * lamp * (number / rate + rows) + seed)
    noise = 0.1 * rng.normal(size=scene.shape)
    yield (scene * (1 + depth * wave) + noise).astype(np.float32)


def _means(found, speed):
  return any(abs(math.log2(m.speed / speed)) < 0.0286 for m in found.modes)


@settings(max_examples=15, deadline=None)
@given(
  st.sampled_from([(100.0, 30.0), (120.0, 25.0), (100.0, 240.0), (120.0, 960)]),
  st.sampled_from([15.0, 24.0, 30.0]),
  st.sampled_from([0.0, 0.5]),
  st.integers(0, 99),
)
def test_the_rate_of_filming_is_among_the_aliases(lamp, fps, readout, seed):
  hz, rate = lamp
  film = _film(hz, rate, readout=readout / rate, seed=seed)
  found = flicker.read(list(film), fps)
  assert found is not None
  assert _means(found, fps / rate)


def test_bands_over_the_rows_are_told():
  # The rows of a frame are read in its time: 3.3 waves.
  line = flicker.find(list(_film(100.0, 30.0, readout=1 / 30)))
  assert abs(line.waves) == pytest.approx(3.5, abs=0.5)
  assert line.frequency == pytest.approx(1 / 3, abs=0.002)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_noise_says_nothing(seed):
  assert flicker.find(list(_film(100.0, 30.0, depth=0.0, seed=seed))) is None


def test_what_moves_in_one_place_is_no_lamp():
  frames = list(_film(100.0, 30.0, depth=0.0))
  for number, frame in enumerate(frames):
    # A rope that swings, five times a second.
    frame[:, 2] *= 1 + 0.2 * math.cos(2 * np.pi * number / 6)
  assert flicker.find(frames) is None


def test_few_or_dark_frames_say_nothing():
  frames = list(_film(100.0, 30.0))
  assert flicker.find(frames[: flicker.SHORTEST - 1]) is None
  assert flicker.find([frame * 0.05 for frame in frames]) is None


def test_a_profile_holds_mean_levels_of_rows():
  image = np.arange(96, dtype=np.uint8)[:, None].repeat(130, axis=1)
  kept = flicker.profile(image)
  assert kept.shape == (96, flicker.COLUMNS)
  np.testing.assert_array_equal(kept[:, 3], np.arange(96))
