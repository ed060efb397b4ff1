"""The loss: zero for perfect answers, and a teacher without any label."""

import itertools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.speed_estimator import experiment as experiment_lib
from speedflow.data import records
from speedflow.training import config as config_lib


@pytest.fixture(scope="module")
def config(records_root):
  return config_lib.load_config(
    "configs/speed_estimator.py:smoke",
    [f"--config.data.records={records_root}/records/motion"],
  )


@pytest.fixture(scope="module")
def experiment(config):
  return experiment_lib.Experiment(config)


def _batch(log2_step, log2_factor):
  """Groups of two windows whose maps do not matter."""
  log2_step = np.asarray(log2_step, np.float32)
  return {
    "maps": np.ones((*log2_step.shape, 8, 12, 16, 8), np.float16),
    "length": np.full(log2_step.shape, 8, np.int32),
    "log2_step": log2_step,
    "log2_factor": np.asarray(log2_factor, np.float32),
  }


def _answers(log2_step):
  """A network that is sure of these log2 steps, whatever it is shown."""
  centres = jnp.linspace(-6.0, 4.0, 41)
  flat = jnp.ravel(jnp.asarray(log2_step, jnp.float32))
  return lambda maps, length, rng: -50 * (centres - flat[:, None]) ** 2


_FACTOR = [[0.0, 2.0], [1.0, 0.0], [0.0, 1.0]]
_UNKNOWN = np.full((3, 2), np.nan)


def test_ratios_alone_are_satisfied_by_any_offset(experiment):
  # The offset of each source is its own.
  answers = _FACTOR + np.array([[-3.0], [0.5], [0.0]])
  loss, metrics = experiment.loss(
    _answers(answers), _batch(_UNKNOWN, _FACTOR), jax.random.key(0)
  )
  assert loss == pytest.approx(0, abs=1e-4)
  assert metrics["mae"] == 0


def test_a_wrong_ratio_costs_its_square(experiment, config):
  answers = _FACTOR + np.array([[0.5, 0.0], [0.0, 0.0], [0.0, 0.0]])
  loss, _ = experiment.loss(
    _answers(answers), _batch(_UNKNOWN, _FACTOR), jax.random.key(0)
  )
  expected = config.loss.equivariance * 0.5**2 / 3
  assert loss == pytest.approx(expected, rel=1e-2)


def test_known_speeds_fix_the_offset(experiment):
  truth = np.array(_FACTOR) - 1

  def loss(offset):
    value, metrics = experiment.loss(
      _answers(truth + offset), _batch(truth, _FACTOR), jax.random.key(0)
    )
    assert metrics["mae"] == pytest.approx(abs(offset), abs=1e-3)
    return value

  assert loss(0.0) < loss(0.5) < loss(1.5)


def test_unlabelled_windows_take_no_part_in_the_anchor(experiment):
  answers = np.array(_FACTOR)
  half_known = answers.copy()
  half_known[1:] = np.nan
  _, metrics = experiment.loss(
    _answers(answers), _batch(half_known, _FACTOR), jax.random.key(0)
  )
  _, all_known = experiment.loss(
    _answers(answers), _batch(answers, _FACTOR), jax.random.key(0)
  )
  expected = float(all_known["anchor"])
  assert metrics["anchor"] == pytest.approx(expected, abs=0.02)


def _draw(experiment, count=1):
  batches = iter(
    experiment.dataset("train", seed=0, process_index=0, process_count=1)
  )
  return [next(batches) for _ in range(count)]


def test_a_batch_is_as_specified(experiment):
  (batch,) = _draw(experiment)
  found = jax.tree.map(lambda x: (x.shape, x.dtype), batch)
  spec = jax.tree.map(lambda x: (x.shape, x.dtype), experiment.batch_spec())
  assert found == spec


def test_a_batch_without_any_label_teaches(experiment):
  (batch,) = _draw(experiment)
  batch["log2_step"] = np.full_like(batch["log2_step"], np.nan)
  model = experiment.init_model(nnx.Rngs(0))

  @nnx.jit
  def gradients(model, batch):
    def loss(model):
      return experiment.loss(model, batch, jax.random.key(0))[0]

    return nnx.grad(loss)(model)

  leaves = jax.tree.leaves(gradients(model, batch))
  assert all(np.isfinite(leaf).all() for leaf in leaves)
  assert any(np.abs(leaf).max() > 0 for leaf in leaves)


def test_the_fingerprint_follows_the_data(experiment, config, tmp_path):
  other = config.copy_and_resolve_references()
  (tmp_path / "motion").mkdir()
  of_splits = (
    records.split_shards(pathlib.Path(config.data.records), split)
    for split in ("train", "val")
  )
  for path in itertools.chain.from_iterable(of_splits):
    # Another order of the splits is another data set.
    name = path.name.replace("train", "x").replace("val", "train")
    (tmp_path / "motion" / name.replace("x", "val")).symlink_to(path)
  other.data.records = str(tmp_path / "motion")
  found = experiment_lib.Experiment(other).data_fingerprint()
  assert found != experiment.data_fingerprint()
