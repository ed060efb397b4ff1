"""Every configuration builds, and its smallest variant trains."""

import functools
import importlib
import pathlib

import jax
import pytest
from flax import nnx

from speedflow.training import config as config_lib
from speedflow.training import experiment as experiment_lib
from speedflow.training import loop

_NAMES = sorted(
  path.stem
  for path in (pathlib.Path(__file__).parents[1] / "configs").glob("[a-z]*.py")
)
_VARIANTS = ("smoke", "tiny", "base", "large")
# Those of Wan are named as it is published.
_WAN = ("smoke", "tiny", "1.3b", "5b", "a14b", "14b")
# The quick tests train this here, and `speed_generator` among its own tests.
_QUICK = ("sound_speed",)


@pytest.mark.parametrize(
  "name",
  [
    pytest.param(name, marks=[] if name in _QUICK else pytest.mark.slow)
    for name in _NAMES
    # Wan wants latents, which its own tests have, and what is attributed is the
    # generator's.
    if name not in ("wan", "motion_attribution")
  ],
)
def test_smoke_variant_trains_two_steps(
  name, records_root, tmp_path, monkeypatch
):
  monkeypatch.chdir(records_root)
  config = config_lib.load_config(
    f"configs/{name}.py:smoke", ["--config.compilation_cache="]
  )
  metrics = loop.train(config, tmp_path)
  assert (tmp_path / "checkpoints" / "2").is_dir()
  assert metrics["train/loss"] < float("inf")
  assert any(key.startswith("val/") for key in metrics)


@functools.cache
def _built(name, variant):
  """The configuration, its experiment, and the parameters' shapes."""
  config = config_lib.load_config(f"configs/{name}.py:{variant}")
  experiment = experiment_lib.load_experiment(config)
  model = nnx.eval_shape(lambda: experiment.init_model(nnx.Rngs(0)))
  return config, experiment, jax.tree.leaves(nnx.state(model, nnx.Param))


def _variants(name):
  return _WAN if name == "wan" else _VARIANTS


@pytest.mark.parametrize(
  ("name", "variant"),
  [(name, variant) for name in _NAMES for variant in _variants(name)],
)
def test_every_variant_has_a_model_and_a_batch(name, variant):
  config, experiment, leaves = _built(name, variant)
  assert leaves
  rows = {leaf.shape[0] for leaf in jax.tree.leaves(experiment.batch_spec())}
  assert rows == {config.batch_size}


@pytest.mark.parametrize("name", _NAMES)
def test_variants_grow(name):
  sizes = []
  for variant in _variants(name):
    _, _, leaves = _built(name, variant)
    sizes.append(sum(leaf.size for leaf in leaves))
  assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", _NAMES)
def test_an_unknown_variant_is_refused_by_name(name):
  module = importlib.import_module(f"configs.{name}")
  with pytest.raises(ValueError, match="'huge' is none of"):
    module.get_config("huge")
