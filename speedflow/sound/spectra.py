"""Sound as powers in bands of constant ratio, one column every 10 ms.

Playing sound r times as fast moves every frequency by r. In bands whose edges
keep one ratio this is a shift by log2(r) octaves, and since a band takes the
same share of every spectrum that is stretched with it, its power in decibels
stays what it was: the columns of resampled sound are shifted copies.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import fft

from speedflow import media

BANDS_PER_OCTAVE = 24

LOWEST_HZ = 125.0
"""Below, a short window does not tell frequencies apart."""

BANDS = 179
"""Up to 22 kHz."""

COLUMNS_PER_S = 100

FLOOR_DB = -120.0
"""Of a band's power: nothing is quieter. A full-scale sine has -3 dB."""

_WINDOW_S = 0.046
# Columns that are transformed at a time.
_BATCH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
  """Consecutive columns of a spectrogram.

  Attributes:
    decibels: float32 [n, BANDS], power of each band over all channels.
    start_s: time of the middle of the first column, seconds on the file's
      clock; the next follow every 1 / COLUMNS_PER_S seconds.
  """

  decibels: np.ndarray
  start_s: float


def columns(blocks: Iterable[media.Audio]) -> Iterator[Columns]:
  """Turns sound into columns; holds one block at a time.

  Args:
    blocks: consecutive blocks of one rate, as `media.audio_blocks` gives
      them. Samples that are not finite count as silence.

  Yields:
    Columns in order, every column whose window lies in the sound.
  """
  held = np.zeros((0, 0), np.float32)
  done = 0  # Columns given so far.
  dropped = 0  # Samples that came before the held ones.
  start_s = None
  for block in blocks:
    if not len(block.samples):
      continue
    if start_s is None:
      start_s = block.start_s
      held = held.reshape(0, block.samples.shape[1])
    samples = np.nan_to_num(block.samples, nan=0.0, posinf=0.0, neginf=0.0)
    held = np.concatenate([held, samples])
    size = window_samples(block.rate)
    step = block.rate / COLUMNS_PER_S
    ready = math.floor((dropped + len(held) - size) / step) + 1 - done
    for first in range(done, done + ready, _BATCH):
      count = min(_BATCH, done + ready - first)
      begins = np.round((first + np.arange(count)) * step).astype(int) - dropped
      yield Columns(
        band_powers(held, begins, block.rate),
        start_s + first / COLUMNS_PER_S + size / 2 / block.rate,
      )
    if ready > 0:
      done += ready
      kept = round(done * step) - dropped
      held, dropped = held[kept:], dropped + kept


def window_samples(rate: int) -> int:
  """Samples in the window of a column."""
  return max(16, round(_WINDOW_S * rate))


def band_powers(
  samples: np.ndarray, begins: np.ndarray, rate: int
) -> np.ndarray:
  """Powers of windows in bands of constant ratio.

  Args:
    samples: float32 [n, channels].
    begins: int [m], first sample of each window.
    rate: Hz.

  Returns:
    float32 [m, BANDS], decibels; FLOOR_DB above half the rate.
  """
  size = window_samples(rate)
  window = np.hanning(size).astype(np.float32)
  bands = _filters(rate)
  power = np.zeros((len(begins), len(bands)), np.float32)
  for channel in samples.T:
    pieces = channel[begins[:, None] + np.arange(size)] * window
    power += np.abs(fft.rfft(pieces, _transform_size(rate))) ** 2
  scale = _transform_size(rate) * (window**2).sum() * samples.shape[1]
  power *= 2.0 / scale
  banded = power @ bands
  return 10 * np.log10(np.maximum(banded, 10 ** (FLOOR_DB / 10)))


def _transform_size(rate: int) -> int:
  return fft.next_fast_len(window_samples(rate), real=True)


@functools.cache
def _filters(rate: int) -> np.ndarray:
  """float32 [bins, BANDS]: how much of each bin of power falls in a band.

  A bin counts as spread evenly over its width, so that bands narrower than a
  bin take their share of it.
  """
  size = _transform_size(rate)
  edges = LOWEST_HZ * 2.0 ** ((np.arange(BANDS + 1) - 0.5) / BANDS_PER_OCTAVE)
  bins = np.arange(size // 2 + 1) * rate / size
  half = rate / size / 2
  low = np.maximum(bins[:, None] - half, edges[:-1])
  high = np.minimum(bins[:, None] + half, edges[1:])
  share = np.clip(high - low, 0, None) / (2 * half)
  return share.astype(np.float32)
