"""Sound at another speed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import audio

_RATE = 16000


def _tone(hz: float, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
  t = np.arange(int(seconds * _RATE)) / _RATE
  tone = 0.5 * np.sin(2 * np.pi * hz * t)
  return np.tile(tone[:, None], channels).astype(np.float32)


def _pitch(samples: np.ndarray) -> float:
  middle = samples[len(samples) // 8 : -len(samples) // 8, 0]
  spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 17))
  return spectrum.argmax() * _RATE / (1 << 17)


@pytest.mark.parametrize("factor", [0.25, 0.7, 1.0, 2.0, 3.1])
def test_speed_moves_the_pitch(factor):
  fast = audio.change_speed(_tone(500), _RATE, factor)
  assert _pitch(fast) == pytest.approx(500 * factor, rel=0.005)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_stretching_keeps_the_pitch(factor):
  assert _pitch(audio.stretch(_tone(500), factor)) == pytest.approx(
    500, rel=0.01
  )


@settings(max_examples=25, deadline=None)
@given(st.integers(32, 5000), st.floats(0.2, 5), st.integers(1, 2))
def test_lengths_are_exact(length, factor, channels):
  samples = np.random.default_rng(0).normal(size=(length, channels))
  samples = samples.astype(np.float32)
  for fast in (
    audio.change_speed(samples, _RATE, factor),
    audio.stretch(samples, factor),
  ):
    assert fast.shape == (round(length / factor), channels)
    assert fast.dtype == np.float32


def test_slowed_sound_is_empty_above_the_moved_band_edge():
  noise = np.random.default_rng(0).normal(size=(_RATE * 2, 1))
  slow = audio.change_speed(noise.astype(np.float32), _RATE, 0.5)[:, 0]
  power = np.abs(np.fft.rfft(slow)) ** 2
  hz = np.fft.rfftfreq(len(slow), 1 / _RATE)
  assert power[hz > 4100].sum() < 1e-4 * power.sum()


def test_speeds_compose():
  tone = _tone(440)
  once = audio.change_speed(tone, _RATE, 1.5)
  back = audio.change_speed(once, _RATE, 1 / 1.5)
  np.testing.assert_allclose(back[500:-500], tone[500:-500], atol=2e-3)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_nonsense_factors_are_refused(factor):
  with pytest.raises(ValueError, match="must be positive"):
    audio.stretch(_tone(440), factor)


def test_sound_without_a_channel_axis_is_refused():
  with pytest.raises(ValueError, match=r"not \[n, channels\]"):
    audio.change_speed(np.zeros(100, np.float32), _RATE, 2.0)
