"""Planes and phases, against NumPy and OpenCV."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from speedflow.data import optical_flow
from speedflow.models import planes


def _picture(channels=3, height=32, width=48):
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (height, width, channels), np.uint8)
  return cv2.GaussianBlur(image, (0, 0), 2).reshape(height, width, channels)


def _flow():
  flow = np.random.default_rng(1).normal(0, 40, (32, 48, 2))
  return cv2.GaussianBlur(flow.astype(np.float32), (0, 0), 4)


def _planes(image):
  return planes.of_image(jnp.array(image[None], jnp.float32))


def test_a_phase_holds_every_other_pixel():
  x = _planes(_picture())
  phases = planes.part(x)
  for row in range(2):
    for column in range(2):
      np.testing.assert_array_equal(
        phases[:, :, row, column], x[:, :, row::2, column::2]
      )
  np.testing.assert_array_equal(planes.join(phases), x)
  np.testing.assert_array_equal(planes.to_image(x)[0], _picture())


def test_halving_takes_means():
  image = _picture()
  wanted = cv2.resize(
    image.astype(np.float32), (24, 16), interpolation=cv2.INTER_AREA
  )
  halved = planes.to_image(planes.halve(_planes(image)))[0]
  np.testing.assert_allclose(halved, wanted, atol=1e-3)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_enlarging_is_bilinear(factor):
  x = _planes(_picture())
  b, c, h, w = x.shape
  wanted = jax.image.resize(x, (b, c, factor * h, factor * w), "bilinear")
  np.testing.assert_allclose(planes.enlarge(x, factor), wanted, atol=1e-3)


def test_warping_agrees_with_opencv():
  image, flow = _picture().astype(np.float32), _flow()
  ours = planes.to_image(planes.warp(jnp.array(image[None]), _planes(flow)))[0]
  theirs = optical_flow.warp(image, flow)
  # OpenCV rounds places to 1/32 of a pixel.
  np.testing.assert_allclose(ours, theirs, atol=3.0)
  assert np.abs(ours - theirs).mean() < 0.5


@pytest.mark.parametrize("warp", [planes.warp, planes.warp_sharply])
def test_phases_of_flow_fetch_the_phases_of_the_picture(warp):
  image, flow = jnp.array(_picture()[None], jnp.float32), _planes(_flow())
  np.testing.assert_allclose(
    planes.join(warp(image, planes.part(flow))), warp(image, flow), atol=1e-3
  )


def test_warping_sharply_is_nearer_to_a_fine_texture_between_pixels():
  # A wave of 5 pixels, moved by half a pixel.
  wave = np.sin(2 * np.pi * (np.arange(48) + np.zeros((32, 1))) / 5)
  moved = np.sin(2 * np.pi * (np.arange(48) + 0.5 + np.zeros((32, 1))) / 5)
  image = jnp.array(np.stack([wave] * 3, -1)[None], jnp.float32)
  flow = jnp.zeros((1, 2, 32, 48)).at[:, 0].set(0.5)
  inner = np.s_[0, 0, :, 4:-4]
  linear, sharp = (
    np.abs(fetch(image, flow)[inner] - moved[:, 4:-4]).mean()
    for fetch in (planes.warp, planes.warp_sharply)
  )
  assert sharp < linear / 2


def test_warping_sharply_to_whole_pixels_changes_nothing():
  image = jnp.array(_picture()[None], jnp.float32)
  flow = jnp.zeros((1, 2, 32, 48)).at[:, 0].set(3)
  np.testing.assert_allclose(
    planes.warp_sharply(image, flow), planes.warp(image, flow), atol=1e-3
  )


def test_a_flat_picture_has_no_contrast():
  flat = planes.part(jnp.full((1, 3, 32, 48), 0.3))
  np.testing.assert_allclose(planes.contrast(flat), 0.0, atol=1e-6)
