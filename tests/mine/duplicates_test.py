"""The same footage is known again; other footage is not."""

import cv2
import numpy as np
import pytest

from speedflow.mine import duplicates


def _frames(seed, count=6):
  """A smooth random scene that slides."""
  rng = np.random.default_rng(seed)
  coarse = rng.integers(0, 256, (9, 24), np.uint8)
  scene = cv2.resize(coarse, (640, 180), interpolation=cv2.INTER_CUBIC)
  return [scene[:, 30 * i : 30 * i + 320] for i in range(count)]


def _hashes(frames):
  return [duplicates.perceptual_hash(frame) for frame in frames]


def _again(frame):
  """Smaller, brighter, and encoded harder."""
  small = cv2.resize(frame, (200, 112), interpolation=cv2.INTER_AREA)
  bright = cv2.convertScaleAbs(small, alpha=1.1, beta=8)
  data = cv2.imencode(".jpg", bright, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
  return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("seed", range(5))
def test_another_encoding_is_alike_and_shares_a_band(seed):
  frames = _frames(seed)
  first, second = _hashes(frames), _hashes(map(_again, frames))
  assert duplicates.alike(first, second)
  assert set(duplicates.bands(first)) & set(duplicates.bands(second))


def test_a_part_of_a_clip_is_alike():
  hashes = _hashes(_frames(0))
  assert duplicates.alike(hashes, hashes[2:5])


def test_other_scenes_are_not_alike():
  scenes = [_hashes(_frames(seed)) for seed in range(12)]
  assert not any(
    duplicates.alike(a, b) for i, a in enumerate(scenes) for b in scenes[:i]
  )


def test_empty_pictures_share_no_band():
  black = np.zeros((90, 160), np.uint8)
  assert not list(duplicates.bands(_hashes([black])))


def test_nothing_is_alike_to_nothing():
  assert not duplicates.alike([], [1])
