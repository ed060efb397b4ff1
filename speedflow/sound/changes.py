"""Times at which the playback speed of sound changes, and by how much.

Moments at which the spectrum changes are found first; at each of them the
evidence for every ratio of speeds is weighed (`evidence`, `scorer`), and the
winners are placed to some hundredths of a second by which columns resemble
the sound before and which the sound after.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from speedflow import media
from speedflow.sound import evidence, music, scorer, spectra

Status = Literal["ok", "silent", "music"]

LEAST_PROBABILITY = 0.2
"""Of the changes that are reported; no alarm on untouched validation sounds."""

# Changes nearer to each other than this are one.
_APART_S = 0.4
# So are these, if speed changes the same way: both are seen in the longest
# spectra.
_ECHO_S = 1.0
# Moments are looked for so many columns apart, and near them.
_GRID_COLUMNS = 8
# Columns on each side whose noise floors tell where it changes.
_PLACING_COLUMNS = 50
_LARGEST_LACK_DB = 20.0
# Columns that are looked at together, beside their surroundings.
_CHUNK = 3_000
_CONTEXT = round(max(evidence.SCALES_S) * spectra.COLUMNS_PER_S)
# Of the interval of the ratio, 80 %.
_TAILS = (0.1, 0.9)


@dataclasses.dataclass(frozen=True)
class SoundChange:
  """One change of speed.

  Attributes:
    time_s: seconds on the file's clock.
    ratio: speed after / speed before; 2: twice as fast from here on.
    ratio_low: lower end of its 80 % interval.
    ratio_high: upper end.
    probability: that there is a change of speed at all, 0..1.
  """

  time_s: float
  ratio: float
  ratio_low: float
  ratio_high: float
  probability: float


@dataclasses.dataclass(frozen=True)
class SoundChanges:
  """Changes of speed that are found in sound.

  Attributes:
    changes: in order of time.
    status: "silent" where there is hardly any sound, "music" where most of
      it is music, which as a rule was laid over the finished picture.
    duration_s: of the sound.
  """

  changes: tuple[SoundChange, ...]
  status: Status
  duration_s: float


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
  """Moments at which speed may change.

  Attributes:
    time_s: float64 [n], on the file's clock.
    features: float32 [n, LAGS, FEATURES], of `evidence.compare`.
  """

  time_s: np.ndarray
  features: np.ndarray


def find_changes(
  blocks: Iterable[media.Audio],
  least_probability: float = LEAST_PROBABILITY,
  parameters: scorer.Parameters | None = None,
) -> SoundChanges:
  """Finds where the speed of sound changes.

  Memory does not grow with the length of the sound.

  Args:
    blocks: consecutive blocks of one rate, as `media.audio_blocks` gives them.
    least_probability: of the changes that are returned.
    parameters: of the scorer; the shipped ones if not given.
  """
  parameters = parameters or scorer.load()
  listener = _Listener()
  found: list[tuple[bool, SoundChange]] = []
  for part in candidates(listener.listen(blocks)):
    probability, of_lag = scorer.judge(part.features, parameters)
    sharp = evidence.is_sharp(part.features, of_lag.argmax(1))
    found += [
      (sharp[i], _change(part.time_s[i], probability[i], of_lag[i]))
      for i in np.flatnonzero(probability >= least_probability)
    ]
  return SoundChanges(_apart(found), listener.status, listener.duration_s)


class _Listener:
  """Notes the length of sound, and what kind it is, as it passes by."""

  def __init__(self):
    self.duration_s = 0.0
    self._sounding = 0
    self._tones = music.HeldTones()

  def listen(self, blocks: Iterable[media.Audio]) -> Iterator[spectra.Columns]:
    for part in spectra.columns(self._measured(blocks)):
      self._tones.add(part.decibels)
      self._sounding += int(evidence.audible(part.decibels).sum())
      yield part

  def _measured(self, blocks: Iterable[media.Audio]) -> Iterator[media.Audio]:
    for block in blocks:
      self.duration_s += block.duration_s
      yield block

  @property
  def status(self) -> Status:
    if self._sounding < evidence.MIN_COLUMNS:
      return "silent"
    return "music" if self._tones.is_music else "ok"


def candidates(parts: Iterable[spectra.Columns]) -> Iterator[Candidates]:
  """Weighs the moments at which the spectrum changes.

  Args:
    parts: consecutive columns.

  Yields:
    Candidates in order; every so many columns, and at the end.
  """
  held = np.zeros((0, spectra.BANDS), np.float32)
  start_s = 0.0
  begin = 0  # First held column that is not judged yet.
  for part in parts:
    if not len(held):
      start_s = part.start_s
    held = np.concatenate([held, part.decibels])
    if len(held) >= begin + _CHUNK + _CONTEXT:
      yield _candidates(held, start_s, begin, len(held) - _CONTEXT)
      dropped = len(held) - 2 * _CONTEXT
      held, begin = held[dropped:], _CONTEXT
      start_s += dropped / spectra.COLUMNS_PER_S
  yield _candidates(held, start_s, begin, len(held))


def _candidates(
  decibels: np.ndarray, start_s: float, begin: int, end: int
) -> Candidates:
  """Those among the columns begin..end."""
  sounds = evidence.audible(decibels)
  moments, features = [], []
  for moment in _moments(decibels, sounds):
    sides = evidence.side_spectra(decibels, sounds, moment)
    if begin <= moment < end and sides is not None:
      moments.append(moment)
      features.append(evidence.compare(sides))
  shape = (len(features), len(evidence.LAGS), evidence.FEATURES)
  # A column's time is the middle of its window: the moment lies before it.
  time_s = start_s + (np.array(moments, float) - 0.5) / spectra.COLUMNS_PER_S
  return Candidates(time_s, np.array(features, np.float32).reshape(shape))


def _moments(decibels: np.ndarray, sounds: np.ndarray) -> np.ndarray:
  """Where a split between two kinds of sound is sharpest, sorted, int [n]."""
  grid = range(_GRID_COLUMNS, len(decibels), _GRID_COLUMNS)
  placed = [_place(decibels, sounds, moment) for moment in grid]
  return np.unique([moment for moment in placed if moment is not None])


def _place(decibels: np.ndarray, sounds: np.ndarray, moment: int) -> int | None:
  """The column, near a moment, from which on the noise floor is another.

  Whatever happens in a scene adds to its noise floor. A column that is below
  the floor of one side cannot belong to that side.

  Returns:
    None where either side has too little sound.
  """
  reach, near = _PLACING_COLUMNS, _GRID_COLUMNS
  guard = evidence.GUARD
  before = slice(max(0, moment - reach), max(0, moment - guard))
  after = slice(moment + guard, moment + reach)
  sides = [decibels[s][sounds[s]] for s in (before, after)]
  if min(map(len, sides)) < evidence.MIN_COLUMNS:
    return None
  old, new = (evidence.noise_floor(side) for side in sides)
  low, high = max(0, moment - near), min(len(decibels), moment + near)
  nearby = decibels[low:high]
  lean = np.clip(old - nearby, 0, _LARGEST_LACK_DB).mean(1)
  lean -= np.clip(new - nearby, 0, _LARGEST_LACK_DB).mean(1)
  # The split that leaves what leans to the old before it.
  return high - int((lean * sounds[low:high])[::-1].cumsum().argmax()) - 1


def _change(
  time_s: float, probability: float, of_lag: np.ndarray
) -> SoundChange:
  """Reads the ratio and its interval off the distribution over shifts."""
  peak = int(of_lag.argmax())
  around = slice(max(0, peak - 2), peak + 3)
  octaves = evidence.LAGS / spectra.BANDS_PER_OCTAVE
  middle = np.average(octaves[around], weights=of_lag[around])
  cumulated = np.cumsum(of_lag)
  # Shifts are bands wide: an end lies within its band.
  low, high = np.interp(
    _TAILS,
    np.concatenate([[0.0], cumulated]),
    np.append(octaves, octaves[-1] + 1 / spectra.BANDS_PER_OCTAVE)
    - 0.5 / spectra.BANDS_PER_OCTAVE,
  )
  return SoundChange(
    time_s=float(time_s),
    ratio=float(2.0**middle),
    ratio_low=float(2.0 ** min(low, middle)),
    ratio_high=float(2.0 ** max(high, middle)),
    probability=float(probability),
  )


def _apart(found: list[tuple[bool, SoundChange]]) -> tuple[SoundChange, ...]:
  """Of changes close to each other the likeliest, in order of time.

  Args:
    found: whether the evidence is sharp, and the change. Where it is not, the
      change may be some way off.
  """
  kept: list[SoundChange] = []
  for _, change in sorted(found, key=lambda f: (not f[0], -f[1].probability)):
    if not any(_same(change, other) for other in kept):
      kept.append(change)
  return tuple(sorted(kept, key=lambda c: c.time_s))


def _same(one: SoundChange, other: SoundChange) -> bool:
  alike = (one.ratio > 1) == (other.ratio > 1)
  apart_s = abs(one.time_s - other.time_s)
  return apart_s < (_ECHO_S if alike else _APART_S)
