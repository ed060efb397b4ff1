"""Frames of one shot, read at several strides, and the readings fused.

Every second, fourth and eighth frame of a slow shot shows steps nearer to
those that the network has seen most of. Iterative inference (Seeing Fast and
Slow, arXiv 2604.21931, speed estimation) keeps the last such reading only,
and was worse than all of them together.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from speedflow.data import motion
from speedflow.estimate import belief, network, telling
from speedflow.timewarp import labels

STRIDES = (1, 2, 4, 8)
"""Every shot is read frame by frame, and at each n-th frame."""


class Reading(NamedTuple):
  """Windows of a shot at one stride.

  Attributes:
    start_s: times of their first frames, seconds of playback, float [n].
    end_s: times of their last frames.
    likelihood: at `belief.GRID`, float [n, 121].
  """

  start_s: np.ndarray
  end_s: np.ndarray
  likelihood: np.ndarray


class _Look(NamedTuple):
  """The windows of a stride that tell; times as those of `Reading`."""

  start_s: np.ndarray
  end_s: np.ndarray
  windows: list[np.ndarray]


@dataclasses.dataclass(frozen=True)
class WindowEstimate:
  """The estimate of one window.

  Attributes:
    start_s: time of its first frame, seconds of playback.
    end_s: time of its last frame.
    log2_speed: the estimate.
    spread: its predicted standard deviation, octaves.
    rounds: estimates of log2 speed with the first of `STRIDES`, the first two,
      and so on.
  """

  start_s: float
  end_s: float
  log2_speed: float
  spread: float
  rounds: tuple[float, ...] = ()


def window_starts(maps: int, window: int) -> list[int]:
  """Where windows begin that overlap by half, and together cover all maps.

  Args:
    maps: number of maps.
    window: maps in a window.
  """
  last = max(0, maps - window)
  starts = list(range(0, last + 1, (window + 1) // 2))
  if starts[-1] < last:
    starts.append(last)
  return starts


def read(
  net: network.WindowNetwork,
  images: Sequence[np.ndarray],
  times_s: np.ndarray,
  maps_of: Callable[[np.ndarray], np.ndarray],
) -> list[Reading]:
  """Reads consecutive frames without a cut at each stride that tells.

  Args:
    net: the trained network.
    images: uint8 [96, 128] each.
    times_s: when they are shown, float64 [n].
    maps_of: motion maps between those of the frames whose numbers it is given,
      float16 [n - 1, 12, 16, 8].

  Returns:
    The readings, finest stride first; none where nothing tells.
  """
  if telling.drawn(images):
    return []
  kept = labels.true_frames(images, times_s)
  looks: list[tuple[int, _Look]] = []
  for stride in STRIDES:
    chosen = kept.indices[::stride]
    if len(chosen) <= motion.MIN_MAPS:
      break
    maps = maps_of(chosen)
    windows = {
      start: maps[start : start + net.window]
      for start in window_starts(len(maps), net.window)
    }
    starts = [s for s, w in windows.items() if telling.tells_speed(w)]
    if starts:
      told = [windows[start] for start in starts]
      ends = np.minimum(np.array(starts) + net.window, len(maps))
      look = _Look(times_s[chosen][starts], times_s[chosen][ends], told)
      looks.append((stride, look))
    elif any(map(telling.moves, windows.values())):
      # A drifting pattern, aliased, would tell something at last.
      break
  # All at once, so that no batch of the network stays half empty.
  seen = net.likelihood([w for _, look in looks for w in look.windows])
  rows = np.split(seen, np.cumsum([len(look.windows) for _, look in looks]))
  return [
    Reading(
      look.start_s,
      look.end_s,
      belief.on_grid(
        likelihood,
        net.centres + labels.step_to_speed(-np.log2(stride), kept.fps),
      ),
    )
    for (stride, look), likelihood in zip(looks, rows, strict=False)
  ]


def fuse(readings: Sequence[Reading]) -> list[WindowEstimate]:
  """Joins each window with those nearest to it in time at larger strides.

  Args:
    readings: of one shot, finest stride first.

  Returns:
    One estimate for each window of the finest stride.
  """
  if not readings:
    return []
  finest = readings[0]
  middles = (finest.start_s + finest.end_s) / 2
  nearest = [
    reading.likelihood[
      np.abs(middles[:, None] - (reading.start_s + reading.end_s) / 2).argmin(1)
    ]
    for reading in readings
  ]
  prior = belief.everyday(belief.GRID)
  found = []
  for number in range(len(middles)):
    seen = [likelihood[number][None] for likelihood in nearest]
    logs = [belief.together(seen[: n + 1]) for n in range(len(seen))]
    means, spreads = belief.moments(np.exp(logs), belief.GRID, prior)
    found.append(
      WindowEstimate(
        start_s=float(finest.start_s[number]),
        end_s=float(finest.end_s[number]),
        log2_speed=float(means[-1]),
        spread=float(spreads[-1]),
        rounds=tuple(float(mean) for mean in means),
      )
    )
  return found
