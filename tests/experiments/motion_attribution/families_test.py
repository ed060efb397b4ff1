import numpy as np
import pytest

from experiments.motion_attribution import families, physics
from experiments.speed_generator import dataset, movers
from speedflow.data import tracks
from speedflow.timewarp import mechanics

TIMES = np.arange(17) / 30


def height(family, seed, times):
  (ball,) = families.scene(family, seed).bodies
  return np.array([ball.motion.pose(t).y for t in times])


@pytest.mark.parametrize("seed", range(4))
def test_balls_fall_with_gravity_and_cartoons_do_not(seed):
  before = np.linspace(0, 0.2, 11)
  step = before[1]

  def acceleration(family):
    return np.diff(height(family, seed, before), 2) / step**2

  np.testing.assert_allclose(acceleration("gravity"), mechanics.GRAVITY)
  np.testing.assert_allclose(acceleration("reversed"), -mechanics.GRAVITY)
  assert np.abs(acceleration("hovering")).max() < 4
  assert np.abs(np.diff(height("hovering", seed, before))).max() < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_real_balls_bounce_lower_and_rubber_ones_higher(seed):
  times = np.linspace(0, 2, 400)
  for family, sign in (("gravity", -1), ("rubber", 1)):
    y = height(family, seed, times)
    landed = int(y.argmax())
    rise = y[0] - y[landed:].min()  # Above where it was let go.
    assert np.sign(rise) == sign
    assert y.max() <= families.FLOOR - families.RADIUS + 1e-9


def test_velocities_are_those_of_the_trajectories():
  for family in ("gravity", "rubber", "reversed", "hovering"):
    (ball,) = families.scene(family, 5).bodies
    poses = [ball.motion.pose(t) for t in np.linspace(0, 1.9, 50)]
    later = [ball.motion.pose(t + 1e-6) for t in np.linspace(0, 1.9, 50)]
    slope = [(b.y - a.y) / 1e-6 for a, b in zip(poses, later, strict=True)]
    np.testing.assert_allclose(slope, [p.vy for p in poses], atol=1e-3)


def test_the_instrument_reads_gravity_off_true_trajectories():
  for seed in range(6):
    scene = families.scene("gravity", seed)
    trajectories = movers.trajectories(scene, 0.0, TIMES)
    measured = physics.acceleration(scene, trajectories, TIMES)
    assert measured == pytest.approx(mechanics.GRAVITY, rel=1e-3)
    half = physics.acceleration(scene, trajectories / 2, TIMES)
    assert half == pytest.approx(mechanics.GRAVITY / 2, rel=1e-3)


def test_falls_are_scored_as_they_are_defined():
  true = physics.Falls(np.full((3, 5), mechanics.GRAVITY))
  assert true.physical_error == pytest.approx(0)
  assert true.speed_factor_error == pytest.approx(1)
  # Everything moves alike on the screen, whatever the speed: a speed^2 = g.
  speeds = np.array(physics.SPEEDS)[:, None]
  deaf = physics.Falls(np.repeat(mechanics.GRAVITY / speeds**2, 5, 1))
  assert deaf.speed_factor_error == pytest.approx(2)
  still = physics.Falls(np.zeros((3, 5)))
  assert still.physical_error == pytest.approx(1)


def test_no_two_splits_share_a_scene():
  for family in (*families.PHYSICS, *families.CARTOONS):
    seeds = [set(families.seeds(family, split)) for split in families.COUNTS]
    assert sum(map(len, seeds)) == len(set.union(*seeds))
    assert [len(s) for s in seeds] == [
      counts[family in families.CARTOONS] for counts in families.COUNTS.values()
    ]


def test_records_are_what_the_generator_learns_from(tmp_path, monkeypatch):
  monkeypatch.setattr(
    families, "COUNTS", {"train": (1, 1), "val": (1, 1), "test": (1, 1)}
  )
  assert families.main([str(tmp_path)]) == 0
  source = dataset.FollowedSource(dataset.shards(tmp_path, "train"))
  assert len(source) == 7
  spec = dataset.ClipSpec(knots=4, low=-1.0, high=1.0)
  _, trajectories, _ = source[0].clip(spec, np.random.default_rng(0))
  assert trajectories.shape == (4, tracks.GRID, tracks.GRID, 2)
  assert set(source.ids()) == {
    f"{family}/0" for family in (*families.PHYSICS, *families.CARTOONS)
  }
