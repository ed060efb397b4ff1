"""Dense optical flow between two pictures, in both directions."""

from typing import NamedTuple

import cv2
import numpy as np

LARGEST_SIDE = 960
"""Pixels; of larger pictures, flow is computed at a reduced size."""

# Flow there and back that ends so many pixels beside its start is trusted e
# times less.
_ASTRAY = 1.0
# Trust below this does not bend a path.
_LEAST_TRUST = np.float32(0.1)


class FlowEstimator:
  """DIS flow (Kroeger et al., ECCV 2016), with its work space.

  It is not safe to share between threads.
  """

  def __init__(self, *, thorough: bool = False):
    """Makes the work space.

    Args:
      thorough: patches are searched for twice as long: better where things
        move far.
    """
    self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if thorough:
      self._flow.setGradientDescentIterations(50)

  def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes the flow from one picture to another.

    Args:
      first: uint8 RGB [h, w, 3].
      second: the same.

    Returns:
      float32 [h, w, 2]: x and y displacement, in pixels, of what is at each
      pixel of the first picture.
    """
    height, width = first.shape[:2]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    # DIS finds nothing in pictures smaller than its patches.
    size = (max(round(width * scale), 16), max(round(height * scale), 16))
    small = [
      cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
        size,
        interpolation=cv2.INTER_AREA,
      )
      for image in (first, second)
    ]
    flow = self._flow.calc(small[0], small[1], np.empty(0, np.float32))
    if size == (width, height):
      return flow
    per_pixel = np.array([width / size[0], height / size[1]], np.float32)
    return cv2.resize(flow, (width, height)) * per_pixel

  def both_ways(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The flow from first to second, then back: float32 [2, h, w, 2]."""
    return np.stack([self.between(first, second), self.between(second, first)])


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
  """Fetches every pixel from where the flow points, bilinearly.

  Args:
    image: [h, w] or [h, w, c], uint8 or float32.
    flow: float32 [h, w, 2], pixels.

  Returns:
    As `image`; beyond its border, the border is repeated.
  """
  height, width = flow.shape[:2]
  x = flow[..., 0] + np.arange(width, dtype=np.float32)
  y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
  return cv2.remap(
    image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
  )


def at_time(flow: np.ndarray, time: float) -> np.ndarray:
  """The flow of what is at each pixel at a time between two pictures.

  Things are taken to move evenly. The flow that ends at a pixel is first
  guessed from the flow that starts there, then looked up where that leads.

  Args:
    flow: float32 [2, h, w, 2] of `FlowEstimator.both_ways`.
    time: 0 (first picture) .. 1 (second).

  Returns:
    float32 [2, h, w, 2]: anchored to the first picture, from it to the second;
    anchored to the second, from it to the first.
  """
  return np.stack(
    [warp(flow[0], time * flow[1]), warp(flow[1], (1 - time) * flow[0])]
  )


class Outer(NamedTuple):
  """Flow from the nearer of two pictures to a third one outside of them.

  Attributes:
    flow: float32 [2, h, w, 2], from the nearer of the two to the third, and
      back; pixels.
    distance: between them in time; from one of the two to the other it is 1.
  """

  flow: np.ndarray
  distance: float = 1.0


class Curve:
  """How motion between two pictures departs from one that is straight and even.

  Where things were before, and will be afterwards, tells how they accelerate
  (Xu et al., "Quadratic Video Interpolation", NeurIPS 2019). What both sides
  tell is weighed as the cubic through four positions has it (Neville's
  scheme), and by whether flow there and back agrees.
  """

  def __init__(
    self, flow: np.ndarray, before: Outer | None, after: Outer | None
  ):
    """Finds the acceleration.

    Args:
      flow: float32 [2, h, w, 2] of `FlowEstimator.both_ways`.
      before: of the picture before the first; None if there is none.
      after: of the picture after the second.
    """
    self._flow = flow
    self._sides = [
      None if outer is None else _acceleration(each, outer)
      for each, outer in zip(flow, (before, after), strict=True)
    ]
    self._distances = [
      1.0 if outer is None else outer.distance for outer in (before, after)
    ]

  def at(self, time: float) -> np.ndarray:
    """By how much a straight path is to be moved.

    Args:
      time: 0 (first picture) .. 1 (second).

    Returns:
      float32 [h, w, 2]: what is at each pixel at this time lies so much
      further along x and y in both pictures than even motion would have it.
    """
    height, width = self._flow.shape[1:3]
    total = np.zeros((height, width, 3), np.float32)
    early, late = self._distances
    shares = (1 + late - time, early + time)
    paths = (time * self._flow[1], (1 - time) * self._flow[0])
    for side, share, path in zip(self._sides, shares, paths, strict=True):
      if side is not None:
        total += warp(side, path) * np.float32(share / (1 + early + late))
    scale = np.float32(time * (1 - time) / 2) / (total[..., 2] + _LEAST_TRUST)
    return cv2.merge([total[..., 0] * scale, total[..., 1] * scale])


def paces(
  flow: np.ndarray, before: Outer | None, after: Outer | None
) -> np.ndarray:
  """How far each pixel of two pictures moves in an interval, at its own time.

  Args:
    flow: float32 [2, h, w, 2] of `FlowEstimator.both_ways`.
    before: of the picture before the first; None if there is none.
    after: of the picture after the second.

  Returns:
    float32 [2, h, w, 2], pixels: of both pictures, the mean of how far it came
    and how far it goes.
  """
  found = np.stack([flow[0], -flow[1]])
  if before is not None:
    found[0] = (found[0] - before.flow[0] / np.float32(before.distance)) / 2
  if after is not None:
    found[1] = (found[1] + after.flow[0] / np.float32(after.distance)) / 2
  return found


def _acceleration(flow: np.ndarray, outer: Outer) -> np.ndarray:
  """Pixels per interval squared, times trust; trust: float32 [h, w, 3]."""
  away, back = outer.flow
  distance = np.float32(outer.distance)
  x, y = cv2.split(np.float32(2 / (1 + distance)) * (flow + away / distance))
  astray = cv2.magnitude(*cv2.split(away + warp(back, away)))
  trust = np.exp(astray * np.float32(-1 / _ASTRAY))
  return cv2.merge([trust * x, trust * y, trust])


def interpolate(
  first: np.ndarray,
  second: np.ndarray,
  flow: np.ndarray,
  time: float,
  curve: Curve | None = None,
) -> np.ndarray:
  """Classical interpolation: both pictures warped to a time and blended.

  Args:
    first: uint8 or uint16, [h, w] or [h, w, 3].
    second: the same.
    flow: float32 [2, h, w, 2] of `FlowEstimator.both_ways`.
    time: 0 (first) .. 1 (second).
    curve: of the motion; None: it is straight and even.

  Returns:
    The same.
  """
  aside = np.float32(0) if curve is None else curve.at(time)
  # What lies at x at this time came along the flow that ends at x.
  from_first = warp(first.astype(np.float32), time * flow[1] + aside)
  from_second = warp(second.astype(np.float32), (1 - time) * flow[0] + aside)
  blend = (1 - time) * from_first + time * from_second
  return np.rint(blend).astype(first.dtype)
