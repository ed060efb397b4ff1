"""Labels of speed, constant grids, fake frame rates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import labels

_RATES = st.floats(1, 10000)


def test_240_fps_footage_played_at_30_is_three_octaves_slow():
  assert labels.log2_speed(fps=30, capture_fps=240) == -3
  assert labels.log2_step(capture_fps=240) == -3
  assert labels.log2_step(capture_fps=240, factor=8) == 0


@settings(max_examples=50, deadline=None)
@given(_RATES, _RATES, st.floats(1, 64))
def test_step_and_speed_convert_both_ways(fps, capture_fps, factor):
  step = labels.log2_step(capture_fps, factor)
  speed = labels.log2_speed(fps, capture_fps, factor)
  assert labels.step_to_speed(step, fps) == pytest.approx(speed, abs=1e-9)
  assert labels.speed_to_step(speed, fps) == pytest.approx(step, abs=1e-9)
  # Speed is seconds of the world per second of playback.
  assert 2**speed == pytest.approx((factor / capture_fps) * fps)


def test_labels_take_arrays():
  np.testing.assert_allclose(
    labels.log2_speed(30, np.array([30, 60, 120])), [0, -1, -2]
  )


@pytest.mark.parametrize("capture_fps", [0, -30, float("nan")])
def test_an_unknown_capture_rate_has_no_label(capture_fps):
  with pytest.raises(ValueError, match="positive"):
    labels.log2_speed(30, capture_fps)


def test_a_constant_video_is_its_own_grid():
  times = np.arange(50) * 1001 / 30000
  grid = labels.constant_grid(times, 30000 / 1001)
  assert grid.tolist() == list(range(50))


@settings(max_examples=50, deadline=None)
@given(
  st.lists(st.floats(0.005, 0.2), min_size=1, max_size=60), st.floats(5, 120)
)
def test_grid_frames_are_the_nearest_ones(steps, fps):
  times = np.cumsum([1.5, *steps])
  indices = labels.constant_grid(times, fps)
  grid = times[0] + np.arange(len(indices)) / fps
  nearest = np.abs(times[:, None] - grid).min(axis=0)
  np.testing.assert_allclose(np.abs(times[indices] - grid), nearest)
  assert abs(grid[-1] - times[-1]) <= 0.5 / fps + 1e-9
  assert np.diff(indices).min(initial=0) >= 0


def test_halving_the_rate_takes_every_second_frame():
  assert labels.constant_grid(np.arange(9) / 60, 30).tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("times", [[], [0, 1, 1], [0, 2, 1], [[0, 1]]])
def test_time_stamps_must_increase(times):
  with pytest.raises(ValueError, match="increasing"):
    labels.constant_grid(times, 30)


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
