"""The network: classical at first, and never free to invent colours."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.data import optical_flow
from speedflow.models import superres

_CONFIG = superres.SuperResConfig(coarse=(4, 4, 4), fine=(4, 4, 4))


def _net(size):
  """A network of random parameters, as large as this; compiles nothing."""
  net = nnx.eval_shape(lambda: superres.SuperResNet(_CONFIG, nnx.Rngs(0)))
  rng = np.random.default_rng(0)
  params = nnx.state(net, nnx.Param)
  nnx.update(
    net,
    jax.tree.map(lambda x: jnp.array(rng.normal(0, size, x.shape)), params),
  )
  return net


@pytest.fixture(scope="module")
def untrained():
  return _net(0.0)


@pytest.fixture(scope="module")
def scrambled():
  """A network of which every parameter is random."""
  return _net(0.1)


def _frames(seed=0):
  """Two smooth pictures and a smooth flow."""
  rng = np.random.default_rng(seed)
  pair = [
    cv2.GaussianBlur(rng.integers(0, 256, (32, 48, 3), np.uint8), (0, 0), 2)
    for _ in range(2)
  ]
  flow = rng.normal(0, 40, (2, 32, 48, 2)).astype(np.float32)
  flow = np.stack([cv2.GaussianBlur(f, (0, 0), 4) for f in flow])
  return np.stack(pair), flow


@nnx.jit
def _synthesise(net, *args):
  return net(*args)


def _run(net, pair, flow, time, exposure=0.0, bend=(0.0, 0.0)):
  bends = np.broadcast_to(np.array(bend, np.float32), flow.shape[1:])
  return _synthesise(
    net,
    jnp.array(pair[None], jnp.float32) / 255,
    jnp.array(flow[None]),
    jnp.array(bends[None]),
    jnp.array([time]),
    jnp.array([exposure]),
  )


@pytest.mark.parametrize("time", [0.25, 0.5, 0.875])
def test_untrained_it_interpolates_classically(untrained, time):
  # Where both flows agree, they are the only path but standing still, which
  # is trusted less the more the frames differ.
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (32, 64, 3), np.uint8)
  wide = cv2.normalize(
    cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX
  )
  pair = np.stack([wide[:, 8:56], wide[:, :48]])
  flow = np.zeros((2, 32, 48, 2), np.float32)
  flow[0, ..., 0], flow[1, ..., 0] = 8, -8
  made = _run(untrained, pair, flow, time).image[0] * 255
  wanted = optical_flow.interpolate(*pair, flow, time)
  inner = np.s_[:, 10:-10]
  assert np.abs(made[inner] - wanted[inner]).mean() < 1.0


def test_what_stands_still_in_moving_surroundings_stays_still(untrained):
  pair, flow = _frames()
  still = np.stack([pair[0], pair[0]])
  flow[0], flow[1] = 6, -6
  made = _run(untrained, still, flow, 0.5).image[0] * 255
  np.testing.assert_allclose(made, pair[0], atol=6.0)
  assert np.abs(made - pair[0]).mean() < 0.5


def test_untrained_it_gives_the_frames_at_their_own_times(untrained):
  pair, flow = _frames()
  for time in (0, 1):
    made = _run(untrained, pair, flow, float(time), 0.7).image[0] * 255
    np.testing.assert_allclose(made, pair[time], atol=1.0)


def test_untrained_a_bent_path_moves_the_picture(untrained):
  rng = np.random.default_rng(0)
  wide = cv2.GaussianBlur(
    rng.integers(0, 256, (48, 80, 3), np.uint8), (0, 0), 2
  )

  def at(x, y):
    return wide[8 - y : 40 - y, 16 - x : 64 - x]

  pair = np.stack([at(0, 0), at(8, 0)])
  flow = np.zeros((2, 32, 48, 2), np.float32)
  flow[0, ..., 0], flow[1, ..., 0] = 8, -8
  made = _run(untrained, pair, flow, 0.5, bend=(0.0, -3.0)).image[0] * 255
  inner = np.s_[8:-8, 12:-12]
  np.testing.assert_allclose(made[inner], at(4, 3)[inner], atol=2.0)


def test_untrained_it_is_symmetric_in_time(untrained):
  pair, flow = _frames()
  there = _run(untrained, pair, flow, 0.3).image
  back = _run(untrained, pair[::-1], flow[::-1], 0.7).image
  np.testing.assert_allclose(there, back, atol=1e-4)


@pytest.mark.parametrize("exposure", [0.0, 0.8, np.nan])
def test_a_flat_picture_stays_flat_whatever_the_parameters(scrambled, exposure):
  pair = np.full((2, 32, 48, 3), (10, 100, 200), np.uint8)
  _, flow = _frames()
  made = _run(scrambled, pair, flow, 0.4, exposure).image[0] * 255
  np.testing.assert_allclose(made, pair[0], atol=1e-2)


def test_a_shutter_of_no_length_reads_nothing_along_the_path(untrained):
  pair, flow = _frames()
  sharp = _run(untrained, pair, flow, 0.5, 0.0)
  blurred = _run(untrained, pair, flow, 0.5, 1.0)
  np.testing.assert_allclose(sharp.image, blurred.image, atol=1e-5)


def test_sharp_frames_give_the_same_picture_with_less_work(scrambled):
  pair, flow = _frames()
  args = (
    jnp.array(pair[None], jnp.float32) / 255,
    jnp.array(flow[None]),
    jnp.zeros((1, *flow.shape[1:])),
    jnp.array([0.4]),
    jnp.array([0.0]),
  )
  short = nnx.jit(lambda net: net(*args, sharp=True))(scrambled)
  whole = _synthesise(scrambled, *args)
  np.testing.assert_allclose(short.image, whole.image, atol=1e-5)


def test_the_uncertainty_is_positive(scrambled):
  made = _run(scrambled, *_frames(), 0.5)
  assert made.uncertainty.shape == (1, 16, 24)
  assert (made.uncertainty > 0).all()


@pytest.mark.slow
def test_nothing_beyond_the_reach_matters(scrambled):
  rng = np.random.default_rng(0)
  side = superres.REACH + 16
  side += -side % superres.GRID
  pair = rng.integers(0, 256, (2, 16, 2 * side, 3), np.uint8)
  flow = np.zeros((2, 16, 2 * side, 2), np.float32)
  other = pair.copy()
  other[:, :, side:] = 0
  one, two = (
    _run(scrambled, p, flow, 0.5).image[0, :, :16] for p in (pair, other)
  )
  np.testing.assert_array_equal(one, two)


def test_frames_that_do_not_fit_the_grid_are_refused(untrained):
  pair, flow = np.zeros((2, 30, 48, 3), np.uint8), np.zeros((2, 30, 48, 2))
  with pytest.raises(ValueError, match="48 x 30; wanted multiples of 16"):
    _run(untrained, pair, flow, 0.5)
