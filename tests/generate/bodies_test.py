import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

from speedflow.generate.bodies import keep_together

BODY = np.zeros((16, 16), bool)
BODY[4:8, 2:6] = True


@pytest.fixture
def sheared():
  """A body whose points are not quite at one, before a still ground."""
  rng = np.random.default_rng(0)
  trajectories = np.zeros((1, 4, 16, 16, 2), np.float32)
  trajectories[:, :, BODY] = rng.normal((0.9, 0.3), 0.2, (16, 2))
  return trajectories


def test_a_body_holds_together_and_keeps_its_pace(sheared):
  before, after = sheared[0, 0, BODY], keep_together(sheared)[0, 0, BODY]
  assert after.std(0).max() < 0.3 * before.std(0).min()
  np.testing.assert_allclose(after.mean(0), before.mean(0), rtol=0.15)


def test_the_ground_is_not_dragged_along(sheared):
  assert np.abs(keep_together(sheared)[0, :, ~BODY]).max() < 0.02


def test_points_at_an_outline_that_hesitate_go_with_the_body(sheared):
  sheared[:, :, 4:8, 5] *= 0.5
  after = keep_together(sheared)[0, 0]
  np.testing.assert_allclose(after[4:8, 5], after[4:8, 3], rtol=0.15)


def test_two_bodies_that_pass_each_other_stay_two(sheared):
  sheared[:, :, 4:8, 6:10] = -sheared[:, :, 4:8, 2:6]
  after = keep_together(sheared)[0, 0]
  assert after[4:8, 2:6, 0].min() > 0.5
  assert after[4:8, 6:10, 0].max() < -0.5


trajectories = arrays.arrays(
  np.float32,
  (1, 2, 4, 4, 2),
  elements=strategies.floats(-2, 2, width=32),
)


@hypothesis.given(trajectories)
@hypothesis.settings(max_examples=25, deadline=None)
def test_nothing_goes_further_than_before_and_sides_do_not_matter(given):
  after = keep_together(given)
  slack = 1e-4
  assert after.max() <= given.max() + slack
  assert after.min() >= given.min() - slack
  np.testing.assert_allclose(
    keep_together(given[:, :, ::-1, ::-1]), after[:, :, ::-1, ::-1], atol=1e-4
  )


@hypothesis.given(strategies.floats(-3, 3), strategies.floats(-3, 3))
@hypothesis.settings(max_examples=10, deadline=None)
def test_a_view_that_moves_as_one_is_left_alone(x, y):
  given = np.broadcast_to(np.float32([x, y]), (1, 2, 4, 4, 2))
  np.testing.assert_allclose(keep_together(given), given, atol=1e-5)
