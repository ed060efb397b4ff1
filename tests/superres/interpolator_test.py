"""Pictures between frames of any size, whole or in tiles."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.data import optical_flow
from speedflow.models import superres
from speedflow.superres import interpolator

_CONFIG = superres.SuperResConfig(coarse=(4, 4, 4), fine=(4, 4, 4))


def _net(size):
  """A network of random parameters, as large as this; compiles nothing."""
  return _filled(lambda: superres.SuperResNet(_CONFIG, nnx.Rngs(0)), size)


def _filled(build, size):
  net = nnx.eval_shape(build)
  rng = np.random.default_rng(0)
  params = nnx.state(net, nnx.Param)
  nnx.update(
    net,
    jax.tree.map(lambda x: jnp.array(rng.normal(0, size, x.shape)), params),
  )
  return net


@pytest.fixture(scope="module")
def untrained():
  return interpolator.FrameInterpolator(_net(0.0))


def _sliding(height, width, right):
  """A texture that lies `right` pixels further right."""
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (height, width + 64, 3), np.uint8)
  noise = cv2.GaussianBlur(noise, (0, 0), 3)
  noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
  return np.ascontiguousarray(noise[:, 32 - right : 32 - right + width])


@pytest.mark.parametrize("size", [(64, 96), (61, 83)])
def test_a_known_velocity_is_divided_evenly(untrained, size):
  frames = [_sliding(*size, right) for right in (0, 8)]
  made = untrained.between(*frames, [0.25, 0.5])
  for picture, right in zip(made, (2, 4), strict=True):
    assert picture.image.shape == (*size, 3)
    wanted = _sliding(*size, right).astype(float)
    inner = np.s_[:, 12:-12]
    assert np.abs(picture.image[inner] - wanted[inner]).mean() < 3.0


def test_every_pixel_has_an_uncertainty(untrained):
  frames = [_sliding(61, 83, right) for right in (0, 8)]
  (picture,) = untrained.between(*frames, [0.5])
  assert picture.uncertainty.shape == (31, 42)


def test_sixteen_bits_are_kept(untrained):
  frames = [_sliding(64, 96, right) for right in (0, 8)]
  (coarse,) = untrained.between(*frames, [0.25])
  fine = [frame.astype(np.uint16) * 257 for frame in frames]
  (made,) = untrained.between(*fine, [0.25])
  assert made.image.dtype == np.uint16
  np.testing.assert_allclose(made.image / 257, coarse.image, atol=0.51)
  assert len(np.unique(made.image)) > 256


@pytest.mark.slow
def test_one_program_and_many_make_the_same_picture(monkeypatch):
  net = _net(0.1)
  frames = [_sliding(32, 48, right) for right in (0, 4)]
  many = interpolator.FrameInterpolator(net)
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  one = interpolator.FrameInterpolator(net)
  made = [next(machine.between(*frames, [0.4], 0.7)) for machine in (many, one)]
  difference = made[0].image.astype(int) - made[1].image
  assert np.abs(difference).max() <= 1
  np.testing.assert_allclose(
    made[0].uncertainty, made[1].uncertainty, rtol=1e-3, atol=1e-3
  )


def test_tiles_leave_no_seam():
  net = _net(0.1)
  frames = [_sliding(30, 700, right) for right in (0, 4)]
  whole, tiled = (
    next(interpolator.FrameInterpolator(net, largest).between(*frames, [0.5]))
    for largest in (2**20, 14_000)
  )
  difference = np.abs(whole.image.astype(int) - tiled.image)
  assert difference.max() <= 1
  np.testing.assert_allclose(
    whole.uncertainty, tiled.uncertainty, rtol=1e-3, atol=1e-3
  )


@pytest.mark.parametrize("count", [2, 3])
def test_strips_leave_no_seam(count):
  net = _net(0.2)
  frames = [_sliding(400, 30, right) for right in (0, 4)]
  whole, parted = (
    next(
      interpolator.FrameInterpolator(net, 2**20, largest).between(
        *frames, [0.5], 0.7
      )
    )
    for largest in (2**20, 400 * 32 // count)
  )
  difference = np.abs(whole.image.astype(int) - parted.image)
  assert difference.max() <= 1
  np.testing.assert_allclose(
    whole.uncertainty, parted.uncertainty, rtol=1e-4, atol=1e-9
  )


def test_a_fall_is_not_even(untrained):
  frames = [_sliding(64, 96, right) for right in (0, 0, 6, 18)]
  before, first, second, after = frames
  wanted = _sliding(64, 96, 2).astype(float)  # And 3 if it were even.
  sides = [interpolator.Neighbour(each) for each in (before, after)]
  inner = np.s_[:, 24:-24]
  off, near = (
    np.abs(next(made).image[inner] - wanted[inner]).mean()
    for made in (
      untrained.between(first, second, [0.5]),
      untrained.between(first, second, [0.5], 0.0, *sides),
    )
  )
  assert near < off


def test_blur_is_undone_along_the_motion(untrained):
  wide = [_sliding(64, 96, right).astype(float) for right in range(-4, 13)]
  frames = [
    np.rint(np.mean(wide[k : k + 9], 0)).astype(np.uint8) for k in (0, 8)
  ]
  inner = np.s_[:, 16:-16]
  left, undone = (
    np.abs(untrained.window(frames, [0.5], exposure)[0] - wide[8])[inner].mean()
    for exposure in (None, 1.0)
  )
  assert undone < 0.9 * left


def test_the_flow_of_a_pair_is_computed_once(monkeypatch):
  counted = []
  search = optical_flow.FlowEstimator.both_ways

  def count(self, first, second):
    counted.append((first, second))
    return search(self, first, second)

  monkeypatch.setattr(optical_flow.FlowEstimator, "both_ways", count)
  machine = interpolator.FrameInterpolator(_net(0.0))
  frames = [_sliding(32, 48, 2 * k) for k in range(6)]
  machine.window(frames, [k + 0.5 for k in range(5)])
  assert len(counted) == 5


def test_times_are_counted_in_intervals(untrained):
  frames = [_sliding(64, 96, right) for right in (0, 4, 8)]
  made = untrained.window(frames, [0, 1, 2])
  for picture, frame in zip(made, frames, strict=True):
    np.testing.assert_allclose(picture, frame, atol=1)
  (between,) = untrained.window(frames, [1.5])
  before = interpolator.Neighbour(frames[0])
  (alone,) = untrained.between(*frames[1:], [0.5], 0.0, before)
  np.testing.assert_array_equal(between, alone.image)
