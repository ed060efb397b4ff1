import cv2
import numpy as np
import pytest

from speedflow.data import motion
from speedflow.estimate import telling

CLIP = 20


def _maps(frames):
  return motion.MotionMapper().along(frames)


def _blob(positions):
  """A bright body on a textured ground, at each of the places."""
  rng = np.random.default_rng(0)
  ground = rng.integers(60, 120, (96, 128), np.uint8)
  frames = []
  for x in positions:
    frame = ground.copy()
    frame[30:54, round(x) : round(x) + 24] = 220
    frames.append(frame)
  return frames


def test_a_falling_or_swinging_body_tells():
  swing = 50 + 30 * np.sin(np.arange(CLIP) / 3)
  assert telling.tells_speed(_maps(_blob(swing)))


def test_a_still_picture_neither_moves_nor_tells():
  maps = _maps(_blob([40] * CLIP))
  assert not telling.moves(maps)
  assert not telling.tells_speed(maps)


@pytest.mark.parametrize("height", [96, 240])
def test_white_noise_does_not(height):
  rng = np.random.default_rng(1)
  size = (CLIP, height, height * 4 // 3)
  noise = [motion.to_flow_size(x) for x in rng.integers(0, 256, size, np.uint8)]
  assert not telling.tells_speed(_maps(noise))


def test_flicker_does_not():
  levels = np.random.default_rng(2).integers(60, 200, CLIP)
  frames = [np.full(motion.FRAME_SIZE, level, np.uint8) for level in levels]
  maps = _maps(frames)
  assert telling.moves(maps)
  assert not telling.tells_speed(maps)


@pytest.mark.parametrize("step", [0.1, 0.15, 0.3])
def test_a_pattern_that_drifts_evenly_does_not(step):
  y, x = np.mgrid[:96, :128] / 12.0
  frames = [
    (127 + 60 * (np.sin(x - t * step) + np.sin(y - t * step))).astype(np.uint8)
    for t in range(CLIP)
  ]
  maps = _maps(frames)
  assert telling.moves(maps)
  assert not telling.tells_speed(maps)


def _cartoon(ground=None):
  """Flat shapes, one of which jumps; on a ground of its own."""
  frames = []
  for number in range(CLIP):
    frame = np.full(motion.FRAME_SIZE, 180, np.uint8)
    if ground is not None:
      frame[:] = ground
    frame[72:] = 90
    centre = (20 + 4 * number, 60 - round(30 * abs(np.sin(number / 4))))
    cv2.circle(frame, centre, 12, 30, -1, cv2.LINE_AA)
    frames.append(frame)
  return frames


def test_flat_shapes_are_drawn():
  frames = _cartoon()
  assert telling.tells_speed(_maps(frames))
  assert telling.drawn(frames)


def test_shapes_on_a_textured_ground_may_be_filmed():
  rng = np.random.default_rng(3)
  assert not telling.drawn(_cartoon(rng.integers(60, 120, (96, 128), np.uint8)))


def test_bars_and_night_are_not_drawn():
  rng = np.random.default_rng(4)
  filmed = _blob(50 + 30 * np.sin(np.arange(CLIP) / 3))
  for frame in filmed:
    # A picture filmed upright, between wide bars.
    frame[:, :45], frame[:, -45:] = 0, 0
  assert not telling.drawn(filmed)
  night = rng.integers(0, 4, (CLIP, *motion.FRAME_SIZE), np.uint8)
  assert not telling.drawn(list(night))
