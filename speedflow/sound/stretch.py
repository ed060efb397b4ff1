"""Whether sound was given another pace at its old pitch.

Phase vocoders smear attacks and let neighbouring frequencies drift apart;
overlap-add repeats or drops what is shorter than a syllable; and both move the
rhythm of speech while its voice stays. A logistic regression weighs how fast
and how evenly the level of six bands varies. It is a hint, not a proof.
"""

import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import safetensors.numpy

from speedflow import media

WEIGHTS = (
  pathlib.Path(__file__).parents[1] / "weights" / "sound_stretch.safetensors"
)

LEVELS_PER_S = 500

# Hz: of the bands, each an octave wide.
_EDGES = (200, 400, 800, 1600, 3200, 6400, 12_800)
_WINDOW_S = 0.006
# Levels that are judged together: about a second, half overlapping.
_PIECE = 512
_FLOOR_DB = -110.0
# A piece is judged where at least this share of it is louder than this.
_AUDIBLE_DB, _AUDIBLE_SHARE = -75.0, 0.3
# Hz: of the octaves of modulation.
_MODULATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Levels between which attacks and decays are compared.
_LAGS = (1, 5, 20)


def stretched_probability(blocks: Iterable[media.Audio]) -> float | None:
  """Probability that the pace was changed and the pitch was kept.

  Memory does not grow with the length of the sound.

  Args:
    blocks: consecutive blocks of one rate, as `media.audio_blocks` gives them.

  Returns:
    The probability by even odds before listening; None where there is too
    little sound, or none above 6.4 kHz can be, at a low rate.
  """
  found = features(blocks)
  if found is None:
    return None
  weights, offset = _parameters()
  return float(1 / (1 + np.exp(-(found @ weights + offset))))


def features(blocks: Iterable[media.Audio]) -> np.ndarray | None:
  """Mean features of all audible pieces, float32 [features], or None."""
  total: np.ndarray | None = None
  count = 0
  for piece in _pieces(blocks):
    seen = _features(piece)
    total = seen if total is None else total + seen
    count += 1
  return None if total is None else (total / count).astype(np.float32)


@functools.cache
def _parameters() -> tuple[np.ndarray, float]:
  stored = safetensors.numpy.load_file(WEIGHTS)
  return stored["weights"], float(stored["offset"])


def _pieces(blocks: Iterable[media.Audio]) -> Iterator[np.ndarray]:
  """Levels of audible pieces, float [_PIECE, bands], in decibels."""
  held = np.zeros((0, len(_EDGES) - 1))
  given = False
  for block in blocks:
    if block.rate < 2 * _EDGES[-1]:
      return
    held = np.concatenate([held, _levels(block)])
    while len(held) >= _PIECE:
      given = True
      yield from _audible(held[:_PIECE])
      held = held[_PIECE // 2 :]
  if not given and len(held) >= _PIECE // 2:
    yield from _audible(
      np.pad(held, ((0, _PIECE - len(held)), (0, 0)), mode="reflect")
    )


def _audible(piece: np.ndarray) -> list[np.ndarray]:
  share = (piece.max(1) > _AUDIBLE_DB).mean()
  return [piece] if share > _AUDIBLE_SHARE else []


def _levels(block: media.Audio) -> np.ndarray:
  """Level of each band over time, float [n, bands], in decibels."""
  samples = np.nan_to_num(block.samples.mean(axis=1))
  size = round(_WINDOW_S * block.rate)
  count = max(0, int((len(samples) - size) * LEVELS_PER_S / block.rate))
  begins = (np.arange(count) * block.rate / LEVELS_PER_S).astype(int)
  window = np.hanning(size).astype(np.float32)
  transform = 1 << (size - 1).bit_length()
  windows = samples[begins[:, None] + np.arange(size)] * window
  power = np.abs(np.fft.rfft(windows, transform)) ** 2 / size**2
  hertz = np.fft.rfftfreq(transform, 1 / block.rate)
  place = np.searchsorted(hertz, _EDGES)
  banded = np.add.reduceat(power, place, axis=1)[:, :-1]
  return 10 * np.log10(banded + 10 ** (_FLOOR_DB / 10))


def _features(levels: np.ndarray) -> np.ndarray:
  """Features of a piece: rhythm, attacks, and how far bands go together."""
  centred = levels - levels.mean(0)
  window = np.hanning(_PIECE)[:, None]
  spectrum = np.abs(np.fft.rfft(centred * window, axis=0)) ** 2
  hertz = np.fft.rfftfreq(_PIECE, 1 / LEVELS_PER_S)
  octaves = np.searchsorted(hertz, np.array(_MODULATIONS) - 0.01)
  rhythm = [
    spectrum[first:end].mean(0) for first, end in itertools.pairwise(octaves)
  ]
  found = [10 * np.log10(np.array(rhythm) + 1).ravel()]
  for lag in _LAGS:
    rise = levels[lag:] - levels[:-lag]
    spread = rise.std(0) + 0.1
    scaled = rise / spread
    found += [
      np.log(spread),
      (scaled**3).mean(0),
      np.log((scaled**4).mean(0) + 0.1),
    ]
    if lag == 1:
      together = scaled - scaled.mean(0)
      found += [
        (together[:, :-apart] * together[:, apart:]).mean(0) for apart in (1, 2)
      ]
  high, low = np.percentile(levels, [95, 10], axis=0)
  return np.concatenate([*found, levels.mean(0), high - low])
