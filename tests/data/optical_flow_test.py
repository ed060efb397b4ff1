"""Flow and classical interpolation of a picture that slides."""

import cv2
import numpy as np
import pytest

from speedflow.data import optical_flow


def _sliding(height, width, offset):
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (height + 64, width + 64, 3), np.uint8)
  noise = cv2.GaussianBlur(noise, (0, 0), 3)
  noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
  y, x = 32 + offset[1], 32 + offset[0]
  return np.ascontiguousarray(noise[y : y + height, x : x + width])


@pytest.mark.parametrize("size", [(96, 128), (1100, 1300)])
def test_flow_is_the_slide_at_any_size(size):
  first, second = _sliding(*size, (0, 0)), _sliding(*size, (-4, 2))
  flow = optical_flow.FlowEstimator().both_ways(first, second)
  assert flow.shape == (2, *size, 2)
  np.testing.assert_allclose(np.median(flow[0], (0, 1)), (4, -2), atol=0.3)
  np.testing.assert_allclose(np.median(flow[1], (0, 1)), (-4, 2), atol=0.3)


def test_tiny_pictures_have_flow():
  first = _sliding(6, 10, (0, 0))
  flow = optical_flow.FlowEstimator().both_ways(first, first)
  assert flow.shape == (2, 6, 10, 2)


def test_halfway_is_half_the_slide():
  first, second = _sliding(96, 128, (0, 0)), _sliding(96, 128, (-4, 2))
  flow = optical_flow.FlowEstimator().both_ways(first, second)
  made = optical_flow.interpolate(first, second, flow, 0.5)
  wanted = _sliding(96, 128, (-2, 1)).astype(float)
  inner = np.s_[8:-8, 8:-8]
  assert np.abs(made[inner] - wanted[inner]).mean() < 2.0
