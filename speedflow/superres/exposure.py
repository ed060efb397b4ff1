"""Estimates how long the shutter was open from the blur of what moves."""

from collections.abc import Sequence

import cv2
import numpy as np

from speedflow.data import optical_flow
from speedflow.superres.survey import Pair
from speedflow.timewarp import light

# From less of the picture than this nothing is estimated.
_LEAST_MOVING = 1e-3
# Blur is measured where things move so far, pixels.
_MOTION = (4.0, 40.0)
# Distances at which edges are compared, in frame intervals of motion; and none.
_LAGS = np.array([0, *np.arange(0.3, 1.55, 0.05)], np.float32)
# Frames are blurred if their edges are so unlike themselves at some distance:
# of 64 validation windows of ordinary footage, four are.
_UNLIKE = -0.25
# Edges that are not sharp themselves make the best distance longer by so much,
# on validation windows.
_LONGER = 0.2
# Less is taken for the texture's own.
_SHORTEST = 0.25
_COLUMNS = 1024


def judge(pairs: Sequence[Pair]) -> float:
  """How much of a frame interval the shutter was open, of a shot.

  Blur makes two edges of each, of opposite sign, as far apart as it is long:
  there the derivative along the motion is least like itself (Yitzhaky and
  Kopeika, "Identification of Blur Parameters from Motion Blurred Images",
  1997).

  Args:
    pairs: consecutive frames.

  Returns:
    0.0 for a sharp shot, or one in which too little moves far enough to tell;
    else 0.25..1.
  """
  likeness = np.zeros(len(_LAGS))
  estimator = optical_flow.FlowEstimator()
  for first, second in pairs:
    there, back = estimator.both_ways(first, second)
    for image, path in ((first, there), (second, -back)):
      likeness += _likeness(image, path)
  best = int(likeness.argmin())
  exposure = round(min(float(_LAGS[best]) - _LONGER, 1.0), 2)
  blurred = likeness[best] < _UNLIKE * likeness[0] and exposure >= _SHORTEST
  return exposure if blurred else 0.0


def _likeness(image: np.ndarray, path: np.ndarray) -> np.ndarray:
  """Of edges, and of those so far along the motion: float64 [lags]."""
  speed = cv2.magnitude(*cv2.split(path))
  where = (speed > _MOTION[0]) & (speed < _MOTION[1])
  if where.mean() < _LEAST_MOVING:
    return np.zeros(len(_LAGS))
  gray = cv2.cvtColor(light.to_linear(image), cv2.COLOR_RGB2GRAY)
  step = path / (2 * np.maximum(speed, 1e-6))[..., None]
  edges = optical_flow.warp(gray, step) - optical_flow.warp(gray, -step)
  # Only where it moves: that is little of most pictures.
  rows, columns = np.nonzero(where)
  there, along = edges[where], path[where]

  def at(lag: np.float32) -> np.ndarray:
    x, y = columns + lag * along[:, 0], rows + lag * along[:, 1]
    return _fetched(edges, x.astype(np.float32), y.astype(np.float32))

  return np.array(
    [(there * (at(lag) + at(-lag))).sum(dtype=np.float64) for lag in _LAGS]
  )


def _fetched(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Values at places, float32 [n], as of `optical_flow.warp`."""
  # OpenCV's pictures have at most 32,767 columns.
  padding = -len(x) % _COLUMNS
  x, y = (np.pad(v, (0, padding)).reshape(-1, _COLUMNS) for v in (x, y))
  found = cv2.remap(
    image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
  )
  return found.ravel()[: found.size - padding]
