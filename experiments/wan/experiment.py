"""Wan, as the training loop sees it."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments.wan import dataset as dataset_lib
from experiments.wan import starting
from speedflow.errors import SpeedflowError
from speedflow.models.wan import config as config_lib
from speedflow.models.wan import layout, transformer
from speedflow.training import sharding
from speedflow.wan import index, objective, pipeline, spreading
from speedflow.weights import wan as weights

# Times of the flow at which the loss is measured; where of those that the
# transformer is for, 0 (the cleanest) to 1.
_MEASURED = (0.2, 0.5, 0.8, 0.95)


class Experiment:
  """Wan, conditioned on speed and known frames, by rectified flow.

  The loss is the squared error of the velocity from latents to noise (arXiv
  2209.03003), at times that Wan's shift moves towards the noise, of those that
  the transformer is for.
  """

  stays_sharded = True
  exports_folder = True

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; nothing is opened before it is asked for.

    Raises:
      SpeedflowError: a setting that cannot be.
    """
    starting.check(config)
    self._config = config
    sizes: dict[str, Any] = {
      name: tuple(value) if isinstance(value, list | tuple) else value
      for name, value in config.model.items()
    }
    self._net = config_lib.TransformerConfig(**sizes)
    adapter = config.adapter
    dtype = jnp.dtype(config.compute_dtype)
    frozen = bool(adapter.rank) and not adapter.train_all
    self._computed = config_lib.Computation(
      dtype=dtype,
      # What is trained is float32; what is not takes less.
      param_dtype=dtype if frozen else jnp.float32,
      remat=config.remat,
      lora_rank=adapter.rank,
      lora_targets=tuple(adapter.targets),
      trained="added" if frozen else "all",
      **config.speed,
    )
    self._sizes = dataset_lib.sizes_of(config)

  def init_model(self, rngs: nnx.Rngs) -> transformer.Transformer:
    """Builds the network."""
    return transformer.Transformer(self._net, rngs, self._computed)

  def load_model(self, place: weights.Place) -> transformer.Transformer | None:
    """Builds it with the weights of `config.start_from`.

    Raises:
      SpeedflowError: they are of another network.
    """
    if not self._config.start_from:
      return None
    starting.boundary(self._config)
    folder = pathlib.Path(self._config.start_from) / self._config.part
    found = dataclasses.replace(
      weights.transformer_config(folder), in_channels=self._net.in_channels
    )
    for field in dataclasses.fields(found):
      wanted = getattr(self._net, field.name)
      if getattr(found, field.name) != wanted:
        raise SpeedflowError(
          f"{folder}: {field.name} is {getattr(found, field.name)}, where "
          f"config.model has {wanted}; take the variant of these weights"
        )
    return weights.load_transformer(
      folder,
      self._computed,
      place,
      self._config.seed,
      in_channels=self._net.in_channels,
    )

  def loss(
    self,
    model: transformer.Transformer,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over clips; see the class."""
    keys = jax.random.split(rng)
    time = objective.draw_times(
      keys[0],
      len(batch["latents"]),
      self._config.loss.shift,
      starting.times(self._config),
    )
    noise = jax.random.normal(keys[1], batch["latents"].shape)
    return objective.velocity_error(model, batch, noise, time).mean(), {}

  def trace_sample(self, devices: Sequence[jax.Device]) -> jax.stages.Traced:
    """Traces a step of the sampler, of one clip and one text, in bfloat16.

    Args:
      devices: over which the clip and the network are spread.
    """
    spread = spreading.Spreading(devices)
    dtype = jnp.bfloat16
    computed = dataclasses.replace(
      self._computed, dtype=dtype, param_dtype=dtype, remat="none"
    )
    graph, state = nnx.split(
      nnx.eval_shape(
        lambda: transformer.Transformer(self._net, nnx.Rngs(0), computed)
      )
    )

    def placed(path: Any, leaf: Any) -> jax.ShapeDtypeStruct:
      where = spread.place(sharding.path_name(path), leaf.shape)
      return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    def array(*shape: int) -> jax.ShapeDtypeStruct:
      return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=spread.whole)

    sizes = self._sizes
    channels = layout.MASKS + sizes.latents[3]
    text, told = array(1, *sizes.words), array(1, *sizes.image)

    def step(state: Any, *given: Any) -> jax.Array:
      network = nnx.merge(graph, state)
      return pipeline.step_velocity(pipeline.beside, network, *given)

    with jax.sharding.use_abstract_mesh(spread.mesh.abstract_mesh):
      return jax.jit(step, out_shardings=spread.whole).trace(
        jax.tree_util.tree_map_with_path(placed, state),
        array(1, *sizes.latents),
        array(1, *sizes.latents[:3], channels),
        array(),
        text,
        told if sizes.image[0] else None,
        array(1, sizes.latents[0]),
      )

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of clips."""
    if split != "train":
      raise ValueError(f"split {split!r} is not trained on")
    starting.require(self._config)
    return dataset_lib.training_batches(
      self._config,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shape and dtype of each array of the global batch."""
    rows, sizes = self._config.batch_size, self._sizes
    times = sizes.latents[0]
    beside = (*sizes.latents[:3], layout.MASKS + sizes.latents[3])
    spec = {
      "latents": ((rows, *sizes.latents), jnp.float16),
      "beside": ((rows, *beside), jnp.float16),
      "words": ((rows, *sizes.words), jnp.float16),
      "log2_speed": ((rows, times), jnp.float32),
      "has_speed": ((rows,), jnp.bool_),
    }
    if sizes.image[0]:
      spec["image"] = ((rows, *sizes.image), jnp.float16)
    return {
      name: jax.ShapeDtypeStruct(*shaped) for name, shaped in spec.items()
    }

  def evaluate(
    self, model: transformer.Transformer, log: Callable[[str], None]
  ) -> dict[str, float]:
    """The loss on held-out clips, and what the speed is worth to it.

    Returns:
      loss: at fixed noise and times; speed_loss_ratio: with the speed told /
      not told.
    """
    config = self._config
    batch = dataset_lib.held_out(config, config.eval_split, config.eval.clips)
    placed = _beside(model, batch)
    rows = config.eval.rows
    low, high = starting.times(config)
    times = [low + (high - low) * share for share in _MEASURED]
    told = _measured(model, placed, rows, times)
    placed["has_speed"] = jnp.zeros_like(placed["has_speed"])
    untold = _measured(model, placed, rows, times)
    metrics = {"loss": told, "speed_loss_ratio": told / untold}
    log(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return metrics

  def export(self, model: transformer.Transformer, path: pathlib.Path) -> None:
    """Writes a pipeline for `speedflow generate --weights`.

    The transformer is written; what has not been trained is linked to where it
    was, so that a copy for others is made by `cp -rL`.

    Raises:
      SpeedflowError: a folder that the configuration names is no such, or a
        file cannot be written.
    """
    starting.require(self._config)
    trained, start = self._config.part, self._config.start_from
    boundary = starting.boundary(self._config)
    base = starting.parts(self._config)
    weights.save_transformer(
      path / trained,
      model,
      like=pathlib.Path(start) / trained if start else None,
    )
    linked = {part: base for part in pipeline.PARTS[1:]}
    if boundary is not None:
      linked |= dict.fromkeys(starting.TRANSFORMERS, pathlib.Path(start))
    for part, there in linked.items():
      if part != trained and (there / part).is_dir():
        target = (there / part).resolve()
        (path / part).symlink_to(os.path.relpath(target, path.resolve()))
    data = self._config.data
    index.write(
      path,
      index.Trained(
        data.height,
        data.width,
        data.frames,
        self._config.loss.shift,
        data.words,
      ),
      boundary,
    )

  def data_fingerprint(self) -> str:
    """A digest of the training records."""
    return dataset_lib.source(self._config.data, "train").fingerprint()


@nnx.jit
def _errors(
  model: transformer.Transformer,
  batch: dict[str, jax.Array],
  noise: jax.Array,
  time: jax.Array,
) -> jax.Array:
  return objective.velocity_error(model, batch, noise, time).mean()


def _measured(
  model: transformer.Transformer,
  batch: dict[str, Any],
  rows: int,
  times: Sequence[float],
) -> float:
  """The loss at fixed noise, averaged over fixed times."""
  found = []
  total = len(batch["latents"])
  for first in range(0, total - total % rows or rows, rows):
    part = {name: x[first : first + rows] for name, x in batch.items()}
    noise = jax.random.normal(jax.random.key(first), part["latents"].shape)
    for time in times:
      of_each = jnp.full(len(part["latents"]), time)
      with _mesh_known(model):
        found.append(_errors(model, part, noise, of_each))
  return float(np.mean(jax.device_get(found)))


def _mesh_known(
  model: nnx.Module,
) -> contextlib.AbstractContextManager[Any]:
  """Tells what is traced of the mesh that a model is on; for one use."""
  where = jax.tree.leaves(nnx.state(model))[0].sharding
  if isinstance(where, NamedSharding) and isinstance(where.mesh, Mesh):
    return jax.set_mesh(where.mesh)
  return contextlib.nullcontext()


def _beside(
  model: nnx.Module, batch: dict[str, np.ndarray]
) -> dict[str, jax.Array]:
  """The batch, whole on each of the devices that the model is spread over."""
  leaf = jax.tree.leaves(nnx.state(model))[0]
  where = leaf.sharding
  if isinstance(where, NamedSharding):
    where = NamedSharding(where.mesh, PartitionSpec())
  return {name: jax.device_put(x, where) for name, x in batch.items()}
