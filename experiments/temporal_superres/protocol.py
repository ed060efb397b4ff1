"""The fixed protocol by which ways to slow video down are compared.

A window is the busiest stretch of a shot, scaled to a short side of 192
pixels and cut to at most 320 pixels of the long one. Sharp windows leave out
frames; blurred windows average frames in linear light, see `dataset.expose`.
Every method gets the same frames and is asked for the same times.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from experiments.temporal_superres import dataset
from speedflow.data import optical_flow
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.timewarp import labels

SHORT_SIDE, LONG_SIDE = 192, 320

# A stretch in which less changes (root mean square, grey levels) is not busy.
_BUSY = 3.0
# Blur made of frames further apart than this, in pixels, has gaps.
_MOST_MOTION = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
  """Frames that a method sees, and those that it is asked for.

  Attributes:
    shot: id of the shot.
    group: its scene group.
    category: of the shot.
    inputs: uint8 [h, w, 3] each, at times 0, 1, 2, ... frame intervals.
    truths: uint8 [h, w, 3] each.
    times: of the truths, in frame intervals, rising.
    exposure: of the inputs, 0..1.
  """

  shot: str
  group: str
  category: str
  inputs: list[np.ndarray]
  truths: list[np.ndarray]
  times: list[float]
  exposure: float


def shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
  """Finds the shot records of a split.

  Raises:
    SpeedflowError: there are none.
  """
  return split_shards(folder, split, "records", "`make records` writes them")


def read_shots(paths: Sequence[pathlib.Path]) -> Iterator[ShotRecord]:
  """Yields the shots of some shards."""
  for encoded in RecordSource(paths):
    yield ShotRecord.decode(encoded)


def sharp_windows(
  shots: Iterable[ShotRecord], factor: int, intervals: int
) -> Iterator[Window]:
  """Yields the busiest sharp window of each shot.

  Args:
    shots: where from.
    factor: frames of the shot for each input frame.
    intervals: between input frames, in a window.
  """
  for shot in shots:
    length = factor * intervals + 1
    first = _busiest(shot, length)
    if first is None:
      continue
    frames = [_scaled(shot.image(first + k)) for k in range(length)]
    yield Window(
      shot=shot.id,
      group=shot.scene_group,
      category=shot.category,
      inputs=frames[::factor],
      truths=[f for k, f in enumerate(frames) if k % factor],
      times=[k / factor for k in range(length) if k % factor],
      exposure=0.0,
    )


def blurred_windows(
  shots: Iterable[ShotRecord],
  exposures: Sequence[float],
  intervals: int = 2,
) -> Iterator[Window]:
  """Yields the busiest blurred window of each dense enough shot.

  Args:
    shots: where from; those whose frames are too far apart are left out.
    exposures: a window for each.
    intervals: between input frames, in a window.
  """
  factor, half = dataset.BLUR_FACTOR, dataset.BLUR_FACTOR // 2
  for shot in shots:
    length = factor * intervals + 2 * half + 1
    first = _busiest(shot, length)
    if first is None:
      continue
    frames = {k - half: _scaled(shot.image(first + k)) for k in range(length)}
    if not _dense(frames[0], frames[factor]):
      continue
    for exposure in exposures:
      yield Window(
        shot=shot.id,
        group=shot.scene_group,
        category=shot.category,
        inputs=[
          dataset.expose(frames, factor * k, exposure)
          for k in range(intervals + 1)
        ],
        truths=[frames[k] for k in range(factor * intervals)],
        times=[k / factor for k in range(factor * intervals)],
        exposure=exposure,
      )


def _busiest(shot: ShotRecord, length: int) -> int | None:
  """First frame of the stretch in which most changes; None: all is calm."""
  if shot.num_frames < length:
    return None
  images = [
    shot.image(k, gray=True, reduce=4).astype(np.float32)
    for k in range(shot.num_frames)
  ]
  power = np.array(
    [float(((a - b) ** 2).mean()) for a, b in itertools.pairwise(images)]
  )
  # Repeated frames are no truth: a stretch must have none.
  kept = labels.true_frames(
    [image.astype(np.uint8) for image in images], shot.times_s()
  ).indices
  true = np.zeros(shot.num_frames, bool)
  true[kept] = True
  window = np.ones(length - 1)
  total = np.convolve(power, window, "valid")
  repeats = np.convolve(~true[1:], window, "valid")
  total[repeats > 0.5] = 0
  first = int(total.argmax())
  busy = np.sqrt(total[first] / (length - 1)) >= _BUSY
  return first if busy else None


def _scaled(image: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  scale = SHORT_SIDE / min(height, width)
  size = (round(width * scale), round(height * scale))
  image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
  # Multiples of 64 make few different sizes, and compiled programs.
  width, height = (min(side, LONG_SIDE) // 64 * 64 for side in size)
  left, top = (size[0] - width) // 2, (size[1] - height) // 2
  return np.ascontiguousarray(image[top : top + height, left : left + width])


def _dense(before: np.ndarray, after: np.ndarray) -> bool:
  flow = optical_flow.FlowEstimator().between(before, after)
  fastest = float(np.percentile(np.abs(flow), 98))
  return fastest <= _MOST_MOTION * dataset.BLUR_FACTOR
