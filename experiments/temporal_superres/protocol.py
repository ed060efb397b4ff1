"""The fixed protocol by which ways to slow video down are compared.

A window is the busiest stretch of a shot, scaled to a short side of 192
pixels and cut to at most 320 pixels of the long one. Sharp windows leave out
frames; blurred windows average frames in linear light, see `dataset.expose`,
of footage taken faster than life, so that eight frames are one ordinary step.
The procedural source gives blur that is exact. Every method gets the same
frames and is asked for the same times.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from experiments.temporal_superres import dataset
from speedflow.data import optical_flow, procedural
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.superres import interpolator
from speedflow.timewarp import labels

SHORT_SIDE, LONG_SIDE = 192, 320

SCENE_FPS = 30.0
"""Input frames per second of the procedural windows."""

# A stretch is busy if one input frame differs from the next by so much (root
# mean square over the stretch, grey levels).
_BUSY = 5.0
# Blur made of frames further apart than this, in pixels, has gaps.
_MOST_MOTION = 4.0
# Eight frames of ordinary footage are a quarter of a second: what moves turns
# back in it, and no picture of two such moments tells how.
_SLOW = ("slowmo", "highfps")


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
    outer: the frames one interval before the first input and after the last,
      as far as the shot has them.
  """

  shot: str
  group: str
  category: str
  inputs: list[np.ndarray]
  truths: list[np.ndarray]
  times: list[float]
  exposure: float
  outer: interpolator.Outer = (None, None)


def read_shots(paths: Sequence[pathlib.Path]) -> Iterator[ShotRecord]:
  """Yields the shots of some shards."""
  for encoded in RecordSource(paths):
    yield ShotRecord.decode(encoded)


@dataclasses.dataclass(frozen=True, eq=False)
class Footage:
  """A shot, and what changes in it.

  Attributes:
    shot: the record.
  """

  shot: ShotRecord

  def busiest(self, length: int, step: int, least: float) -> int | None:
    """First frame of the stretch in which most changes; None: all is calm.

    Args:
      length: of the stretch, frames.
      step: frames from one input frame to the next.
      least: change that counts as busy, grey levels.
    """
    if self.shot.num_frames < length:
      return None
    small = self._small
    power = ((small[step:] - small[:-step]) ** 2).mean((1, 2))
    total = np.convolve(power, np.ones(length - step), "valid")
    # Repeated frames are no truth: a stretch must have none.
    repeats = np.convolve(~self._true[1:], np.ones(length - 1), "valid")
    total[repeats > 0.5] = 0
    first = int(total.argmax())
    busy = np.sqrt(total[first] / (length - step)) >= least
    return first if busy else None

  def has(self, first: int, last: int) -> bool:
    """Whether there are all frames from one to another, and no repeats."""
    inside = first >= 0 and last < self.shot.num_frames
    return inside and bool(self._true[first + 1 : last + 1].all())

  def frames(self, numbers: Sequence[int], short_side: int) -> list[np.ndarray]:
    """Some frames, uint8 [h, w, 3] each, as the windows want them."""
    return [_scaled(self.shot.image(k), short_side) for k in numbers]

  @functools.cached_property
  def _small(self) -> np.ndarray:
    """Small and grey, float32 [frames, h / 4, w / 4]."""
    return np.stack(
      [
        self.shot.image(k, gray=True, reduce=4).astype(np.float32)
        for k in range(self.shot.num_frames)
      ]
    )

  @functools.cached_property
  def _true(self) -> np.ndarray:
    """Which frames repeat no other, bool [frames]."""
    images = list(self._small.astype(np.uint8))
    true = np.zeros(self.shot.num_frames, bool)
    true[labels.true_frames(images, self.shot.times_s()).indices] = True
    return true


def sharp_window(
  footage: Footage,
  factor: int,
  intervals: int,
  *,
  short_side: int = SHORT_SIDE,
  least: float = _BUSY,
) -> Window | None:
  """The busiest sharp window of a shot; None where it is calm.

  Args:
    footage: the shot.
    factor: frames of the shot for each input frame.
    intervals: between input frames, in a window.
    short_side: of the pictures, pixels.
    least: change that counts as busy, grey levels.
  """
  shot, length = footage.shot, factor * intervals + 1
  first = footage.busiest(length, factor, least)
  if first is None:
    return None
  frames = footage.frames(range(first, first + length), short_side)
  last = first + length - 1

  def outer(near: int, far: int) -> np.ndarray | None:
    there = footage.has(min(near, far), max(near, far))
    return footage.frames([far], short_side)[0] if there else None

  return Window(
    shot=shot.id,
    group=shot.scene_group,
    category=shot.category,
    inputs=frames[::factor],
    truths=[f for k, f in enumerate(frames) if k % factor],
    times=[k / factor for k in range(length) if k % factor],
    exposure=0.0,
    outer=(outer(first, first - factor), outer(last, last + factor)),
  )


