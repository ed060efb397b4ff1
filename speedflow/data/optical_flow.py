"""Dense optical flow between two pictures, in both directions."""

import cv2
import numpy as np

LARGEST_SIDE = 960
"""Pixels; of larger pictures, flow is computed at a reduced size."""


class FlowEstimator:
  """DIS flow (Kroeger et al., ECCV 2016), with its work space.

  It is not safe to share between threads.
  """

  def __init__(self, *, thorough: bool = False):
    """Makes the work space.

    Args:
      thorough: denser patches, searched for longer: twice the time, better
        where things move far.
    """
    self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if thorough:
      self._flow.setPatchStride(2)
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
    float32 [2, h, w, 2]: as told by the first picture, from it to the second;
    as told by the second, from it to the first.
  """
  return np.stack(
    [warp(flow[0], time * flow[1]), warp(flow[1], (1 - time) * flow[0])]
  )


def interpolate(
  first: np.ndarray, second: np.ndarray, flow: np.ndarray, time: float
) -> np.ndarray:
  """Classical interpolation: both pictures warped to a time and blended.

  Args:
    first: uint8 or uint16, [h, w] or [h, w, 3].
    second: the same.
    flow: float32 [2, h, w, 2] of `FlowEstimator.both_ways`.
    time: 0 (first) .. 1 (second).

  Returns:
    The same.
  """
  # What lies at x at this time came along the flow that ends at x.
  from_first = warp(first.astype(np.float32), time * flow[1])
  from_second = warp(second.astype(np.float32), (1 - time) * flow[0])
  blend = (1 - time) * from_first + time * from_second
  return np.rint(blend).astype(first.dtype)
