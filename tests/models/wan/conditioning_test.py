"""Wan is told the speed, and nothing else changes until it has learnt it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.models.wan import autoencoder, layout, transformer
from speedflow.models.wan.config import (
  AutoencoderConfig,
  Computation,
  TransformerConfig,
)

_SIZES = TransformerConfig(
  num_attention_heads=2,
  attention_head_dim=12,
  in_channels=4,
  out_channels=4,
  text_dim=8,
  freq_dim=8,
  ffn_dim=16,
  num_layers=2,
)


def _network(**fields):
  # The same random numbers, whatever stands beside Wan's parameters.
  plain = transformer.Transformer(_SIZES, nnx.Rngs(0))
  told = transformer.Transformer(_SIZES, nnx.Rngs(1), Computation(**fields))
  source = dict(nnx.to_flat_state(nnx.state(plain, nnx.Param)))
  state = nnx.state(told, nnx.Param)
  for path, variable in nnx.to_flat_state(state):
    if path in source:
      variable.set_value(source[path].get_value())
  nnx.update(told, state)
  return plain, told


def _given(rows=2):
  keys = jax.random.split(jax.random.key(0), 3)
  return (
    jax.random.normal(keys[0], (rows, 3, 4, 4, 4)),
    1000 * jax.random.uniform(keys[1], (rows,)),
    jax.random.normal(keys[2], (rows, 5, 8)),
  )


@pytest.mark.parametrize(
  "fields",
  [
    {"speed": "fourier"},
    {"speed": "buckets"},
    {"speed": "fourier", "speed_clock": True},
    {"lora_rank": 2},
  ],
  ids=["fourier", "buckets", "clock", "lora"],
)
def test_before_training_it_is_wan(fields):
  plain, told = _network(**fields)
  speeds = jnp.full((2, 3), -2.0) if "speed" in fields else None
  found = jax.jit(lambda *given: told(*given, None, speeds))(*_given())
  wanted = jax.jit(lambda *given: plain(*given))(*_given())
  # Two programs may add up in another order.
  np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["fourier", "buckets"])
def test_before_training_speed_changes_no_bit(kind):
  _, told = _network(speed=kind)
  run = jax.jit(lambda speed: told(*_given(), None, speed))
  np.testing.assert_array_equal(
    run(jnp.full((2, 3), -3.0)), run(jnp.full((2, 3), 2.0))
  )


@pytest.mark.parametrize("kind", ["fourier", "buckets"])
def test_once_learnt_speed_matters_where_it_is_told(kind):
  _, told = _network(speed=kind)
  for last in (told.speed.of_clip, told.speed.of_frame):
    last.kernel[...] = jax.random.normal(jax.random.key(1), last.kernel.shape)
  run = jax.jit(lambda speed, has: told(*_given(), None, speed, has))
  slow = run(jnp.full((2, 3), -3.0), jnp.array([True, False]))
  fast = run(jnp.full((2, 3), 1.0), jnp.array([True, False]))
  # Signs of zero and orders of sums may differ between rows, not more.
  assert np.abs(slow[0] - fast[0]).max() > 1e-3
  np.testing.assert_allclose(slow[1], fast[1], atol=1e-6)


@pytest.mark.parametrize("clock", [False, True])
def test_a_clock_tells_what_has_passed_before(clock):
  _, told = _network(speed="fourier", speed_clock=clock)
  for layer in (told.speed.of_frame, told.speed.of_passed):
    if layer is not None:
      shape = layer.kernel.shape
      layer.kernel[...] = jax.random.normal(jax.random.key(1), shape)
  # Both end at the same speed, after more and less of the world's time.
  _, frames = told.speed(jnp.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]))
  apart = np.abs(frames[0] - frames[1]).max(1)
  assert apart[0] == pytest.approx(0.0, abs=1e-6)
  assert apart[1] > 1e-2
  assert (apart[2] > 1e-2) == clock


@pytest.mark.parametrize("remat", ["dots", "full"])
def test_gradients_are_the_same_however_blocks_are_recomputed(remat):
  plain, told = _network(remat=remat)

  def gradient(network):
    graph, state = nnx.split(network)

    def loss(state):
      return jnp.square(nnx.merge(graph, state)(*_given())).mean()

    return jax.jit(jax.grad(loss))(state)

  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
    gradient(plain),
    gradient(told),
  )


def test_known_frames_stand_in_the_mask():
  known = jnp.asarray(layout.places(9, 8))[None]
  np.testing.assert_array_equal(
    layout.mask(known)[0], [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
  )


def test_the_condition_sees_known_frames_only():
  config = AutoencoderConfig(
    base_dim=2, z_dim=2, dim_mult=(1, 1, 1, 1), num_res_blocks=1
  )
  network = autoencoder.Autoencoder(config, nnx.Rngs(0))
  video = jax.random.uniform(
    jax.random.key(0), (1, 5, 16, 16, 3), minval=-1, maxval=1
  )
  known = jnp.asarray(layout.places(5, 5))[None]
  run = jax.jit(lambda video: layout.condition(network, video, known))
  found = run(video)
  assert found.shape == (1, 2, 2, 2, 4 + 2)
  other = video.at[:, 1:].set(0.5)
  np.testing.assert_array_equal(found, run(other))
  assert np.abs(found - run(video.at[:, 0].set(0.5))).max() > 1e-3


def test_computation_is_no_part_of_the_sizes():
  names = {field.name for field in dataclasses.fields(Computation)}
  assert not names & {f.name for f in dataclasses.fields(TransformerConfig)}
