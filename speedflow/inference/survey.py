"""A first look at a whole video: cuts, repeats, and whether it is blurred."""

import dataclasses
import heapq
import os
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np

from speedflow import media
from speedflow.data import shots
from speedflow.timewarp import labels

# Of so many pairs of frames, those between which most moves, the blur is
# judged.
_PAIRS = 5
_CHANGE_SHORT_SIDE = 96


class Pair(NamedTuple):
  """Two consecutive frames of a shot, uint8 RGB [h, w, 3]."""

  first: np.ndarray
  second: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
  """What a video is made of.

  Attributes:
    info: what the file says about itself.
    times: presentation time of every frame, seconds, exact.
    shot: int64 [n], number of the shot of every frame.
    true: bool [n], False where a frame only repeats the one before.
    busiest: pairs of frames between which much moves.
  """

  info: media.VideoInfo
  times: list[Fraction]
  shot: np.ndarray
  true: np.ndarray
  busiest: list[Pair]

  @property
  def end(self) -> Fraction:
    """When the last frame has been shown as long as those before it."""
    if len(self.times) < 2:
      return self.times[-1] + 1 / self.info.fps
    span = self.times[-1] - self.times[0]
    return self.times[-1] + span / (len(self.times) - 1)


def survey(
  path: str | os.PathLike[str],
  on_progress: Callable[[float], None] = lambda done: None,
) -> Survey:
  """Reads a video once, keeping a few bytes per frame.

  Frame times of a constant rate are set exactly evenly, whatever the file's
  rounding; those of a variable rate stay as they are.

  Args:
    path: the file.
    on_progress: called now and then with the share that is done.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  times: list[Fraction] = []
  numbers: list[int] = []
  changes: list[float] = []
  held: list[tuple[float, int, Pair]] = []
  with media.VideoReader(path) as reader:
    expected = max(reader.info.frames, 1)
    last: tuple[int, np.ndarray, np.ndarray] | None = None
    for shot, frame in shots.number_shots(reader):
      small = _small(frame.image)
      if last is not None:
        changes.append(labels.frame_change(last[2], small))
        if shot == last[0]:
          entry = (changes[-1], len(times), Pair(last[1], frame.image))
          keep = heapq.heappush if len(held) < _PAIRS else heapq.heappushpop
          keep(held, entry)
      last = shot, frame.image, small
      times.append(frame.time)
      numbers.append(shot)
      if not len(times) % 32:
        on_progress(min(len(times) / expected, 1.0))
    info = reader.info
  seconds = [float(time) for time in times]
  true = np.zeros(len(times), bool)
  true[labels.drop_duplicates(changes, seconds).indices] = True
  if not info.variable_frame_rate:
    times = [times[0] + number / info.fps for number in range(len(times))]
  return Survey(
    info, times, np.array(numbers), true, [pair for *_, pair in held]
  )


def _small(image: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  scale = min(1.0, _CHANGE_SHORT_SIDE / min(height, width))
  size = (max(round(width * scale), 1), max(round(height * scale), 1))
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
