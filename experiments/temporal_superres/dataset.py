"""Examples of two frames, their neighbours, and the true picture between them.

Sharp examples leave frames of a shot out and ask for them back. Blurred ones
average frames of a shot, in linear light, as a shutter open for so long would
have; the sharp frames are the truth. Some are calculated scenes, in which
patches of the shot's pictures move: of them, blur and truth are exact.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import grain
import ml_collections
import numpy as np

from speedflow.data import optical_flow, pipeline, procedural
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.superres import motion_blur
from speedflow.timewarp import light, resample

BLUR_FACTOR = 8
"""Blurred frames are so many frames of the source apart."""

# Source frames on either side of a blurred frame that its light may hold.
_HALF = BLUR_FACTOR // 2
# Beside the crop, flow sees so many more pixels.
_MARGIN = 24
# Between source frames, motion of more pixels would leave gaps in the blur.
_MOST_MOTION = 5.0
# A frame between two others that moved away from one by less than this share
# of what even motion would give is a repeat of it.
_REPEAT = 0.3
# The two frames of sharp examples are so many frames apart, so often.
_FACTORS = (2, 3, 4, 6, 8)
_FACTOR_SHARES = (0.5, 0.1, 0.2, 0.1, 0.1)
# Frames a second of calculated scenes, drawn between these.
_SCENE_FPS = (15.0, 60.0)


@dataclasses.dataclass(frozen=True)
class ExampleSampler:
  """A transform: shot record -> arrays of a few examples.

  Attributes:
    crop: side of the crops, pixels.
    crops: examples per shot, of the same frames.
    blurred: chance that an example is blurred, of real-time shots.
    blurred_slow: the same, of slow-motion and high-speed shots.
    scenes: chance that an example is a calculated scene.
    blurred_scenes: the same as `blurred`, of these.
    unknown: chance that the exposure is not told.
    alone: chance that the frame before is not there; the same for that after.
    smallest: of the random scale of the picture.
  """

  crop: int
  crops: int
  blurred: float
  blurred_slow: float
  scenes: float
  blurred_scenes: float
  unknown: float
  alone: float
  smallest: float

  def __call__(
    self, encoded: bytes, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws examples.

    Args:
      encoded: a `ShotRecord`.
      rng: source of randomness.

    Returns:
      images: uint8 [n, 2, s, s, 3], of which `motion_blur.undo` took what it
      can where the exposure is told; truth: uint8 [n, s, s, 3]; flow: float16
      [n, 2, s, s, 2], as `optical_flow.at_time`; bend: float16 [n, s, s, 2],
      as `optical_flow.Curve.at`; time: float32 [n], 0..1; exposure: float32
      [n], nan where it is not told.
    """
    shot = ShotRecord.decode(encoded)
    filmed = rng.random() >= self.scenes
    takes = (self._filmed if filmed else self._calculated)(shot, rng)
    flow = optical_flow.FlowEstimator(thorough=True)
    examples = [self._example(take, flow, rng) for take in takes]
    return {
      name: np.stack([example[name] for example in examples])
      for name in examples[0]
    }

  def _filmed(
    self, shot: ShotRecord, rng: np.random.Generator
  ) -> Iterator["_Take"]:
    slow = shot.category in ("slowmo", "highfps", "procedural")
    chance = self.blurred_slow if slow else self.blurred
    wanted = BLUR_FACTOR + 2 * _HALF + 1
    blurred = rng.random() < chance and shot.num_frames >= wanted
    if blurred:
      factor, lead = BLUR_FACTOR, _HALF
    else:
      shares = np.array(_FACTOR_SHARES)
      shares[np.array(_FACTORS) >= shot.num_frames] = 0
      # Of a shot of two frames, the truth is one of them.
      total = shares.sum()
      factor = int(rng.choice(_FACTORS, p=shares / total)) if total else 1
      lead = 0
    first, between, beside = self._busy(shot, factor, lead, rng)
    offsets = rng.choice(between, self.crops).tolist()
    middles = [0, factor, *beside]
    around = {m + k for m in middles for k in range(-lead, lead + 1)}
    images = {k: shot.image(first + k) for k in around | set(offsets)}
    exposure = float(rng.uniform(0.2, 1.0)) if blurred else 0.0
    side = self.crop + 2 * _MARGIN
    for offset in offsets:
      window = _Window.sample(
        images[0], images[factor], side, self.smallest, rng
      )
      cut = {k: window.cut(image) for k, image in images.items()}
      sharp = {m // factor: cut[m] for m in middles}
      seen = {
        m // factor: _noisy(expose(cut, m, exposure), rng)
        if blurred
        else cut[m]
        for m in middles
      }
      yield _Take(
        sharp,
        seen,
        cut[offset],
        offset / factor,
        exposure,
        most_motion=_MOST_MOTION * factor,
      )

  def _calculated(
    self, shot: ShotRecord, rng: np.random.Generator
  ) -> Iterator["_Take"]:
    side = self.crop + 2 * _MARGIN
    pictures = rng.integers(shot.num_frames, size=2)
    scene = procedural.ProceduralScene.sample(
      rng, (side, side), 1.0, [shot.image(int(k)) for k in pictures]
    )
    interval = 1 / float(np.exp2(rng.uniform(*np.log2(_SCENE_FPS))))
    start = float(rng.uniform(0.2, 0.7))
    exposure = 0.0
    if rng.random() < self.blurred_scenes:
      exposure = float(rng.uniform(0.2, 1.0))
    frames = {
      k: scene.frame(start + k * interval, exposure * interval)
      for k in range(-1, 3)
    }
    if exposure:
      frames = {k: _noisy(frame, rng) for k, frame in frames.items()}
    for _ in range(self.crops):
      least = 0 if exposure else 1
      time = int(rng.integers(least, BLUR_FACTOR)) / BLUR_FACTOR
      truth = scene.frame(start + time * interval)
      yield _Take(frames, frames, truth, time, exposure)

  def _busy(
    self, shot: ShotRecord, factor: int, lead: int, rng: np.random.Generator
  ) -> tuple[int, list[int], list[int]]:
    """A first frame after which much moves, the true ones between and beside.

    Returns:
      Its number; and, counted from it, the frames between the two that are
      true, and those before and after that are there and are true.
    """
    last = shot.num_frames - 1 - factor - lead
    starts = rng.integers(lead, last, size=3, endpoint=True)

    def small(index: int) -> np.ndarray:
      return shot.image(index, gray=True, reduce=8).astype(np.float32)

    def change(a: np.ndarray, b: np.ndarray) -> float:
      return float(np.sqrt(((a - b) ** 2).mean()))

    ends = [(small(s), small(s + factor)) for s in starts]
    changes = [change(*pair) for pair in ends]
    # Now and then one that is not so busy.
    best = int(np.argmax(changes)) if rng.random() < 0.8 else 0
    first, (before, after) = int(starts[best]), ends[best]
    between = []
    for k in range(0 if lead else 1, factor):
      image = small(first + k)
      moved = min(change(image, before), change(image, after))
      even = min(k, factor - k) / factor * changes[best]
      if moved >= _REPEAT * even:
        between.append(k)
    beside = [
      k
      for k, near in ((-factor, before), (2 * factor, after))
      if lead <= first + k < shot.num_frames - lead
      and rng.random() >= self.alone
      and change(small(first + k), near) >= _REPEAT * changes[best]
    ]
    return first, between or [0], beside

  def _example(
    self,
    take: "_Take",
    flow: optical_flow.FlowEstimator,
    rng: np.random.Generator,
  ) -> dict[str, np.ndarray]:
    exposure, frames = take.exposure, take.frames
    both = flow.both_ways(frames[0], frames[1])
    if exposure and np.percentile(np.abs(both), 98) > take.most_motion:
      exposure, frames = 0.0, take.sharp
      both = flow.both_ways(frames[0], frames[1])
    early, late = (
      optical_flow.Outer(flow.both_ways(frames[near], frames[far]))
      if far in frames
      else None
      for near, far in ((0, -1), (1, 2))
    )
    bend = optical_flow.Curve(both, early, late).at(take.time)
    pair = [frames[0], frames[1]]
    told = rng.random() >= self.unknown
    if exposure and told:
      ways = np.float32(exposure) * optical_flow.paces(both, early, late)
      pair = [motion_blur.undo(*each) for each in zip(pair, ways, strict=True)]
    inner = slice(_MARGIN, _MARGIN + self.crop)
    time = take.time
    both = optical_flow.at_time(both, time)
    if rng.random() < 0.5:
      pair, both, time = pair[::-1], both[::-1], 1 - time
    return {
      "images": np.stack(pair)[:, inner, inner],
      "truth": take.truth[inner, inner],
      "flow": both[:, inner, inner].astype(np.float16),
      "bend": bend[inner, inner].astype(np.float16),
      "time": np.array(time, np.float32),
      "exposure": np.array(exposure if told else math.nan, np.float32),
    }


class _Take(NamedTuple):
  """Frames in a row, and the truth between two of them.

  Attributes:
    sharp: without blur, uint8 [s, s, 3] each: the two, 0 and 1, and those
      beside them, -1 and 2, as far as they are there.
    frames: the same, with it.
    truth: uint8 [s, s, 3].
    time: of the truth, 0..1.
    exposure: of the frames, 0..1.
    most_motion: in pixels; where more moves, the blur has gaps.
  """

  sharp: dict[int, np.ndarray]
  frames: dict[int, np.ndarray]
  truth: np.ndarray
  time: float
  exposure: float
  most_motion: float = math.inf


@dataclasses.dataclass(frozen=True)
class _Window:
  """A square part of the picture, scaled, turned and mirrored."""

  top: int
  left: int
  source: int
  side: int
  flips: tuple[bool, bool, bool]
  channels: tuple[int, ...]

  @classmethod
  def sample(
    cls,
    before: np.ndarray,
    after: np.ndarray,
    side: int,
    smallest: float,
    rng: np.random.Generator,
  ) -> "_Window":
    """Draws a window in which something moves."""
    height, width = before.shape[:2]
    scale = rng.uniform(smallest, 1.0)
    source = min(round(side / scale), height, width)
    step = 8
    change = cv2.absdiff(before, after).max(-1)
    small = cv2.resize(
      change, (width // step, height // step), interpolation=cv2.INTER_AREA
    )
    best, where = -1.0, (0, 0)
    tries = 4 if rng.random() < 0.85 else 1
    for _ in range(tries):
      top = int(rng.integers(0, height - source, endpoint=True))
      left = int(rng.integers(0, width - source, endpoint=True))
      margin = source // 6
      part = small[
        (top + margin) // step : (top + source - margin) // step,
        (left + margin) // step : (left + source - margin) // step,
      ]
      busy = float(part.mean())
      if busy > best:
        best, where = busy, (top, left)
    transpose, down, right = (bool(x) for x in rng.random(3) < 0.5)
    return cls(
      *where,
      source,
      side,
      (transpose, down, right),
      tuple(rng.permutation(3).tolist()),
    )

  def cut(self, image: np.ndarray) -> np.ndarray:
    """Cuts the window out of a picture."""
    part = image[
      self.top : self.top + self.source, self.left : self.left + self.source
    ]
    if self.source != self.side:
      part = cv2.resize(
        part,
        (self.side, self.side),
        interpolation=cv2.INTER_AREA
        if self.source > self.side
        else cv2.INTER_LINEAR,
      )
    transpose, down, right = self.flips
    if transpose:
      part = part.transpose(1, 0, 2)
    part = part[:: -1 if down else 1, :: -1 if right else 1, self.channels]
    return np.ascontiguousarray(part)


def expose(
  images: dict[int, np.ndarray], middle: int, exposure: float
) -> np.ndarray:
  """The light of a shutter that opens around a frame.

  Args:
    images: uint8 [h, w, 3] by frame number, those within half of
      `BLUR_FACTOR` of the middle.
    middle: the frame in the middle of the exposure.
    exposure: of `BLUR_FACTOR` frames, 0..1.

  Returns:
    uint8 [h, w, 3].
  """
  width = exposure * BLUR_FACTOR
  # Frame k is the light of [k, k + 1).
  opens = middle + 0.5 - width / 2
  first, weights = resample.exposure_weights(opens, width)
  if len(weights) == 1:
    return images[middle]
  total = np.zeros(images[middle].shape, np.float32)
  for k, weight in enumerate(weights):
    total += np.float32(weight) * light.to_linear(images[first + k])
  return light.from_linear(total)


def _noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """With the noise of a sensor, now and then."""
  if rng.random() < 0.3:
    noise = rng.normal(0, rng.uniform(0.5, 3), image.shape)
    image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
  return image


def training_batches(
  data: ml_collections.ConfigDict,
  paths: Sequence[pathlib.Path],
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches, arrays [batch_size, crops, ...].

  Args:
    data: the `data` part of the experiment's config.
    paths: shards of shot records.
    batch_size: shots per batch, of this process.
    seed: of order and randomness.
    process_index: this process.
    process_count: number of processes.
  """
  sampler = pipeline.configured(ExampleSampler, data)
  return pipeline.batches(
    RecordSource(paths),
    [sampler],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
    num_threads=data.threads,
  )
