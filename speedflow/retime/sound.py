"""Sound that follows a speed curve, exact in length, bit by bit.

The output is made in stretches of some seconds, which fade into each other, so
that any length fits into memory. Each sample of the output knows when in the
input it is from.
"""

import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal

import librosa
import numpy as np

from speedflow import media
from speedflow.retime.curve import SpeedCurve

# Seconds of a stretch of the output, and of the fade to the next.
_STRETCH_S, _FADE_S = 10.0, 0.05
# Of the input, this much is taken more on both sides.
_MARGIN_S = 0.1
# Samples are looked up between so many times as many.
_FINER = 8
# Seconds of a window of the spectrum, about, and windows to its length.
_WINDOW_S, _HOPS = 2048 / 48000, 4
# What has so many times the power of what was heard before is an attack; in
# grains of so many seconds, of which so many are before.
_ATTACK, _GRAIN_S, _BEFORE = 12.0, 0.0025, 16


def retimed(
  path: str | os.PathLike[str],
  curve: SpeedCurve,
  mode: Literal["stretch", "resample", "drop"],
  origin: Fraction,
  start: Fraction,
  end: Fraction,
) -> "Retimed | None":
  """Reads the sound of a file as it goes with the retimed picture.

  Args:
    path: the file.
    curve: speed over its time from `origin`.
    mode: "stretch" at its old pitch, "resample", or "drop".
    origin: time of the first frame in the file, seconds.
    start: its time in the output, seconds.
    end: when the output ends.

  Returns:
    The sound; None to drop it, or if there is none.
  """
  if mode == "drop":
    return None
  blocks = media.audio_blocks(path)
  first = next(blocks, None)
  if first is None:
    return None
  source = _Source(first, blocks, float(origin))
  make = _stretched if mode == "stretch" else _resampled
  return Retimed(source, curve, make, float(start), float(end))


class Retimed:
  """Seamless sound, stretch by stretch; it can be gone through once.

  Attributes:
    beyond_s: how much longer than the picture the input's sound is, seconds of
      the input; known once all was gone through.
  """

  def __init__(
    self,
    source: "_Source",
    curve: SpeedCurve,
    make: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    start: float,
    end: float,
  ):
    """See `retimed`.

    Args:
      source: the sound as it was.
      curve: speed over its time.
      make: plays samples at places, as `_resampled` does.
      start: time of the first frame in the output, seconds.
      end: when the output ends.
    """
    self.beyond_s = 0.0
    self._source = source
    self._curve = curve
    self._make = make
    self._start = start
    self._end = end

  def __iter__(self) -> Iterator[media.Audio]:
    """Makes it."""
    yield from _stretches(
      self._source, self._curve, self._make, self._start, self._end
    )
    shown = float(self._curve.input_s(np.array(self._end - self._start)))
    self.beyond_s = max(self._source.end_s() - shown, 0.0)


class _Source:
  """The samples of a file, by time; what was read past is let go."""

  def __init__(
    self, first: media.Audio, rest: Iterator[media.Audio], origin: float
  ):
    self.rate = first.rate
    self.layout = first.layout
    self.start_s = first.start_s - origin
    self._rest = rest
    self._held = first.samples
    self._begin = 0

  def end_s(self) -> float:
    """When it ends, seconds; all that is left is read for it, and let go."""
    self._begin += len(self._held)
    self._held = self._held[:0]
    self._begin += sum(len(block.samples) for block in self._rest)
    return self.start_s + self._begin / self.rate

  def read(self, begin: int, end: int) -> np.ndarray:
    """Samples from one number to another, silence where there are none.

    Args:
      begin: number of the first, from the beginning of the sound.
      end: of the one after the last.

    Returns:
      float32 [end - begin, channels].
    """
    while self._begin + len(self._held) < end:
      block = next(self._rest, None)
      if block is None:
        break
      self._held = np.concatenate([self._held, block.samples])
    gone = min(max(begin - self._begin, 0), len(self._held))
    self._held = self._held[gone:]
    self._begin += gone
    there = self._held[max(begin - self._begin, 0) : max(end - self._begin, 0)]
    before = min(max(self._begin - begin, 0), end - begin)
    after = end - begin - before - len(there)
    return np.pad(there, ((before, max(after, 0)), (0, 0)))[: end - begin]


