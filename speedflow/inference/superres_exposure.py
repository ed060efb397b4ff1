"""Whether the shutter was open long enough to blur what moves."""

from collections.abc import Sequence

import cv2
import numpy as np

from speedflow.inference.interpolator import FrameInterpolator
from speedflow.inference.survey import Pair

# Moving edges that sharpen by this factor were blurred.
_SHARPENED = 1.15
# Pixels that change by so many grey levels are said to move.
_MOVING = 12.0
# Less of the picture than this tells nothing.
_LEAST_MOVING = 1e-3


def judge(maker: FrameInterpolator, pairs: Sequence[Pair]) -> float | None:
  """Judges the blur of a shot.

  It is blurred if, where something moves, the network finds much sharper edges
  to explain its frames.

  Args:
    maker: the network.
    pairs: consecutive frames.

  Returns:
    0.0 for a sharp shot; None for one that is blurred, who knows how much.
  """
  gains = []
  for first, second in pairs:
    moving = cv2.absdiff(first, second).max(-1) > _MOVING
    if moving.mean() < _LEAST_MOVING:
      continue
    (restored,) = maker.between(first, second, [0.0], None)
    gains.append(_edges(restored.image, moving) / _edges(first, moving))
  return None if gains and np.median(gains) > _SHARPENED else 0.0


def _edges(image: np.ndarray, where: np.ndarray) -> float:
  """Power of the gradients in a part of the picture, at least 1."""
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  power = (
    cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3) ** 2
    + cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3) ** 2
  )
  return max(float(power[where].mean()), 1.0)
