"""The loss of the sound speed network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sound_speed import experiment as experiment_lib
from speedflow.training import config as config_lib


@pytest.fixture(scope="module")
def experiment(records_root):
  config = config_lib.load_config(
    "configs/sound_speed.py:smoke",
    [f"--config.data.records={records_root}/records/clips"],
  )
  return experiment_lib.Experiment(config)


def _batch(log2_speed):
  """Groups of two windows that do not matter."""
  truth = np.asarray(log2_speed, np.float32)
  return {
    "decibels": np.zeros((*truth.shape, 80, 179), np.float16),
    "log2_speed": truth,
  }


def _answers(log2_speed):
  """A network that is sure of these log2 speeds, whatever it hears."""
  centres = jnp.linspace(-3.0, 3.0, 49)
  flat = jnp.ravel(jnp.asarray(log2_speed, jnp.float32))
  return lambda decibels, rng: -50 * (centres - flat[:, None]) ** 2


_TRUTH = [[0.0, 2.0], [1.0, -1.0]]


def _loss(experiment, answers):
  return experiment.loss(_answers(answers), _batch(_TRUTH), jax.random.key(0))


def test_the_right_answer_costs_least(experiment):
  right, metrics = _loss(experiment, _TRUTH)
  wrong, _ = _loss(experiment, np.add(_TRUTH, [[0.5, 0.0]]))
  assert right < wrong
  assert metrics["mae"] == pytest.approx(0, abs=1e-3)


def test_an_offset_of_both_windows_breaks_no_equivariance(experiment):
  _, metrics = _loss(experiment, np.add(_TRUTH, 0.5))
  assert metrics["equivariance"] == pytest.approx(0, abs=1e-5)
  assert metrics["mae"] == pytest.approx(0.5, abs=1e-2)


def test_a_wrong_ratio_costs_its_square(experiment):
  _, metrics = _loss(experiment, np.add(_TRUTH, [[0.5, 0.0]]))
  assert metrics["equivariance"] == pytest.approx(0.25, abs=1e-2)


def test_batches_are_as_the_spec_says(experiment):
  stream = experiment.dataset("train", seed=0, process_index=0, process_count=1)
  batch = next(iter(stream))
  spec = experiment.batch_spec()
  assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
    k: (v.shape, v.dtype) for k, v in spec.items()
  }
