"""Two clocks, tied together by a speed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedflow.retime.curve import SpeedCurve

_SPEEDS = st.floats(1 / 16, 16)


@st.composite
def _curves(draw):
  gaps = draw(st.lists(st.floats(0.05, 3), min_size=1, max_size=5))
  speeds = draw(st.lists(_SPEEDS, min_size=len(gaps), max_size=len(gaps)))
  begin = draw(st.floats(-1, 1))
  return SpeedCurve(begin + np.cumsum(gaps), np.array(speeds))


@given(_curves())
def test_there_and_back_is_the_same_moment(curve):
  times = np.linspace(0, 12, 200)
  shown = curve.output_s(times)
  assert shown[0] == 0
  assert (np.diff(shown) > 0).all()
  np.testing.assert_allclose(curve.input_s(shown), times, atol=1e-7)


@given(_curves())
def test_output_time_is_the_integral_of_one_over_speed(curve):
  times = np.linspace(0, 6, 20_001)
  middle = (times[1:] + times[:-1]) / 2
  summed = np.concatenate(
    [[0], np.cumsum(np.diff(times) / curve.speed(middle))]
  )
  np.testing.assert_allclose(
    curve.output_s(times), summed, rtol=1e-3, atol=1e-4
  )


def test_steps_hold_their_speeds():
  curve = SpeedCurve.steps(np.array([1.0, 3.0, 4.0]), np.array([1.0, 4.0, 0.5]))
  np.testing.assert_allclose(
    curve.speed(np.array([0.5, 2.0, 3.5, 9.0])), [1, 4, 0.5, 0.5]
  )
  shown = curve.output_s(np.array([1.0, 3.0, 4.0]))
  np.testing.assert_allclose(shown, [1, 1.5, 3.5], atol=1e-4)


@pytest.mark.parametrize("speed", [0.25, 1.0, 3.0])
def test_one_speed_divides_time(speed):
  curve = SpeedCurve.constant(speed)
  times = np.array([0.0, 1.0, 7.0])
  np.testing.assert_allclose(curve.output_s(times), times / speed)