def _stretches(
  source: _Source,
  curve: SpeedCurve,
  make: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
  start: float,
  end: float,
) -> Iterator[media.Audio]:
  rate = source.rate
  length, fade = round(_STRETCH_S * rate), round(_FADE_S * rate)
  # Sound may begin before the picture, or after it.
  offset = float(curve.output_s(np.array(max(source.start_s, 0.0))))
  if source.start_s < 0:
    offset = source.start_s / float(curve.speed(np.array(0.0)))
  total = max(round((end - start - offset) * rate), 0)
  tail = np.zeros((0, 0), np.float32)
  for first in range(0, total, length):
    last = min(first + length + fade, total)
    times = offset + np.arange(first, last) / rate
    places = (_input_s(curve, times) - source.start_s) * rate
    margin = round(_MARGIN_S * rate)
    begin, stop = int(places[0]) - margin, int(places[-1]) + margin + 2
    samples = source.read(begin, stop)
    made = make(samples, places - begin, rate)
    made = _faded(tail, made)
    body = min(length, last - first)
    tail = made[body:]
    yield media.Audio(
      np.ascontiguousarray(made[:body], np.float32),
      rate,
      start + offset + first / rate,
      source.layout,
    )


def _input_s(curve: SpeedCurve, times: np.ndarray) -> np.ndarray:
  """As `SpeedCurve.input_s`; before the first frame, at its speed."""
  before = times * float(curve.speed(np.array(0.0)))
  return np.where(times < 0, before, curve.input_s(np.maximum(times, 0.0)))


def _resampled(
  samples: np.ndarray, places: np.ndarray, rate: int
) -> np.ndarray:
  """Plays samples at places: what is faster is higher.

  Args:
    samples: float32 [n, channels].
    places: of the output's samples among them, float64 [m], rising.
    rate: Hz.

  Returns:
    float32 [m, channels].
  """
  fastest = float(np.diff(places).max()) if len(places) > 1 else 1.0
  limited = samples.T
  if fastest > 1:
    # What would be higher than any sound of this rate is taken out.
    limited = librosa.resample(
      limited, orig_sr=rate, target_sr=rate / fastest, res_type="soxr_hq"
    )
  fine = librosa.resample(
    limited,
    orig_sr=rate / max(fastest, 1.0),
    target_sr=rate * _FINER,
    res_type="soxr_hq",
  )
  at = np.arange(fine.shape[1]) / _FINER
  return np.stack([np.interp(places, at, row) for row in fine], 1)


