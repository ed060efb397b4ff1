"""Blur of a known path, undone."""

import cv2
import numpy as np
import pytest

from speedflow.superres import motion_blur
from speedflow.timewarp import light


@pytest.fixture
def sharp():
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (48, 96, 3), np.uint8)
  return cv2.normalize(
    cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX
  )


def _path(x):
  return np.broadcast_to(np.array([x, 0], np.float32), (48, 96, 2))


def _blurred(image, shifts):
  total = sum(np.roll(light.to_linear(image), s, 1) for s in shifts)
  return light.from_linear(total / len(shifts))


def test_a_shutter_of_no_length_leaves_the_picture(sharp):
  np.testing.assert_array_equal(motion_blur.undo(sharp, _path(0)), sharp)


def test_blur_along_the_path_is_undone_in_part(sharp):
  blurred = _blurred(sharp, range(-3, 4))
  made = motion_blur.undo(blurred, _path(6.0))
  inner = np.s_[:, 10:-10]
  before, after = (
    np.square(x[inner].astype(float) - sharp[inner]).mean()
    for x in (blurred, made)
  )
  assert after < 0.8 * before


def test_it_is_van_citterts_iteration(sharp):
  # Eight whole pixels are sampled at nine places: one for each.
  linear = light.to_linear(sharp)
  again = np.mean([np.roll(linear, -s, 1) for s in range(-4, 5)], 0)
  wanted = light.from_linear(linear + 0.5 * (linear - again))
  made = motion_blur.undo(sharp, _path(8.0))
  inner = np.s_[:, 8:-8]
  np.testing.assert_allclose(made[inner].astype(int), wanted[inner], atol=1)


def test_deeper_pictures_are_corrected_alike(sharp):
  deep = sharp.astype(np.uint16) * 257
  made = motion_blur.undo(deep, _path(6.0))
  assert made.dtype == np.uint16
  shallow = motion_blur.undo(sharp, _path(6.0))
  np.testing.assert_allclose(made / 257, shallow, atol=0.01)
