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


class Look(NamedTuple):
  """What a network is shown of a shot at one stride.

  Attributes:
    to_speed: log2 speed of a log2 step of 0 at this stride.
    start_s: as of `Reading`.
    end_s: as of `Reading`.
    windows: motion maps of those windows that tell, float16
      [t, 12, 16, 8] each.
  """

  to_speed: float
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


def look(
  window: int,
  images: Sequence[np.ndarray],
  times_s: np.ndarray,
  maps_of: Callable[[np.ndarray], np.ndarray],
) -> list[Look]:
  """Prepares consecutive frames without a cut at each stride that tells.

  Args:
    window: maps in a window.
    images: uint8 [96, 128] each.
    times_s: when they are shown, float64 [n].
    maps_of: motion maps between those of the frames whose numbers it is given,
      float16 [n - 1, 12, 16, 8].

  Returns:
    The looks, finest stride first; none where nothing tells.
  """
  if telling.drawn(images):
    return []
  kept = labels.true_frames(images, times_s)
  looks = []
  for stride in STRIDES:
    chosen = kept.indices[::stride]
    if len(chosen) <= motion.MIN_MAPS:
      break
    maps = maps_of(chosen)
    windows = {
      start: maps[start : start + window]
      for start in window_starts(len(maps), window)
    }
    starts = [s for s, w in windows.items() if telling.tells_speed(w)]
    if starts:
      told = [windows[start] for start in starts]
      ends = np.minimum(np.array(starts) + window, len(maps))
      to_speed = float(labels.step_to_speed(-np.log2(stride), kept.fps))
      looks.append(
        Look(to_speed, times_s[chosen][starts], times_s[chosen][ends], told)
      )
    elif any(map(telling.moves, windows.values())):
      # A drifting pattern, aliased, would tell something at last.
      break
  return looks


def read(net: network.WindowNetwork, looks: Sequence[Look]) -> list[Reading]:
  """Reads a shot at all of its strides.

  Args:
    net: the trained network.
    looks: of the shot.

  Returns:
    One reading of each.
  """
  # All at once, so that no batch of the network stays half empty.
  seen = net.likelihood([w for look in looks for w in look.windows])
  return readings(looks, seen, net.log2_speed)


def readings(
  looks: Sequence[Look],
  likelihood: np.ndarray,
  log2_speed: Callable[[float], np.ndarray],
) -> list[Reading]:
  """What was seen of all windows, as readings of speed.

  Args:
    looks: of a shot.
    likelihood: of their windows, one look after the other, float64 [n, bins].
    log2_speed: as `network.WindowNetwork.log2_speed`.

  Returns:
    One reading of each look.
  """
  rows = np.split(likelihood, np.cumsum([len(look.start_s) for look in looks]))
  return [
    Reading(
      look.start_s,
      look.end_s,
      belief.on_grid(row, log2_speed(look.to_speed)),
    )
    for look, row in zip(looks, rows, strict=False)
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
  prior = belief.anything(belief.GRID)
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
