"""Flow and classical interpolation of a picture that slides."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def _constant(x, y):
  return np.broadcast_to(np.array([x, y], np.float32), (8, 8, 2))


def _flows(position, times):
  """Flow between pictures of one motion, there and back."""
  start, end = (np.array(position(t)) for t in times)
  return np.stack([_constant(*(end - start)), _constant(*(start - end))])


@settings(max_examples=30, deadline=None)
@given(
  speed=st.floats(-20, 20),
  gravity=st.floats(-9, 9),
  early=st.floats(0.4, 2.5),
  late=st.floats(0.4, 2.5),
  time=st.floats(0, 1),
)
@pytest.mark.parametrize("sides", ["before", "after", "both"])
def test_a_thrown_ball_is_where_physics_has_it(
  sides, speed, gravity, early, late, time
):
  def position(t):
    return speed * t, gravity * t * t / 2

  flow = _flows(position, (0, 1))
  before = optical_flow.Outer(_flows(position, (0, -early)), early)
  after = optical_flow.Outer(_flows(position, (1, 1 + late)), late)
  bend = optical_flow.Curve(
    flow,
    None if sides == "after" else before,
    None if sides == "before" else after,
  ).at(time)
  straight = (1 - time) * np.array(position(0)) + time * np.array(position(1))
  aside = straight - position(time)
  # A little less is believed than is seen.
  share = np.sum(bend[4, 4] * aside) / max(np.sum(aside * aside), 1e-6)
  assert share == pytest.approx(0.83, abs=0.17) or np.abs(aside).max() < 1e-2


def test_without_other_frames_motion_is_even():
  flow = _flows(lambda t: (5 * t, 0), (0, 1))
  assert not optical_flow.Curve(flow, None, None).at(0.5).any()


def test_flow_that_does_not_find_back_bends_nothing():
  flow = _flows(lambda t: (0, 4 * t * t), (0, 1))
  astray = _flows(lambda t: (0, 4 * t * t), (1, 2))
  astray[1] = 0
  outer = optical_flow.Outer(astray)
  assert np.abs(optical_flow.Curve(flow, None, outer).at(0.5)).max() < 1e-2


def test_a_curve_moves_what_is_interpolated():
  pictures = [_sliding(96, 128, (0, y)) for y in (0, 0, -8, -24)]
  flows = optical_flow.FlowEstimator(thorough=True)
  flow = flows.both_ways(*pictures[1:3])
  curve = optical_flow.Curve(
    flow,
    optical_flow.Outer(flows.both_ways(pictures[1], pictures[0])),
    optical_flow.Outer(flows.both_ways(pictures[2], pictures[3])),
  )
  inner = np.s_[16:-16, 8:-8]
  # It falls by 0, 8 and 16: by 3 until the middle.
  wanted = _sliding(96, 128, (0, -3)).astype(float)[inner]
  straight, curved = (
    optical_flow.interpolate(*pictures[1:3], flow, 0.5, c)[inner]
    for c in (None, curve)
  )
  off, near = (np.abs(x - wanted).mean() for x in (straight, curved))
  assert near < off / 2
