"""The network: scenes cancel out, and time may be moved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.models import change_net, change_statistics

_CONFIG = change_net.ChangeNetConfig(
  width=8, patch_dilations=(1,), picture_dilations=(2,)
)


def _filled(config, seed=0):
  """A network without any parameter of zero; compiles nothing."""
  net = nnx.eval_shape(lambda: change_net.ChangeNet(config, nnx.Rngs(0)))
  rng = np.random.default_rng(seed)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.4, x.shape), x.dtype),
    nnx.state(net, nnx.Param),
  )
  nnx.update(net, filled)
  net.eval()
  return net


@pytest.fixture(scope="module")
def net():
  return _filled(_CONFIG)


@nnx.jit
def _run(net, maps, log2_interval, length):
  return net(maps, log2_interval, length)


def _maps(batch, length, seed=1):
  rng = np.random.default_rng(seed)
  maps = rng.normal(0, 2, (batch, length, 12, 16, 8)).astype(np.float32)
  maps[..., 2:] = np.abs(maps[..., 2:])
  return jnp.asarray(maps)


def test_each_moment_has_odds_a_ratio_and_a_positive_spread(net):
  found = _run(net, _maps(2, 30), jnp.zeros((2, 30)), jnp.array([30, 30]))
  assert found.logit.shape == found.log2_ratio.shape == (2, 30)
  assert found.spread.min() > 0


def test_padding_changes_nothing(net):
  maps, length = _maps(1, 40), jnp.array([25])
  found = _run(net, maps, jnp.zeros((1, 40)), length)
  garbage = maps.at[:, 25:].set(77.0)
  again = _run(net, garbage, jnp.zeros((1, 40)), length)
  np.testing.assert_allclose(
    found.logit[:, :25], again.logit[:, :25], atol=1e-4
  )


def test_an_answer_rests_on_its_reach_alone(net):
  length, middle = 70, 35
  reach = _CONFIG.reach
  maps = _maps(1, length)
  far = jnp.abs(jnp.arange(length) - middle) > reach
  other = jnp.where(far[None, :, None, None, None], 3.0, maps)
  regular, count = jnp.zeros((1, length)), jnp.array([length])
  np.testing.assert_allclose(
    _run(net, maps, regular, count).logit[0, middle],
    _run(net, other, regular, count).logit[0, middle],
    atol=1e-4,
  )


@settings(max_examples=8, deadline=None)
@given(shift=st.integers(1, 12), seed=st.integers(0, 99))
def test_moving_the_maps_moves_the_answer(shift, seed):
  net = _filled(_CONFIG)
  maps = _maps(1, 70, seed)
  moved = jnp.roll(maps, shift, axis=1)
  regular, count = jnp.zeros((1, 70)), jnp.array([70])
  found = _run(net, maps, regular, count).logit[0]
  again = _run(net, moved, regular, count).logit[0]
  inner = slice(_CONFIG.reach + shift, 70 - _CONFIG.reach)
  shifted = slice(_CONFIG.reach, 70 - _CONFIG.reach - shift)
  np.testing.assert_allclose(again[inner], found[shifted], atol=2e-3)


def test_frames_that_are_missing_change_no_motion_per_time(net):
  # Every pair from 15 on spans two frames, and says so.
  maps = np.asarray(_maps(1, 30))
  sparse = maps.copy()
  sparse[:, 15:, ..., :4] *= 2
  log2_interval = jnp.zeros((1, 30)).at[:, 15:].set(1.0)
  count = jnp.array([30])
  statistics = [
    change_statistics.change_statistics(
      jnp.concatenate(
        [
          values[..., :4] / 2.0 ** step[:, :, None, None, None],
          values[..., 4:],
        ],
        -1,
      ),
      jnp.ones((1, 30)),
    )
    for values, step in (
      (jnp.asarray(maps), jnp.zeros((1, 30))),
      (jnp.asarray(sparse), log2_interval),
    )
  ]
  np.testing.assert_allclose(*statistics, atol=1e-4)
  assert _run(net, jnp.asarray(sparse), log2_interval, count).logit.shape


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2.0, 8.0])
def test_statistics_measure_the_ratio_of_steady_motion(ratio):
  maps = np.zeros((1, 40, 12, 16, 8), np.float32)
  maps[..., 0] = np.linspace(2, 6, 16)  # A different motion in every column.
  maps[..., 2] = maps[..., 0]
  maps[:, 20:, ..., :3] *= ratio
  found = change_statistics.change_statistics(
    jnp.asarray(maps), jnp.ones((1, 40))
  )
  at_change = np.asarray(found)[0, 20].reshape(
    len(change_statistics.SCALES), -1
  )
  # Of the vectors, of the sizes, and of the typical size; at all scales.
  for column in (0, 3, 5):
    np.testing.assert_allclose(at_change[:, column], np.log2(ratio), atol=0.1)
  # All cells agree, in direction and in ratio.
  np.testing.assert_allclose(at_change[:, 1], 1, atol=0.02)
  assert at_change[:, 4].max() < 0.1
  assert np.abs(np.asarray(found)[0, 38:, 3]).max() < 1e-3


def test_a_still_picture_has_no_statistics():
  found = change_statistics.change_statistics(
    jnp.zeros((1, 10, 12, 16, 8)), jnp.ones((1, 10))
  )
  assert np.isfinite(found).all()
  # Nothing is larger than anything before it.
  ratios = np.asarray(found).reshape(10, len(change_statistics.SCALES), -1)
  np.testing.assert_allclose(ratios[..., [0, 3, 5, 6, 7]], 0, atol=1e-5)
