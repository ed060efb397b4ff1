"""The network: what it may depend on, and what not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.models import motion_net

_CONFIG = motion_net.MotionNetConfig(width=8, dilations=(2,), hidden=16)


@pytest.fixture
def make(random_net):
  """Gives `make(width=16, ...)`, a network of slightly changed sizes."""
  return lambda **changes: random_net(dataclasses.replace(_CONFIG, **changes))


@nnx.jit
def _logits(net, maps, length, rng=None):
  return net(maps, length, rng)


@pytest.fixture
def clips():
  """Maps [3, 20, 12, 16, 8] of 20, 11 and 8 frames, and these lengths."""
  rng = np.random.default_rng(1)
  maps = rng.normal(0, 2, (3, 20, 12, 16, 8)).astype(np.float32)
  maps[..., 2:] = np.abs(maps[..., 2:])
  return jnp.asarray(maps), jnp.array([20, 11, 8])


def test_logits_are_one_distribution_per_clip(clips, make):
  logits = _logits(make(), *clips)
  assert logits.shape == (3, 41)
  assert logits.dtype == jnp.float32
  assert np.ptp(logits, axis=0).min() > 0  # The clips do differ.


def test_padding_changes_nothing(clips, make):
  maps, length = clips
  net = make()
  expected = _logits(net, maps, length)
  padding = jnp.arange(20) >= length[:, None]
  garbage = jnp.where(padding[:, :, None, None, None], 77.0, maps)
  np.testing.assert_allclose(_logits(net, garbage, length), expected, atol=1e-4)
  # Cut to the second clip's length, 11, it needs no padding at all.
  cut = _logits(net, maps[:, :11], jnp.minimum(length, 11))
  np.testing.assert_allclose(cut[1:], expected[1:], atol=1e-4)


def test_clips_of_a_batch_do_not_see_each_other(clips, make):
  maps, length = clips
  net = make()
  others = maps.at[1:].multiply(-3.0)
  np.testing.assert_allclose(
    _logits(net, others, length)[0], _logits(net, maps, length)[0], atol=1e-4
  )


def test_the_order_of_the_frames_matters(clips, make):
  maps, length = clips
  net = make()
  shuffled = maps[:, np.random.default_rng(0).permutation(20)]
  difference = _logits(net, shuffled, length) - _logits(net, maps, length)
  assert np.abs(difference[0]).max() > 1e-3


def test_half_precision_is_close_to_single(clips, make):
  single = _logits(make(), *clips)
  half = _logits(make(dtype=jnp.bfloat16), *clips)
  assert half.dtype == jnp.float32
  np.testing.assert_allclose(half, single, atol=0.05 * np.ptp(single))


@nnx.jit
def _gradients(net, maps, length):
  return nnx.value_and_grad(lambda net: (net(maps, length) ** 2).sum())(net)


def test_recomputing_saves_memory_and_changes_nothing(clips, make):
  plain, thrifty = make(), make(remat=True)
  expected = _gradients(plain, *clips)
  found = _gradients(thrifty, *clips)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    found,
    expected,
  )


@pytest.mark.parametrize("still", [False, True])
def test_every_parameter_has_a_finite_gradient(clips, still, make):
  maps, length = clips
  _, gradients = _gradients(make(), maps * (not still), length)
  leaves = jax.tree.leaves(gradients)
  assert all(np.isfinite(leaf).all() for leaf in leaves)
  assert still or all(np.abs(leaf).max() > 0 for leaf in leaves)


def test_dropout_is_for_training_only(clips, make):
  net = make(dropout=0.5)
  np.testing.assert_array_equal(_logits(net, *clips), _logits(net, *clips))
  first, second = (_logits(net, *clips, jax.random.key(i)) for i in range(2))
  assert np.abs(first - second).max() > 1e-3


def test_relative_flow_does_not_depend_on_the_zoom(clips):
  maps, _ = clips
  zoomed = maps.at[..., :4].multiply(3.0)
  mask = jnp.ones(maps.shape[:2])
  near, far = (motion_net.encode_maps(x, mask)[..., 8:] for x in (zoomed, maps))
  np.testing.assert_allclose(near, far, atol=1e-2)


def test_patches_are_squares_of_cells():
  maps = jnp.arange(12 * 16).reshape(1, 1, 12, 16, 1)
  patches = motion_net.to_patches(maps, 4)
  assert patches.shape == (1, 1, 12, 16)
  np.testing.assert_array_equal(
    patches[0, 0, 5].reshape(4, 4), maps[0, 0, 4:8, 4:8, 0]
  )


def test_the_mean_of_a_sharp_distribution_is_its_place():
  logits = 100.0 * jax.nn.one_hot(jnp.array([0, 20, 40]), 41)
  np.testing.assert_allclose(
    motion_net.expectation(logits, _CONFIG.centres), [-6, -1, 4], atol=1e-4
  )
