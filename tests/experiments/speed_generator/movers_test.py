import cv2
import numpy as np
import pytest

from experiments.speed_generator import dataset, movers
from speedflow.data import tracks

LOG2_SPEEDS = (-2.0, 0.0, 1.5)


def film(seed, log2_step, frames=8):
  scene = dataset.World("mover", seed).scene(32)
  return scene, movers.film(scene, np.full(frames, log2_step), 0.5)


def test_the_first_frame_is_sharp_and_the_rest_blurred():
  scene, fast = film(1, 2.0, frames=3)
  np.testing.assert_array_equal(fast[0], scene.frame(0.0))
  sharp = movers.film(scene, np.full(3, 2.0), 0.0)
  assert np.any(fast[1] != sharp[1])


def test_ramps_reach_the_frames_they_are_told_for():
  scene = dataset.World("mover", 1).scene(32)
  clip = movers.film(scene, np.array([2.0, -3.0, -3.0, 0.0]), 0.0)
  seconds = np.array([0.0, 4.0, 4.125, 4.25]) / 30
  np.testing.assert_array_equal(clip, [scene.frame(s) for s in seconds])


def test_points_on_the_body_go_its_way_and_all_others_rest():
  scene = dataset.World("mover", 2).scene()
  half, whole = movers.trajectories(scene, 0.0, np.array([0.5, 1.0]))
  gone = np.linalg.norm(whole, axis=-1)
  body = gone > 0
  assert 0.01 < body.mean() < 0.2
  np.testing.assert_allclose(gone[body], movers.CROSSING_SPEED, rtol=1e-5)
  np.testing.assert_allclose(whole, 2 * half, atol=1e-6)


def test_ways_lead_where_the_same_colours_are():
  """In worlds of turning bodies and panning cameras, too."""
  points = tracks.grid_points() * 64 - 0.5
  followed, stayed = [], []
  for seed in range(10):
    scene = dataset.World("physics", seed).scene()
    (trajectories,) = movers.trajectories(scene, 0.2, np.array([0.25]))
    before, after = (
      cv2.GaussianBlur(np.float32(scene.frame(t)), (3, 3), 0)
      for t in (0.2, 0.25)
    )
    goals = points + 64 * trajectories
    moving = np.any(np.abs(64 * trajectories) > 0.5, -1)
    moving &= np.all((goals > 0) & (goals < 63), -1)
    first, there, here = (
      cv2.remap(picture, *np.float32(place.T), cv2.INTER_LINEAR)
      for picture, place in (
        (before, points[moving]),
        (after, goals[moving]),
        (after, points[moving]),
      )
    )
    followed.extend(np.abs(there - first).ravel())
    stayed.extend(np.abs(here - first).ravel())
  assert np.mean(followed) < 0.6 * np.mean(stayed)


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
  velocities = []
  for seed in range(20):
    pose = dataset.World("mover", seed).scene(32).bodies[0].motion.pose(0)
    assert np.hypot(pose.vx, pose.vy) == pytest.approx(movers.CROSSING_SPEED)
    velocities.append((pose.vx, pose.vy))
  assert np.all(np.abs(np.mean(velocities, 0)) < 0.25)
