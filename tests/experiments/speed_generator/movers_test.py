import numpy as np
import pytest

from experiments.speed_generator import dataset, movers

LOG2_SPEEDS = (-2.0, 0.0, 1.5)


def film(seed, log2_step, frames=8):
  scene = dataset.World("mover", seed).scene(32, 3.0)
  return scene, dataset.film(scene, np.full(frames, log2_step), 0.5, 0.0)


def test_the_speed_of_filmed_movers_is_read_off_their_frames():
  errors = [
    movers.measured_log2_speed(*film(seed, log2), fps=30.0) - log2
    for seed in range(10)
    for log2 in LOG2_SPEEDS
  ]
  assert 2 ** np.median(np.abs(errors)) < 1.1


def test_played_at_another_rate_they_play_at_another_speed():
  scene, clip = film(0, 0.0)
  one, two = (movers.measured_log2_speed(scene, clip, f) for f in (30, 60))
  assert two - one == pytest.approx(1.0)


def test_what_stands_still_or_goes_back_has_no_speed():
  scene, clip = film(0, 0.0)
  still = np.repeat(clip[:1], 8, 0)
  empty = np.zeros_like(clip) + scene.frame(0.0)
  for wrong in (still, empty, clip[::-1]):
    assert np.isnan(movers.measured_log2_speed(scene, wrong, 30.0))


def test_a_blemish_does_not_count_as_motion():
  scene, clip = film(0, 0.0)
  expected = movers.measured_log2_speed(scene, clip, 30.0)
  clip = clip.copy()
  clip[4:, :4, :4] = 255
  blemished = movers.measured_log2_speed(scene, clip, 30.0)
  assert blemished == pytest.approx(expected, abs=0.1)


def test_all_movers_go_alike_whichever_way():
  ways = []
  for seed in range(20):
    pose = dataset.World("mover", seed).scene(32, 3.0).bodies[0].motion.pose(0)
    assert np.hypot(pose.vx, pose.vy) == pytest.approx(movers.CROSSING_SPEED)
    ways.append((pose.vx, pose.vy))
  assert np.all(np.abs(np.mean(ways, 0)) < 0.25)
