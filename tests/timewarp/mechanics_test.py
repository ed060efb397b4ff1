"""Laws of motion."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import mechanics

_FEW = settings(max_examples=25, deadline=None)
_SEEDS = st.integers(0, 2**32 - 1)


def _ball(seed: int, seconds: float = 6.0) -> mechanics.Flight:
  return mechanics.bouncing_ball(
    np.random.default_rng(seed),
    seconds,
    radius=0.1,
    floor=1.0,
    wall=1.5,
    highest=2.0,
  )


def _motions() -> dict[str, mechanics.Motion]:
  rng = np.random.default_rng(0)
  cart = mechanics.Pacing(speed=1.3, reach=40.0, omega=0.4)
  thigh = mechanics.Swing(cart, 0.5, 0.4, omega=6.0)
  return {
    "fan": mechanics.Pacing(x=1.0, y=2.0, omega=-5.0),
    "cart": cart,
    "wheel": mechanics.Mounted(cart, (0.2, 0.1), roll=5.0),
    "thigh": thigh,
    "shank": mechanics.Swing(thigh, 0.4, 0.5, omega=6.0, phase=-0.6),
    "camera": mechanics.Sway.sample(rng, pan=0.5, shake=0.02),
  }


@pytest.mark.parametrize("name", _motions())
@pytest.mark.parametrize("time_s", [0.0, 0.37, 5.1])
def test_velocity_is_the_derivative_of_the_pose(name, time_s):
  motion, small = _motions()[name], 1e-5
  before = np.array(motion.pose(time_s - small)[:3])
  after = np.array(motion.pose(time_s + small)[:3])
  derivative = (after - before) / (2 * small)
  np.testing.assert_allclose(derivative, motion.pose(time_s)[3:], atol=1e-4)


@_FEW
@given(_SEEDS)
def test_a_ball_in_the_air_falls_at_one_g(seed):
  ball = _ball(seed)
  starts = ball.arcs[:, 0]
  longest = np.diff(starts).argmax()
  middle = starts[longest : longest + 2].mean()
  step = np.diff(starts)[longest] / 4
  heights = [ball.pose(middle + k * step).y for k in (-1, 0, 1)]
  acceleration = np.diff(heights, 2)[0] / step**2
  in_the_air = ball.arcs[longest, 8] > 0
  assert acceleration == pytest.approx(9.81 if in_the_air else 0.0, abs=1e-6)


@_FEW
@given(_SEEDS)
def test_a_ball_jumps_nowhere_and_stays_between_floor_and_walls(seed):
  ball = _ball(seed)
  for start in ball.arcs[1:, 0]:
    before, after = ball.pose(start - 1e-9), ball.pose(start)
    assert np.hypot(after.x - before.x, after.y - before.y) < 1e-6
    assert after.angle == pytest.approx(before.angle, abs=1e-6)
  poses = np.array([ball.pose(t) for t in np.linspace(0, 6, 500)])
  assert poses[:, 1].max() <= 0.9 + 1e-9  # Floor less radius.
  assert np.abs(poses[:, 0]).max() <= 1.5 + 1e-9


@_FEW
@given(_SEEDS)
def test_impacts_happen_on_the_floor_at_the_speed_of_the_ball(seed):
  ball = _ball(seed)
  for time_s, speed in ball.impacts[ball.impacts[:, 0] < 6.0]:
    before, after = ball.pose(time_s - 1e-9), ball.pose(time_s + 1e-9)
    assert before.y == pytest.approx(0.9, abs=1e-6)
    # Bounces fall, kicks rise.
    assert speed == pytest.approx(max(before.vy, -after.vy), abs=1e-6)


def test_a_resting_ball_is_kicked_up_again():
  ball = _ball(seed=3, seconds=30.0)
  assert np.diff(ball.impacts[:, 0]).max() < 5.0
  assert ball.impacts[-1, 0] > 25.0


@pytest.mark.parametrize("length", [0.3, 1.0])
@pytest.mark.parametrize("amplitude", [0.1, 0.8])
def test_a_free_rod_swings_as_the_equation_of_motion_says(length, amplitude):
  rod = mechanics.Swing.free(
    mechanics.Pacing(), length, amplitude, phase=np.pi / 2
  )
  # theta'' = -(3 g / 2 l) sin theta.
  solution = scipy.integrate.solve_ivp(
    lambda _, s: [s[1], -1.5 * 9.81 / length * np.sin(s[0])],
    (0, 3),
    [amplitude, 0],
    rtol=1e-9,
    events=lambda _, s: s[0],
  )
  period = 2 * np.diff(solution.t_events[0]).mean()
  assert 2 * np.pi / rod.omega == pytest.approx(period, rel=2e-3)


def test_a_pacing_body_turns_at_its_reach():
  cart = mechanics.Pacing(x=0.5, speed=2.0, reach=1.0)
  times = [0.0, 0.25, 0.75, 1.25, 2.0]
  np.testing.assert_allclose(
    [cart.pose(t).x for t in times], [0.5, 1.0, 0.0, -1.0, 0.5], atol=1e-12
  )
  assert cart.pose(0.5).vx == -2.0 and cart.pose(1.5).vx == 2.0


def test_wheels_roll_without_slipping():
  cart = mechanics.Pacing(speed=1.5, reach=2.0)
  wheel = mechanics.Mounted(cart, (0.3, 0.2), roll=1 / 0.25)
  for time_s in (0.3, 1.9):
    pose = wheel.pose(time_s)
    assert pose.vx == pytest.approx(pose.omega * 0.25)


def test_the_end_of_a_rod_is_twice_as_far_as_its_centre():
  rod = mechanics.Swing(mechanics.Pacing(), 0.8, 0.5, omega=3.0)
  centre, end = rod.pose(0.4), rod.anchor(0.4)
  np.testing.assert_allclose([end.x, end.y], [2 * centre.x, 2 * centre.y])
  assert np.hypot(end.x, end.y) == pytest.approx(0.8)
