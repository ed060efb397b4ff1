"""Trains small generators again and again, on chosen clips.

One program is compiled for all runs of a configuration: only the clips, the
seed and the parameters that a run starts from differ.
"""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import ml_collections
from absl import flags
from flax import nnx

from speedflow.models import generator
from speedflow.training import experiment as experiment_lib
from speedflow.training import sharding
from speedflow.training.step import TrainProgram


class Trainer:
  """Trains one configuration on one device."""

  def __init__(self, config: ml_collections.ConfigDict):
    """Compiles the update.

    Args:
      config: of `configs/motion_attribution.py`.
    """
    if not flags.FLAGS.is_parsed():  # Grain reads them.
      flags.FLAGS.mark_as_parsed()
    self._config = config.copy_and_resolve_references()
    made = experiment_lib.load_experiment(self._config)
    mesh = sharding.make_mesh(self._config, jax.devices()[:1])
    self._program = TrainProgram(made, self._config, mesh)
    self._update = self._program.trace_step().lower().compile()
    self._build = nnx.jit(lambda key: made.init_model(nnx.Rngs(key)))

  def train(
    self,
    selection: pathlib.Path | str = "",
    *,
    seed: int = 0,
    start: generator.Generator | None = None,
  ) -> generator.Generator:
    """Trains, from the beginning or from a trained network on.

    Args:
      selection: the clips, see `speedflow.data.selection`; all when "".
      seed: of the order of the clips, and of the noise; without `start`, of
        the first parameters as well.
      start: what to go on from.

    Returns:
      The network with its averaged parameters.
    """
    config = self._config.copy_and_resolve_references()
    config.data.selection = str(selection)
    data = experiment_lib.load_experiment(config).dataset(
      "train", seed=seed, process_index=0, process_count=1
    )
    state = self._program.init()
    model = start or self._build(jax.random.key(seed))
    first = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    # Copies, since an update overwrites what it is given.
    state = dataclasses.replace(
      state,
      rng=jax.random.key(seed),
      params=jax.tree.map(jnp.copy, first),
      ema=jax.tree.map(jnp.copy, first),
    )
    batches = iter(data)
    for _ in range(config.num_steps):
      batch = sharding.global_batch(next(batches), self._program.abstract_batch)
      state, _ = self._update(state, batch)
    model = self._program.evaluation_model(state)
    assert isinstance(model, generator.Generator)
    return model
