import jax
import numpy as np
import pytest
from flax import nnx

from experiments.motion_attribution import families, retrain
from speedflow.training import config as config_lib


@pytest.fixture(scope="module")
def records(tmp_path_factory):
  folder = tmp_path_factory.mktemp("families")
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(families, "COUNTS", {"train": (2, 2)})
    families.build(folder)
  return folder


@pytest.fixture(scope="module")
def trainer(records):
  config = config_lib.load_config(
    "configs/motion_attribution.py:tiny",
    [
      *(f"--config.data.records={records}", "--config.num_steps=2"),
      *("--config.batch_size=2", "--config.model.width=16"),
      *("--config.model.depth=1", "--config.optimizer.warmup_steps=1"),
    ],
  )
  return retrain.Trainer(config)


def parameters(model):
  return jax.tree.leaves(nnx.state(model, nnx.Param))


def differ(one, other):
  return any(
    np.any(np.asarray(a) != np.asarray(b))
    for a, b in zip(parameters(one), parameters(other), strict=True)
  )


@pytest.mark.slow
def test_a_run_repeats_and_goes_with_its_seed_and_clips(trainer, tmp_path):
  chosen = tmp_path / "selection.csv"
  chosen.write_text("id,weight\ngravity/0,1\ngravity/1,1\n")
  run = trainer.train(seed=1)
  assert not differ(run, trainer.train(seed=1))
  assert differ(run, trainer.train(seed=2))
  assert differ(run, trainer.train(chosen, seed=1))


def test_fine_tuning_starts_from_a_network_and_leaves_it_alone(trainer):
  start = trainer.train(seed=1)
  before = [np.array(leaf) for leaf in parameters(start)]
  tuned = trainer.train(seed=2, start=start)
  for old, now in zip(before, parameters(start), strict=True):
    np.testing.assert_array_equal(old, now)
  assert differ(tuned, start)
  # Two steps lead nowhere far.
  gaps = [
    np.abs(np.asarray(a) - np.asarray(b)).max()
    for a, b in zip(parameters(tuned), parameters(start), strict=True)
  ]
  assert max(gaps) < 0.02
