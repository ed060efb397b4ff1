import numpy as np
import pytest

from speedflow.data import motion
from speedflow.inference import telling

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
