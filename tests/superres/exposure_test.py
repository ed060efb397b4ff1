"""The shutter of footage whose blur is known."""

import cv2
import numpy as np
import pytest

from speedflow.superres import exposure as superres_exposure
from speedflow.superres.survey import Pair
from speedflow.timewarp import light

_PARTS = 16


def _frame(right, exposure, speed=12.0):
  """A texture at a place, `speed` pixels an interval, in linear light."""
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (96, 256, 3), np.uint8)
  wide = cv2.normalize(
    cv2.GaussianBlur(noise, (0, 0), 1.2), None, 0, 255, cv2.NORM_MINMAX
  )
  places = right + np.linspace(-0.5, 0.5, _PARTS) * exposure * speed
  total = np.zeros((96, 192, 3), np.float32)
  for place in places:
    shift = np.float32([[1, 0, place - 32], [0, 1, 0]])
    total += cv2.warpAffine(light.to_linear(wide), shift, (192, 96))
  return light.from_linear(total / _PARTS)


def _pairs(exposure):
  return [Pair(_frame(0.0, exposure), _frame(12.0, exposure))]


@pytest.mark.parametrize("exposure", [0.5, 0.75, 1.0])
def test_the_shutter_is_read_off_the_blur(exposure):
  assert superres_exposure.judge(_pairs(exposure)) == pytest.approx(
    exposure, abs=0.25
  )


def test_what_is_sharp_is_left_alone():
  assert superres_exposure.judge(_pairs(0.0)) == 0.0


def test_what_hardly_moves_tells_nothing():
  still = _frame(0.0, 1.0)
  assert superres_exposure.judge([Pair(still, still)]) == 0.0
  assert superres_exposure.judge([]) == 0.0
