"""Bands of constant ratio."""

import numpy as np
import pytest

from speedflow import media
from speedflow.sound import spectra

_RATE = 44_100


def _tone(hz: float, rate: int = _RATE, seconds: float = 1.0) -> np.ndarray:
  time = np.arange(round(seconds * rate)) / rate
  return np.sin(2 * np.pi * hz * time, dtype=np.float32)[:, None]


def _columns(samples: np.ndarray, rate: int = _RATE) -> np.ndarray:
  parts = list(spectra.columns([media.Audio(samples, rate)]))
  return np.concatenate([part.decibels for part in parts])


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_a_tone_of_full_scale_has_minus_3_decibels_in_its_band(rate):
  hz = spectra.LOWEST_HZ * 2 ** (100 / spectra.BANDS_PER_OCTAVE)
  columns = _columns(_tone(hz, rate), rate)
  assert (columns.argmax(1) == 100).all()
  total = 10 * np.log10((10 ** (columns / 10)).sum(1))
  np.testing.assert_allclose(total, -3.0, atol=0.2)


def test_power_does_not_depend_on_the_number_of_channels():
  tone = _tone(1_000)
  np.testing.assert_allclose(
    _columns(tone), _columns(np.repeat(tone, 6, axis=1)), atol=1e-3
  )


def test_opposite_channels_do_not_cancel():
  tone = _tone(1_000)
  assert _columns(np.concatenate([tone, -tone], 1)).max() > -10


def test_noise_of_equal_power_per_band_looks_alike_an_octave_higher():
  low, high = (
    _columns(_tone(hz) + 0.5 * _tone(1.4 * hz)).mean(0) for hz in (2e3, 4e3)
  )
  peaks = np.array([100, 110, 96]) - 4
  np.testing.assert_allclose(
    high[peaks + spectra.BANDS_PER_OCTAVE].max(), low[peaks].max(), atol=1.5
  )


def test_columns_are_10_ms_apart_and_know_their_time():
  clicks = np.zeros((2 * _RATE, 1), np.float32)
  clicks[round(0.7 * _RATE)] = 1.0
  (first, *_) = parts = list(
    spectra.columns([media.Audio(clicks, _RATE, start_s=5.0)])
  )
  power = np.concatenate([part.decibels for part in parts])[:, 100]
  loudest = np.flatnonzero(power > power.max() - 1).mean()
  at = first.start_s + loudest / spectra.COLUMNS_PER_S
  assert at == pytest.approx(5.7, abs=0.01)


def test_samples_that_are_not_finite_are_silence():
  broken = np.full((_RATE, 2), np.nan, np.float32)
  broken[::2] = np.inf
  np.testing.assert_allclose(_columns(broken), spectra.FLOOR_DB, rtol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 500])
def test_sound_shorter_than_a_window_has_no_columns(samples):
  audio = media.Audio(np.ones((samples, 1), np.float32), _RATE)
  assert list(spectra.columns([audio])) == []
