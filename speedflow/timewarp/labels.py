"""Labels of speed, and the time stamps that they rest on.

A network sees frames, not a clock: it can only know the step, the seconds of
world time between two frames. The playback speed is step x playback fps.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike

REFERENCE_FPS = 30.0
"""Frames per second at which a real-time clip has a log2 step of 0."""

# Grey levels: the fastest moving cells of a moving picture change by more
# than this from frame to frame, codec noise of a static one by less.
_MOTION_FLOOR = 2.5
# A repeated frame differs from the last one by codec noise only: by less than
# this share of what the true frames around it do.
_REPEAT_SHARE = 0.25
# When so many frames are repeats for sure, the frame rate is fake throughout.
_EVIDENT_SHARE = 1 / 8
# A frame shown more often than this is a pause, not a fake frame rate.
_LONGEST_REPEAT = 6


def step_to_speed(log2_step: ArrayLike, fps: ArrayLike) -> np.ndarray:
  """log2 speed of frames with this log2 step when played at `fps`."""
  return np.asarray(log2_step) + np.log2(_positive(fps) / REFERENCE_FPS)


def speed_to_step(log2_speed: ArrayLike, fps: ArrayLike) -> np.ndarray:
  """log2 step of frames that show this log2 speed when played at `fps`."""
  return np.asarray(log2_speed) - np.log2(_positive(fps) / REFERENCE_FPS)


def _positive(value: ArrayLike) -> np.ndarray:
  value = np.asarray(value, np.float64)
  if not np.all(value > 0):
    raise ValueError(f"rates and factors must be positive, not {value}")
  return value


def _increasing(times: ArrayLike) -> np.ndarray:
  times = np.asarray(times, np.float64)
  if times.ndim != 1 or not len(times) or np.any(np.diff(times) <= 0):
    raise ValueError("time stamps must be one increasing row of seconds")
  return times


def frame_change(before: np.ndarray, after: np.ndarray) -> float:
  """How much the fastest changing part of a picture changes, in grey levels.

  The mean over the whole picture would lose a small moving object in the
  codec noise of its background; single pixels would be noise only.

  Args:
    before: uint8 [h, w] or [h, w, 3].
    after: the same.
  """
  return _change(_cells(before), _cells(after))


def _change(before: np.ndarray, after: np.ndarray) -> float:
  """`frame_change` of two pictures' cells, float32 [32, 48] each."""
  change = np.abs(after - before).ravel()
  fastest = len(change) // 100  # One per cent of the cells.
  return float(np.partition(change, -fastest)[-fastest:].mean())


def _cells(image: np.ndarray) -> np.ndarray:
  cells = cv2.resize(image, (48, 32), interpolation=cv2.INTER_AREA)
  if cells.ndim == 3:
    cells = cv2.cvtColor(cells, cv2.COLOR_RGB2GRAY)
  return cells.astype(np.float32)


class Deduplicated(NamedTuple):
  """The true frames of a video.

  Attributes:
    indices: int64 [m] frames to keep.
    fps: true frames per second (0.0 for a single frame).
  """

  indices: np.ndarray
  fps: float


def true_frames(images: Sequence[np.ndarray], times: ArrayLike) -> Deduplicated:
  """`drop_duplicates` of pictures.

  Args:
    images: [n], uint8 [h, w] or [h, w, 3], at least one.
    times: [n] time stamps in seconds.
  """
  pairs = itertools.pairwise(map(_cells, images))
  return drop_duplicates([_change(*pair) for pair in pairs], times)


def drop_duplicates(changes: ArrayLike, times: ArrayLike) -> Deduplicated:
  """Finds frames that only repeat their predecessor (a fake frame rate).

  A frame is a repeat if it changes far less than the frames on both sides of
  it, which must move. So a static video, a pause, and the smooth standstill
  of a pendulum are left alone. Up to six showings of a frame are recognised.

  Args:
    changes: [n - 1] `frame_change` of each frame from the one before.
    times: [n] time stamps in seconds.
  """
  times = _increasing(times)
  changes = np.asarray(changes, np.float64)
  if len(changes) != len(times) - 1:
    raise ValueError(
      f"{len(changes)} changes do not fit {len(times)} time stamps"
    )
  keep = np.ones(len(times), bool)
  runs = _repeat_runs(changes)
  longest = max(
    (end - first for first, end in runs if first > 0 and end < len(changes)),
    default=0,
  )
  repeats = sum(end - first for first, end in runs)
  if repeats > _EVIDENT_SHARE * len(changes):
    # Then unsteady motion, too, is shown at a fake rate.
    runs = _repeat_runs(changes, wary=False)
  for first, end in runs:
    # A run at either end may be a pause: it counts if there are others.
    if end - first <= longest:
      keep[first + 1 : end + 1] = False
  indices = np.flatnonzero(keep)
  span = times[indices[-1]] - times[indices[0]]
  return Deduplicated(indices, (len(indices) - 1) / span if span else 0.0)


def _repeat_runs(
  changes: np.ndarray, *, wary: bool = True
) -> list[tuple[int, int]]:
  """Runs [first, end) of changes that are too small between large ones.

  Args:
    changes: as of `drop_duplicates`.
    wary: whether a run might also be motion that comes to rest.
  """
  if not len(changes):
    return []
  reach = _LONGEST_REPEAT - 1
  # Beyond the ends anything may have moved: there the inner side decides.
  padded = np.pad(changes, reach, constant_values=changes.max())
  windows = np.lib.stride_tricks.sliding_window_view(padded, reach).max(axis=1)
  # What true frames do nearby; of both sides the calmer, for a cut is no
  # motion.
  level = np.minimum(windows[: len(changes)], windows[reach + 1 :])
  low = (level > _MOTION_FLOOR) & (changes < _REPEAT_SHARE * level)
  edges = np.flatnonzero(np.diff(np.pad(low, 1).astype(np.int8)))
  runs = []
  for first, end in edges.reshape(-1, 2).tolist():
    # Motion that comes to rest and starts again does so gradually.
    neighbours = np.concatenate(
      [changes[max(first - 1, 0) : first], changes[end : end + 1]]
    )
    if wary:
      least = level[first:end].max() / 2
    else:
      least = changes[first:end].max() / _REPEAT_SHARE
    if neighbours.min(initial=np.inf) > least and end - first <= reach:
      runs.append((first, end))
  return runs
