"""The loss: what counts, and how much."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from configs import temporal_superres
from experiments.temporal_superres import experiment
from speedflow.models import superres

_SIDE = 32


@pytest.fixture(scope="module")
def loss_of():
  """loss_of(error): of a network that is wrong by this [32, 32, 3]."""
  trained = experiment.Experiment(temporal_superres.get_config("smoke"))
  truth = np.full((1, 1, _SIDE, _SIDE, 3), 102, np.uint8)
  batch = {
    "images": jnp.array(np.stack([truth, truth], 2)),
    "truth": jnp.array(truth),
    "flow": jnp.zeros((1, 1, 2, _SIDE, _SIDE, 2)),
    "bend": jnp.zeros((1, 1, _SIDE, _SIDE, 2)),
    "time": jnp.full((1, 1), 0.5),
    "exposure": jnp.zeros((1, 1)),
  }

  def loss(error):
    def network(images, flow, bend, time, exposure):
      doubt = jnp.full((1, _SIDE // 2, _SIDE // 2), 0.01)
      return superres.Synthesis(102 / 255 + error[None], doubt, flow)

    total, metrics = trained.loss(network, batch, jax.random.key(0))
    # The likelihood of the error is another matter.
    return float(total - 0.1 * metrics["surprise"]), metrics

  return loss


def _noise(size):
  return np.random.default_rng(0).normal(0, size, (_SIDE, _SIDE, 3))


def test_halving_the_error_gains_as_much_where_it_is_small(loss_of):
  gains = [
    loss_of(_noise(size))[0] - loss_of(_noise(size / 2))[0]
    for size in (0.4, 0.2)
  ]
  assert gains == pytest.approx([np.log(2)] * 2, abs=0.1)


def test_psnr_is_told(loss_of):
  error = np.full((_SIDE, _SIDE, 3), 0.1)
  assert loss_of(error)[1]["psnr"] == pytest.approx(20.0, abs=0.01)


def test_the_border_of_a_crop_does_not_count(loss_of):
  error = np.zeros((_SIDE, _SIDE, 3))
  error[:8] = error[:, -8:] = 0.5
  assert loss_of(error)[0] == loss_of(0 * error)[0]


def test_training_may_start_from_weights(tmp_path):
  first = experiment.Experiment(temporal_superres.get_config("smoke"))
  net = first.init_model(nnx.Rngs(5))
  first.export(net, tmp_path / "a.safetensors")
  config = temporal_superres.get_config("smoke")
  config.initial = str(tmp_path / "a.safetensors")
  again = experiment.Experiment(config).init_model(nnx.Rngs(6))
  kernels = [each.coarse.enter.kernel[...] for each in (net, again)]
  np.testing.assert_allclose(*kernels, atol=1e-3)
