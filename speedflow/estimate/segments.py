"""From the estimates of windows to the answer about a file."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speedflow.data import motion
from speedflow.estimate.answer import WIDEST, Estimate, Segment, SpeedCurve
from speedflow.estimate.strides import WindowEstimate

# A stretch between speed changes is worth at least so many octaves squared.
_CHANGE_PENALTY = 1.0
# Seconds: a longer video would often tell.
_SHORT_S = 2.0


class Widths(NamedTuple):
  """Half widths of 80 % intervals, in predicted standard deviations.

  Attributes:
    window: of the estimate of a window.
    file: of a segment, and of a file.
  """

  window: float
  file: float


class _Speed(NamedTuple):
  """A speed factor and its 80 % interval, in the order of `Segment`."""

  speed: float
  speed_low: float
  speed_high: float


# The answer when nothing is known, with an interval of all that occurs.
_UNKNOWN = _Speed(1.0, 2.0**-5, 2.0**4)


def summarise(
  file: str,
  windows: Sequence[WindowEstimate],
  duration_s: float,
  fps: float,
  widths: Widths,
  changes_s: Sequence[float] | None = None,
) -> Estimate:
  """Makes one answer of all windows.

  Args:
    file: its path, or "" for frames in memory.
    windows: in order, times after the first frame.
    duration_s: length, seconds of playback.
    fps: frames per second of playback.
    widths: of the intervals.
    changes_s: when the speed changes, seconds after the first frame; found
      from the windows if not given.
  """
  if not windows:
    return _unknown(file, duration_s, fps)
  values = np.array([w.log2_speed for w in windows])
  spreads = np.array([w.spread for w in windows])
  middles = np.array([(w.start_s + w.end_s) / 2 for w in windows])
  if changes_s is None:
    bounds = _change_points(values, spreads)
    edges = [(middles[b - 1] + middles[b]) / 2 for b in bounds[1:-1]]
  else:
    bounds = [0, *np.searchsorted(middles, changes_s), len(windows)]
    edges = list(changes_s)
  whole = _pool(values, spreads, widths.file)
  wide = np.log2(whole.speed_high / whole.speed_low) > WIDEST
  half = widths.window * spreads
  return Estimate(
    file,
    "uncertain" if wide else "ok",
    reason=_why_wide(whole, duration_s) if wide else None,
    duration_s=duration_s,
    fps=fps,
    **whole._asdict(),
    segments=tuple(
      Segment(
        float(start_s),
        float(end_s),
        *(
          _pool(values[first:end], spreads[first:end], widths.file)
          if first < end
          else _UNKNOWN
        ),
      )
      for (start_s, end_s), (first, end) in zip(
        itertools.pairwise([0.0, *edges, duration_s]),
        itertools.pairwise(bounds),
        strict=True,
      )
    ),
    curve=SpeedCurve(
      middles,
      np.exp2(values),
      np.exp2(values - half),
      np.exp2(values + half),
    ),
    rounds=_rounds(windows),
  )


def _why_wide(whole: _Speed, duration_s: float) -> str:
  """Why an interval is too wide, as of `Estimate.reason`."""
  span = f"anything from {whole.speed_low:.2g}x to {whole.speed_high:.2g}x fits"
  if duration_s < _SHORT_S:
    return f"it is short, {duration_s:.2g} s, and {span} what moves in it"
  return f"{span} what moves in it"


def _unknown(file: str, duration_s: float, fps: float) -> Estimate:
  """The answer about a file of which no window tells anything."""
  short = duration_s * fps <= motion.MIN_MAPS + 1
  reason = (
    f"it is too short, {duration_s:.2g} s; at least {motion.MIN_MAPS + 2} "
    "frames without a cut are wanted"
    if short
    else "nothing moves in it as filmed things do, it is drawn, or each "
    "shot is too short"
  )
  return Estimate(
    file,
    "uncertain",
    reason=reason,
    duration_s=duration_s,
    fps=fps,
    **_UNKNOWN._asdict(),
    segments=(Segment(0.0, duration_s, *_UNKNOWN),),
    curve=SpeedCurve(*(np.array([x]) for x in (duration_s / 2, *_UNKNOWN))),
  )


def _rounds(windows: Sequence[WindowEstimate]) -> tuple[float, ...]:
  """Typical speed with one stride, two, and so on."""
  rounds = []
  for k in range(max(len(w.rounds) for w in windows)):
    seen = [w.rounds[min(k, len(w.rounds) - 1)] for w in windows]
    rounds.append(float(2.0 ** np.median(seen)))
  return tuple(rounds)


def _pool(values: np.ndarray, spreads: np.ndarray, width: float) -> _Speed:
  """Speed and interval of windows that go together.

  Windows of one scene err alike, so the interval does not shrink with their
  number.
  """
  share = 1 / spreads**2
  middle = float((values * share).sum() / share.sum())
  spread = float(np.sqrt(np.mean(spreads**2)))
  half = width * spread
  return _Speed(2.0**middle, 2.0 ** (middle - half), 2.0 ** (middle + half))


def _change_points(values: np.ndarray, spreads: np.ndarray) -> list[int]:
  """Bounds of stretches of constant speed, by optimal partitioning.

  Minimises the squared deviation from each stretch's mean plus a penalty for
  each stretch (Jackson et al., "An algorithm for optimal partitioning of data
  on an interval", 2005).

  Args:
    values: log2 speeds of windows in order, float [n].
    spreads: their predicted standard deviations, float [n].

  Returns:
    0, the first window of each further stretch, n.
  """
  count = len(values)
  sums = np.concatenate([[0.0], np.cumsum(values)])
  squares = np.concatenate([[0.0], np.cumsum(values**2)])
  noise = float(np.median(np.abs(np.diff(values)))) if count > 1 else 0.0
  penalty = _CHANGE_PENALTY + 4 * noise**2 * np.log(max(count, 2))
  best = np.zeros(count + 1)
  previous = np.zeros(count + 1, int)
  for end in range(1, count + 1):
    start = np.arange(end)
    length = end - start
    total = sums[end] - sums[start]
    cost = squares[end] - squares[start] - total**2 / length
    candidates = best[start] + cost + penalty
    previous[end] = int(candidates.argmin())
    best[end] = candidates[previous[end]]
  bounds = [count]
  while bounds[-1]:
    bounds.append(int(previous[bounds[-1]]))
  return bounds[::-1]
