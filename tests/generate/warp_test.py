import cv2
import numpy as np
import pytest

from speedflow.generate.warp import Warper

GRID = 8


@pytest.fixture
def scene():
  """A bright square of a quarter of the side on a dark ground, 64 pixels."""
  image = np.full((64, 64, 3), 40, np.uint8)
  image[24:40, 8:24] = 220
  trajectories = np.zeros((GRID, GRID, 2))
  trajectories[3:5, 1:3, 0] = 0.5  # The square goes half a side to the right.
  return image, trajectories


def test_without_ways_the_picture_comes_back(scene):
  image, trajectories = scene
  still = Warper(image, GRID).frame(np.zeros_like(trajectories)[None])
  np.testing.assert_array_equal(still, image)


def test_a_body_arrives_whole_and_the_ground_closes_behind_it(scene):
  image, trajectories = scene
  moved = Warper(image, GRID).frame(trajectories[None])[..., 0].astype(int)
  assert np.abs(moved[26:38, 42:54] - 220).max() <= 2
  assert np.abs(moved[26:38, 10:22] - 40).max() <= 10
  # Its outline stays where it belongs.
  assert np.abs(moved[24:40, :38] - 40).max() <= 10
  assert np.abs(moved[:22] - 40).max() <= 2


def test_the_body_that_goes_further_covers_the_other(scene):
  image, trajectories = scene
  image[24:40, 40:56] = (220, 0, 0)  # Stands in the way.
  moved = Warper(image, GRID).frame(trajectories[None])
  assert np.abs(moved[28:36, 44:52].astype(int) - 220).max() <= 2


def test_a_shift_of_everything_is_a_shift():
  rng = np.random.default_rng(0)
  image = cv2.GaussianBlur(
    rng.integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 2
  )
  trajectories = np.full((1, GRID, GRID, 2), (8 / 64, -4 / 64))
  moved = Warper(image, GRID).frame(trajectories)
  np.testing.assert_allclose(
    moved[:60, 8:].astype(int), image[4:, :56].astype(int), atol=1
  )


def test_an_open_shutter_averages_light_along_the_way(scene):
  image, trajectories = scene
  streak = Warper(image, GRID).frame(
    np.stack([0 * trajectories, trajectories])
  )[32, :, 0]
  assert 60 < streak[10] < 220 and 60 < streak[50] < 220


def test_a_finer_picture_moves_alike(scene):
  image, trajectories = scene
  large = cv2.resize(image, (192, 192), interpolation=cv2.INTER_NEAREST)
  one = Warper(image, GRID).frame(trajectories[None]).astype(int)
  other = Warper(large, GRID).frame(trajectories[None])
  small = cv2.resize(other, (64, 64), interpolation=cv2.INTER_AREA)
  assert np.abs(one - small).mean() < 3
