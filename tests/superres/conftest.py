"""Weights that make slowing down quick to test."""

import pytest


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory):
  """A file of a small network that interpolates classically, untrained."""
  import jax
  import jax.numpy as jnp
  from flax import nnx

  from speedflow.models import superres
  from speedflow.superres import weights

  config = superres.SuperResConfig(coarse=(4, 4, 4), fine=(4, 4))
  net = nnx.eval_shape(lambda: superres.SuperResNet(config, nnx.Rngs(0)))
  params = nnx.state(net, nnx.Param)
  nnx.update(net, jax.tree.map(lambda x: jnp.zeros(x.shape), params))
  path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
  weights.SUPERRES.save(path, net)
  return str(path)
