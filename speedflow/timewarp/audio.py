"""Sound at another speed, as the picture it belongs to."""

import librosa
import numpy as np


def change_speed(samples: np.ndarray, rate: int, factor: float) -> np.ndarray:
  """Plays sound `factor` times as fast: every frequency moves by the factor.

  Args:
    samples: float32 [n, channels].
    rate: Hz, of the samples and of the result.
    factor: 2.0 plays twice as fast, one octave higher.

  Returns:
    float32 [round(n / factor), channels].
  """
  _check(samples, factor)
  played = librosa.resample(
    samples.T, orig_sr=rate * factor, target_sr=rate, res_type="soxr_hq"
  )
  return _fit(played, samples, factor)


def stretch(samples: np.ndarray, factor: float) -> np.ndarray:
  """Plays sound `factor` times as fast at its old pitch (phase vocoder).

  Args:
    samples: float32 [n, channels].
    factor: 2.0 plays twice as fast.

  Returns:
    float32 [round(n / factor), channels].
  """
  _check(samples, factor)
  # Short sounds get a shorter window rather than a warning.
  window = min(2048, 1 << max(len(samples).bit_length() - 2, 4))
  played = librosa.effects.time_stretch(samples.T, rate=factor, n_fft=window)
  return _fit(played, samples, factor)


def _check(samples: np.ndarray, factor: float) -> None:
  if samples.ndim != 2 or not len(samples):
    raise ValueError(f"samples have shape {samples.shape}, not [n, channels]")
  if not 0 < factor < float("inf"):
    raise ValueError(f"speed factor is {factor}; it must be positive")


def _fit(played: np.ndarray, samples: np.ndarray, factor: float) -> np.ndarray:
  """Exact length: resamplers round it up, vocoders to whole windows."""
  fitted = librosa.util.fix_length(played, size=round(len(samples) / factor))
  return np.ascontiguousarray(fitted.T, dtype=np.float32)