def blurred_window(
  footage: Footage, exposure: float, intervals: int = 1
) -> Window | None:
  """The busiest blurred window of a shot.

  Args:
    footage: the shot.
    exposure: open-shutter time / frame interval, 0..1.
    intervals: between input frames, in a window.

  Returns:
    None where the shot is not slow motion, is calm, or has frames so far
    apart that their average would not look like blur.
  """
  shot = footage.shot
  factor, half = dataset.BLUR_FACTOR, dataset.BLUR_FACTOR // 2
  length = factor * intervals + 2 * half + 1
  if shot.category not in _SLOW:
    return None
  first = footage.busiest(length, factor, _BUSY)
  if first is None:
    return None
  start = first + half
  images = footage.frames(range(first, first + length), SHORT_SIDE)
  frames = {k - half: image for k, image in enumerate(images)}
  last = factor * intervals

  def outer(near: int, far: int) -> np.ndarray | None:
    low, high = min(near, far - half), max(near, far + half)
    if not footage.has(start + low, start + high):
      return None
    around = range(far - half, far + half + 1)
    light = footage.frames([start + k for k in around], SHORT_SIDE)
    return dataset.expose(dict(zip(around, light, strict=True)), far, exposure)

  if not _dense(frames[0], frames[factor]):
    return None
  return Window(
    shot=shot.id,
    group=shot.scene_group,
    category=shot.category,
    inputs=[
      dataset.expose(frames, factor * k, exposure) for k in range(intervals + 1)
    ],
    truths=[frames[k] for k in range(factor * intervals)],
    times=[k / factor for k in range(factor * intervals)],
    exposure=exposure,
    outer=(outer(0, -factor), outer(last, last + factor)),
  )


def scene_window(
  scene: procedural.ProceduralScene, exposure: float, name: str = "scene"
) -> Window:
  """The middle of a calculated scene, with exact blur and exact truth.

  Args:
    scene: at least two frames long.
    exposure: open-shutter time / frame interval, 0..1.
    name: of the scene, which is its own scene group.
  """
  factor, start = dataset.BLUR_FACTOR, scene.seconds / 2
  # Sharp input frames are given and not asked for.
  times = [k / factor for k in range(0 if exposure else 1, factor)]
  before, first, second, after = (
    scene.frame(start + k / SCENE_FPS, exposure / SCENE_FPS)
    for k in range(-1, 3)
  )
  return Window(
    shot=name,
    group=name,
    category="procedural",
    inputs=[first, second],
    truths=[scene.frame(start + t / SCENE_FPS) for t in times],
    times=times,
    exposure=exposure,
    outer=(before, after),
  )


def scenes(
  images: Sequence[np.ndarray], count: int, seed: int = 0
) -> Iterator[procedural.ProceduralScene]:
  """Yields scenes in which patches of real pictures move.

  Args:
    images: uint8 RGB [h, w, 3].
    count: of scenes.
    seed: of them.
  """
  rng = np.random.default_rng(seed)
  for _ in range(count):
    yield procedural.ProceduralScene.sample(
      rng, (SHORT_SIDE, LONG_SIDE), 1.0, images
    )


def _scaled(image: np.ndarray, short_side: int) -> np.ndarray:
  height, width = image.shape[:2]
  scale = short_side / min(height, width)
  size = (round(width * scale), round(height * scale))
  image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
  # Few different sizes make few compiled programs.
  width, height = (
    side // 16 * 16 if side == short_side else min(side, LONG_SIDE) // 64 * 64
    for side in size
  )
  left, top = (size[0] - width) // 2, (size[1] - height) // 2
  return np.ascontiguousarray(image[top : top + height, left : left + width])


def _dense(before: np.ndarray, after: np.ndarray) -> bool:
  flow = optical_flow.FlowEstimator().between(before, after)
  fastest = float(np.percentile(np.abs(flow), 98))
  return fastest <= _MOST_MOTION * dataset.BLUR_FACTOR
