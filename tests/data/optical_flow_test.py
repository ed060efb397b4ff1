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


def test_a_thorough_search_finds_the_same_slide():
  first, second = _sliding(96, 128, (0, 0)), _sliding(96, 128, (-4, 2))
  flow = optical_flow.FlowEstimator(thorough=True).between(first, second)
  np.testing.assert_allclose(np.median(flow, (0, 1)), (4, -2), atol=0.3)


def test_the_flow_at_a_time_lies_where_things_are_at_that_time():
  # A block of 20 columns moves right by 16 pixels over a still background.
  flow = np.zeros((2, 8, 100, 2), np.float32)
  flow[0, :, 30:50, 0] = 16
  flow[1, :, 46:66, 0] = -16
  halfway = optical_flow.at_time(flow, 0.5)
  assert (halfway[0, :, 46:58, 0] == 16).all()
  assert (halfway[1, :, 38:50, 0] == -16).all()
  assert not halfway[:, :, :30].any() and not halfway[:, :, 70:].any()
  np.testing.assert_array_equal(optical_flow.at_time(flow, 0.0)[0], flow[0])
  np.testing.assert_array_equal(optical_flow.at_time(flow, 1.0)[1], flow[1])
