"""Clips at any speed from one source: which frames, which exposure.

Positions are in source frames: frame k is the light of [k, k + 1). The
shutter of an output frame at position p opens at p and stays open for
exposure x factor source frames, so at full exposure the frames of a clip
share out the light of the source without gap or overlap, in ramps too.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from speedflow.timewarp import light

# Positions are compared on this grid (in decimals of a source frame), so that
# floating-point dust never makes two neighbours round to one frame.
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class ClipPlan:
  """Which moments of a source make a clip, at which speed and exposure.

  Attributes:
    start: position of the earliest output frame, in source frames.
    factor: speed relative to the source; 2.0 takes every second frame. At
      least 1: a slower clip would need frames that nobody filmed.
    length: output frames.
    exposure: open-shutter time / frame interval, 0..1. A shutter open for at
      most one source frame takes the nearest frame as it is, since a source
      frame cannot be divided.
    reverse: play backwards.
    curve: optional speed relative to `factor`, one value for each output
      frame in playing order: the speed from that frame to the next. Empty
      means constant.
  """

  start: float
  factor: float
  length: int
  exposure: float = 0.0
  reverse: bool = False
  curve: tuple[float, ...] = ()

  def __post_init__(self):
    if self.length < 1:
      raise ValueError(f"length is {self.length}; a clip has at least 1 frame")
    if self.start < 0:
      raise ValueError(f"start is {self.start}; sources begin at frame 0")
    if not 0.0 <= self.exposure <= 1.0:
      raise ValueError(f"exposure is {self.exposure}; wanted 0..1")
    if self.curve and len(self.curve) != self.length:
      raise ValueError(
        f"curve has {len(self.curve)} values for {self.length} frames"
      )
    slowest = float(self.factors.min())
    # Not `<`: nan must be refused as well.
    if not slowest >= 1.0 - 1e-9 or not math.isfinite(self.factors.max()):
      raise ValueError(
        f"speed factor is {slowest:g}; below 1 frames would be duplicated:"
        " take a source with more frames per second"
      )

  @property
  def factors(self) -> np.ndarray:
    """float64 [length]: speed from each output frame to the next."""
    return self.factor * np.array(self.curve or (1.0,) * self.length)

  @property
  def positions(self) -> np.ndarray:
    """float64 [length]: where each shutter opens, in source frames."""
    offsets = np.concatenate([[0.0], np.cumsum(self.factors[:-1])])
    return self.start + (offsets[-1] - offsets if self.reverse else offsets)

  @property
  def indices(self) -> np.ndarray:
    """int64 [length]: the source frame nearest to each output frame."""
    return _nearest(self.positions)

  @property
  def shutters(self) -> list[tuple[int, np.ndarray]]:
    """`exposure_weights` of each output frame."""
    widths = self.exposure * self.factors
    return [
      exposure_weights(position, width)
      for position, width in zip(self.positions, widths, strict=True)
    ]

  @property
  def frame_span(self) -> tuple[int, int]:
    """First and last source frame that the clip reads, both inclusive."""
    shutters = self.shutters
    return (
      min(first for first, _ in shutters),
      max(first + len(weights) - 1 for first, weights in shutters),
    )


def _nearest(positions: np.ndarray) -> np.ndarray:
  return np.floor(np.round(positions, _DECIMALS) + 0.5).astype(np.int64)


def exposure_weights(position: float, width: float) -> tuple[int, np.ndarray]:
  """Shares of source frames in the light of one open shutter.

  Args:
    position: where the shutter opens, source frames.
    width: how long it stays open, source frames.

  Returns:
    The first source frame, and float64 weights [n] (sum 1) of it and its
    successors.
  """
  if width <= 1.0:
    return int(_nearest(np.array(position))), np.ones(1)
  opens = round(position, _DECIMALS)
  closes = round(position + width, _DECIMALS)
  first, last = math.floor(opens), math.ceil(closes) - 1
  edges = np.clip(np.arange(first, last + 2), opens, closes)
  return first, np.diff(edges) / (closes - opens)


def render_clip(
  frames: Sequence[np.ndarray] | np.ndarray | Callable[[int], np.ndarray],
  plan: ClipPlan,
) -> np.ndarray:
  """Renders a plan, averaging in linear light where the shutter is long.

  Args:
    frames: uint8 source images [h, w] or [h, w, 3], as a sequence, an array
      [n, h, w(, 3)], or a function from frame number to image (called at most
      twice for each frame, in the order of the clip).
    plan: what to render.

  Returns:
    uint8 [length, h, w(, 3)].

  Raises:
    IndexError: the source is too short for the plan.
  """
  if callable(frames):
    get_frame = frames
  else:
    _, last = plan.frame_span
    if last >= len(frames):
      raise IndexError(f"the plan reads frame {last} of {len(frames)} frames")
    get_frame = frames.__getitem__
  # Neighbouring shutters share one frame at most.
  get_light = functools.lru_cache(maxsize=2)(
    lambda index: light.to_linear(get_frame(index))
  )
  clip = []
  for first, weights in plan.shutters:
    if len(weights) == 1:
      clip.append(get_frame(first))
      continue
    total = weights[0] * get_light(first)
    for offset, weight in enumerate(weights[1:], start=1):
      total += np.float32(weight) * get_light(first + offset)
    clip.append(light.from_linear(total))
  return np.stack(clip)


def splice_curve(
  length: int, change: int, before: float, after: float
) -> tuple[float, ...]:
  """A sudden speed change: `before` until frame `change`, then `after`."""
  if not 0 < change < length:
    raise ValueError(f"change at frame {change} lies outside 1..{length - 1}")
  return (before,) * change + (after,) * (length - change)


def ramp_curve(
  length: int, points: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
  """A speed that glides through (frame, speed) points.

  Straight in log2 speed between points and constant outside them, so
  `[(0, 1), (20, 0.25), (40, 1)]` slows down fourfold and comes back.
  """
  frames, speeds = zip(*points, strict=True)
  if np.any(np.diff(frames) <= 0):
    raise ValueError(f"the frames of a ramp must increase: {frames}")
  if min(speeds) <= 0:
    raise ValueError(f"speeds must be positive: {speeds}")
  curve = np.exp2(np.interp(np.arange(length), frames, np.log2(speeds)))
  return tuple(curve.tolist())
