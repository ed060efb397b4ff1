"""The loss: small for the right answer, and for it alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.speed_change import experiment as experiment_lib
from speedflow.models import change_net
from speedflow.training import config as config_lib


@pytest.fixture(scope="module")
def experiment():
  return experiment_lib.Experiment(
    config_lib.load_config("configs/speed_change.py:smoke")
  )


@pytest.fixture
def batch():
  """One record's two windows of 20 moments; the second changes at 10."""
  target = np.zeros((1, 2, 20), np.float32)
  target[0, 1, 8:13] = 1
  weight = np.ones((1, 2, 20), np.float32)
  weight[0, 1, [6, 7, 13, 14]] = 0
  return {
    "maps": np.ones((1, 2, 20, 12, 16, 8), np.float16),
    "log2_interval": np.zeros((1, 2, 20), np.float32),
    "target": target,
    "weight": weight,
    "length": np.full((1, 2), 20, np.int32),
    "log2_ratio": np.array([[0.0, 1.0]], np.float32),
  }


def _loss(experiment, batch, change, ratio=1.0, confidence=12.0):
  """Of a network that sees a change at one frame, or nowhere (None)."""

  def model(maps, log2_interval, length, rng):
    logit = np.full((2, 20), -confidence)
    if change is not None:
      logit[1, change] = confidence
    shape = jnp.zeros((2, 20))
    return change_net.Change(jnp.asarray(logit), shape + ratio, shape + 0.1)

  return experiment.loss(model, batch, jax.random.key(0))


def test_the_right_moment_costs_nothing_wherever_near_it_is(experiment, batch):
  for change in (8, 10, 12):
    _, metrics = _loss(experiment, batch, change)
    assert metrics["moment"] == pytest.approx(0, abs=1e-2)
    assert metrics["accuracy"] == 1


@pytest.mark.parametrize("change", [None, 2, 17])
def test_another_moment_or_none_costs_much(experiment, batch, change):
  _, metrics = _loss(experiment, batch, change)
  assert metrics["moment"] > 4


def test_moments_of_which_nothing_is_known_cost_nothing(experiment, batch):
  # Frame 14 is too near to say that there is none.
  _, unsure = _loss(experiment, batch, 14)
  _, silent = _loss(experiment, batch, None)
  assert unsure["moment"] == pytest.approx(float(silent["moment"]), rel=1e-3)


def test_a_wrong_ratio_costs_more_than_the_right_one(experiment, batch):
  right, _ = _loss(experiment, batch, 10, ratio=1.0)
  wrong, _ = _loss(experiment, batch, 10, ratio=-1.0)
  assert wrong > right + 1


def test_a_batch_without_any_change_has_a_loss(experiment, batch):
  steady = batch | {
    "target": np.zeros_like(batch["target"]),
    "log2_ratio": np.zeros((1, 2), np.float32),
  }
  loss, metrics = _loss(experiment, steady, None)
  assert metrics["moment"] == pytest.approx(0, abs=1e-2)
  assert np.isfinite(loss)