def _stretched(
  samples: np.ndarray, places: np.ndarray, rate: int
) -> np.ndarray:
  """The same at its old pitch: a phase vocoder whose steps follow the places.

  Flanagan and Golden, Phase Vocoder (1966): the spectrum's size is read at the
  place, and its phase goes on by what it turns there. Around an attack the
  places go on at the speed at which it was heard, and the phases begin anew: a
  window that holds it would be heard too early where it is slowed, and blurred,
  since its partials no longer add up (Roebel, DAFx 2003, in a simple form).
  """
  # A longer one would smear beats.
  window = 2 ** round(math.log2(rate * _WINDOW_S))
  hop = window // _HOPS
  count = -(-len(places) // hop) + 1
  times = np.arange(count) * hop
  wanted = np.interp(times, np.arange(len(places)), places)
  wanted, begins = _around_attacks(
    times, wanted, places, _attacks(samples, rate), window // 2
  )
  starts = np.clip(np.round(wanted).astype(int), 0, len(samples))
  spectra = _spectra(samples, starts, window)
  later = _spectra(samples, starts + hop, window)
  turns = 2 * np.pi * hop * np.arange(window // 2 + 1) / window
  change = np.angle(later) - np.angle(spectra) - turns[:, None]
  change -= 2 * np.pi * np.round(change / (2 * np.pi))
  advance = turns[:, None] + change
  run = np.cumsum(advance, -1) - advance
  phase = run - run[..., begins] + np.angle(spectra[..., begins])
  made = librosa.istft(
    np.abs(spectra) * np.exp(1j * phase),
    hop_length=hop,
    n_fft=window,
    length=len(places),
  )
  return made.T.astype(np.float32)


def _spectra(
  samples: np.ndarray, middles: np.ndarray, window: int
) -> np.ndarray:
  """Spectra of windows around places, complex [channels, bins, n].

  Args:
    samples: float32 [n, channels]; there is silence around them.
    middles: numbers of samples.
    window: length, samples.
  """
  padded = np.pad(samples, ((window // 2, 2 * window), (0, 0)))
  cut = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)
  shaped = cut[middles] * librosa.filters.get_window("hann", window)
  return np.moveaxis(np.fft.rfft(shaped, axis=-1), 0, -1)


def _around_attacks(
  times: np.ndarray,
  wanted: np.ndarray,
  places: np.ndarray,
  attacks: np.ndarray,
  half: int,
) -> tuple[np.ndarray, np.ndarray]:
  """Places that keep attacks whole, and where phases begin.

  Args:
    times: of the windows in the output, samples [n].
    wanted: where in the input they are, samples [n].
    places: of the output's samples in the input, rising.
    attacks: where in the input something begins, samples.
    half: half of the length of a window, samples.

  Returns:
    The places, and for each window the number of that from which its phase
    goes on.
  """
  wanted = wanted.copy()
  begins = np.zeros(len(times), int)
  shown = np.searchsorted(places, attacks)
  for attack, time in zip(attacks, shown, strict=True):
    if not 0 < time < len(places):
      continue
    since = times - time
    before = (since < 0) & (wanted > attack - half)
    wanted[before] = attack - half
    near = np.abs(since) <= half
    wanted[near] = attack + since[near]
    after = (since > half) & (wanted < attack + half)
    wanted[after] = attack + half
    begins[since >= -half] = int(np.argmax(since >= -half))
  return wanted, begins


def _attacks(samples: np.ndarray, rate: int) -> np.ndarray:
  """Where something begins: it is suddenly far louder than just before.

  Args:
    samples: float32 [n, channels].
    rate: Hz.

  Returns:
    Numbers of samples, rising.
  """
  size = max(round(_GRAIN_S * rate), 1)
  grains = len(samples) // size
  whole = samples[: grains * size].reshape(grains, -1)
  loud = np.square(whole, dtype=np.float64).mean(1)
  if not grains or not loud.max():
    return np.zeros(0, int)
  total = np.concatenate([np.zeros(_BEFORE), np.cumsum(loud)])
  before = (total[_BEFORE - 1 : -1] - total[:-_BEFORE][:grains]) / _BEFORE
  sudden = np.flatnonzero(loud > _ATTACK * before + 1e-3 * loud.max())
  # Codecs let be heard a little of what follows: the steepest rise counts.
  rise = np.diff(loud, prepend=0.0)
  kept: list[int] = []
  while len(sudden):
    together = sudden[sudden < sudden[0] + _BEFORE]
    kept.append(int(together[rise[together].argmax()]))
    sudden = sudden[sudden >= kept[-1] + _BEFORE]
  # Within its grain, it begins where a good part of it is reached.
  power = np.square(samples).sum(1)
  parts = [power[grain * size : (grain + 1) * size] for grain in kept]
  inside = [int(np.argmax(part >= 0.1 * part.max())) for part in parts]
  return np.array(kept, int) * size + np.array(inside, int)


def _faded(tail: np.ndarray, samples: np.ndarray) -> np.ndarray:
  count = min(len(tail), len(samples))
  if not count:
    return samples
  share = np.linspace(0, 1, count, dtype=np.float32)[:, None]
  samples = samples.copy()
  samples[:count] = tail[:count] * (1 - share) + samples[:count] * share
  return samples
