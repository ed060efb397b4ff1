"""Labels of speed, fake frame rates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import labels


def test_frames_of_240_fps_shown_at_30_are_three_octaves_slow():
  assert labels.step_to_speed(-3.0, fps=30) == -3
  assert labels.step_to_speed(0.0, fps=60) == 1
  np.testing.assert_allclose(
    labels.step_to_speed(0.0, np.array([30, 60, 120])), [0, 1, 2]
  )


@settings(max_examples=50, deadline=None)
@given(st.floats(-6, 6), st.floats(1, 10000))
def test_step_and_speed_convert_both_ways(step, fps):
  speed = labels.step_to_speed(step, fps)
  assert labels.speed_to_step(speed, fps) == pytest.approx(step, abs=1e-9)


@pytest.mark.parametrize("fps", [0, -30, float("nan")])
def test_an_unknown_rate_has_no_speed(fps):
  with pytest.raises(ValueError, match="positive"):
    labels.step_to_speed(0.0, fps)


@pytest.mark.parametrize("times", [[], [0, 1, 1], [0, 2, 1], [[0, 1]]])
def test_time_stamps_must_increase(times):
  with pytest.raises(ValueError, match="increasing"):
    labels.drop_duplicates([1, 2], times)


def _video(positions, noise: float, seed: int = 0) -> np.ndarray:
  """A textured square at each x position (px) before a textured wall."""
  rng = np.random.default_rng(seed)
  wall = rng.integers(60, 120, (72, 96)).astype(np.float64)
  square = rng.integers(150, 250, (12, 12)).astype(np.float64)
  video = []
  for x in np.round(positions).astype(int):
    frame = wall.copy()
    frame[30:42, x : x + 12] = square
    frame += noise * rng.normal(size=frame.shape)  # Stands for codec noise.
    video.append(np.clip(frame, 0, 255).astype(np.uint8))
  return np.stack(video)


def _deduplicate(video: np.ndarray, fps: float) -> labels.Deduplicated:
  changes = [labels.frame_change(a, b) for a, b in itertools.pairwise(video)]
  return labels.drop_duplicates(changes, np.arange(len(video)) / fps)


@pytest.mark.parametrize("repeats", [2, 3, 4, 5])
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_repeated_frames_are_dropped_despite_noise(repeats, noise):
  positions = np.repeat(2 + 4 * np.arange(18), repeats)
  found = _deduplicate(_video(positions, noise), fps=30)
  assert found.indices.tolist() == list(range(0, len(positions), repeats))
  assert found.fps == pytest.approx(30 / repeats)


def test_unsteady_motion_hides_no_repeats():
  rng = np.random.default_rng(0)
  true = np.exp2(rng.uniform(2.5, 4.4, 199))  # Of true frames, grey levels.
  changes = np.zeros(2 * len(true) + 1)
  changes[1::2] = true
  found = labels.drop_duplicates(changes, np.arange(400) / 60)
  assert len(found.indices) == 200
  assert found.fps == pytest.approx(30, rel=0.01)
  # Without repeats, as unsteady motion loses nothing.
  kept = labels.drop_duplicates(true, np.arange(200) / 30)
  assert len(kept.indices) == 200


def test_pulldown_from_24_to_30_is_undone():
  source = np.arange(40) * 4 // 5  # Every fifth frame is a repeat.
  found = _deduplicate(_video(2 + 2 * source, noise=1.0), fps=30)
  assert found.fps == pytest.approx(24, rel=0.02)
  assert len(np.unique(source)) == len(found.indices)


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_a_static_video_is_not_a_repeated_one(noise):
  found = _deduplicate(_video(np.full(60, 30), noise), fps=25)
  assert found.indices.tolist() == list(range(60))
  assert found.fps == pytest.approx(25)


def test_smooth_motion_keeps_all_its_frames():
  pendulum = 42 + 38 * np.sin(2 * np.pi * np.arange(90) / 33)
  assert len(_deduplicate(_video(pendulum, 1.0), 30).indices) == 90


def test_a_pause_is_no_repeat():
  positions = np.concatenate(
    [2 + 3 * np.arange(12), np.full(20, 35), 38 + 3 * np.arange(12)]
  )
  assert len(_deduplicate(_video(positions, 0.5), 30).indices) == len(positions)


def test_a_cut_hides_no_motion_and_is_no_motion():
  changes = np.full(40, 20.0)
  changes[20] = 200.0
  assert len(labels.drop_duplicates(changes, np.arange(41)).indices) == 41


def test_one_frame_has_no_rate():
  found = labels.drop_duplicates([], [0.0])
  assert found.indices.tolist() == [0] and found.fps == 0.0


def test_changes_must_fit_the_times():
  with pytest.raises(ValueError, match="3 changes do not fit 3"):
    labels.drop_duplicates([1, 2, 3], [0, 1, 2])
