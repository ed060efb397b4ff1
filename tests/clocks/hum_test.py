"""Mains hum, synthetic, at known speeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow import media
from speedflow.clocks import hum

_RATE = 8000


def _hum(f0, orders, seconds=6.0, noise=0.02, seed=0):
  rng = np.random.default_rng(seed)
  time = np.arange(round(seconds * _RATE)) / _RATE
  sound = noise * rng.normal(size=len(time))
  for order in orders:
    phase = rng.uniform(0, 2 * np.pi)
    sound += 0.01 * np.sin(2 * np.pi * order * f0 * time + phase)
  return sound


def _read(sound, start_s=0.0):
  samples = sound[:, None].astype(np.float32)
  return hum.read([media.Audio(samples, _RATE, start_s)])


def _means(found, speed):
  return any(abs(math.log2(m.speed / speed)) < 0.01 for m in found.modes)


@settings(max_examples=12, deadline=None)
@given(
  st.sampled_from([50.0, 60.0]),
  st.sampled_from([0.5, 0.8, 1.0, 1.25, 1.5, 2.0]),
  st.integers(0, 99),
)
def test_resampled_hum_means_its_speed(mains, speed, seed):
  found = _read(_hum(mains * speed, (1, 2, 3, 4, 6), seed=seed))
  assert found is not None
  assert _means(found, speed)
  assert found.modality == "sound"
  assert sum(m.share for m in found.modes) == pytest.approx(1)


def test_both_mains_are_told():
  # 75 Hz: 50 Hz mains at 1.5x, or 60 Hz mains at 1.25x.
  found = _read(_hum(75.0, (1, 2, 3, 4, 6)))
  assert _means(found, 1.5)
  assert _means(found, 1.25)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_noise_says_nothing(seed):
  assert _read(_hum(50.0, (), seed=seed)) is None


def test_a_motor_at_no_usual_speed_says_nothing():
  assert _read(_hum(67.2, (1, 2, 3))) is None


def test_a_voice_says_nothing():
  # The pitch of a voice moves.
  time = np.arange(6 * _RATE) / _RATE
  pitch = 100 * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time))
  phase = 2 * np.pi * np.cumsum(pitch) / _RATE
  rng = np.random.default_rng(0)
  sound = sum(0.05 * np.sin(order * phase) for order in range(1, 9))
  assert _read(sound + 0.01 * rng.normal(size=len(time))) is None


@pytest.mark.parametrize("samples", [0, 100, _RATE])
def test_short_or_silent_sound_says_nothing(samples):
  assert _read(np.zeros(samples)) is None
  assert _read(_hum(50.0, (1, 2, 3), 6.0)[:samples]) is None


def test_no_sound_says_nothing():
  assert hum.read([]) is None


def test_a_splice_makes_the_phase_jump_where_it_is():
  sound = _hum(50.0, (2, 4, 6), 10.0, noise=0.005)
  # Half a period of 100 Hz, and the like of its multiples, is cut out.
  cut = np.delete(sound, np.arange(32_000, 32_000 + 29))
  whole, spliced = _read(sound, 2.0), _read(cut, 2.0)
  assert whole.jumps_s == ()
  assert len(spliced.jumps_s) == 1
  assert spliced.jumps_s[0] == pytest.approx(6.0, abs=0.3)
