"""The generator, as the training loop sees it."""

import hashlib
import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

from experiments.speed_generator import dataset as dataset_lib
from experiments.speed_generator import measure
from speedflow.data.records import RecordSource
from speedflow.generate import generator as inference
from speedflow.generate import weights
from speedflow.models import generator, generator_flow


class Experiment:
  """Image-to-video at a wanted speed, by rectified flow.

  The loss is the squared error of the velocity of the flow. First frame and
  speed are each left out now and then, independently, so that both can be
  guided (arXiv 2207.12598). Clips count for less the more moves in them, see
  `_calm`.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = generator.GeneratorConfig(
      dtype=jnp.dtype(config.compute_dtype), **config.model
    )
    self._spec = dataset_lib.clip_spec(config.data)

  def init_model(self, rngs: nnx.Rngs) -> generator.Generator:
    """Builds the network."""
    return generator.Generator(self._net, rngs)

  def loss(
    self,
    model: generator.Generator,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over clips; see the class."""
    fields = self._config.loss
    rows = batch["image"].shape[0]
    keys = jax.random.split(rng, 4)
    weight = None
    if self._net.causal:
      time, weight = self.chunk_times(keys[0], rows)
    else:
      time = generator_flow.sample_times(
        keys[0], rows, fields.times, fields.time_shift
      )
    error = generator.velocity_error(
      model,
      batch,
      noise=jax.random.normal(keys[1], batch["trajectories"].shape),
      time=time,
      has_image=jax.random.uniform(keys[2], (rows,)) >= fields.drop_image,
      has_speed=jax.random.uniform(keys[3], (rows,)) >= fields.drop_speed,
      weight=weight,
      true_history=self._net.causal and fields.history == "clean",
    )
    calm = _calm(self._net, batch) ** fields.calm
    return (calm * error).mean(), {}

  def chunk_times(
    self, rng: jax.Array, rows: int
  ) -> tuple[jax.Array, jax.Array]:
    """Draws times of the chunks, and how much each moment counts.

    A clean history is there besides, so that all chunks are learnt near the
    noise. Where the chunks are each other's history, half of them are anywhere
    between noise and trajectories, as a history is.

    Args:
      rng: for the draws.
      rows: number of clips, b.

    Returns:
      Times, 0..1, float32 [b, chunks]; weights of the moments' errors, float32
      [b, t, 1, 1].
    """
    fields, net = self._config.loss, self._net
    shape = rows, self._spec.knots // net.chunk
    keys = jax.random.split(rng, 3)
    time = generator_flow.sample_times(
      keys[0], shape[0] * shape[1], fields.times, fields.time_shift
    ).reshape(shape)
    if fields.history == "noisy":
      anywhere = jax.random.uniform(keys[1], shape)
      time = jnp.where(
        jax.random.bernoulli(keys[2], 0.5, shape), anywhere, time
      )
    # What the network gives out has the same error at all times.
    weight = jnp.square(
      net.deviation
      / generator_flow.scales(time, jnp.float32(net.deviation)).out
    )
    moments = generator.of_moments(net, weight)
    return time, moments[..., None, None]

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of clips."""
    if split != "train":
      raise ValueError(f"split {split!r} is not trained on")
    return dataset_lib.training_batches(
      self._config.data,
      batch_size=self._config.batch_size // process_count,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shape and dtype of each array of the global batch."""
    rows, knots = self._config.batch_size, self._spec.knots
    size, grid = self._net.image, self._net.grid
    return {
      "image": jax.ShapeDtypeStruct((rows, size, size, 3), jnp.uint8),
      "trajectories": jax.ShapeDtypeStruct(
        (rows, knots, grid, grid, 2), jnp.float32
      ),
      "log2_step": jax.ShapeDtypeStruct((rows, knots), jnp.float32),
    }

  def evaluate(
    self, model: generator.Generator, log: Callable[[str], None]
  ) -> dict[str, float]:
    """The loss on held-out clips, and whether speed is obeyed.

    Returns:
      loss_mover, loss_physics, and loss_shots where there are records: at
      fixed noise and times; speed_loss_ratio: the movers' loss with the speed
      told / not told; on held-out mover scenes: foreseen (see `measure`),
      factor_error and spearman of requested and measured speed.
    """
    fields = self._config.eval
    metrics = {}
    for kind, weight in self._config.data.mix.items():
      # Estimates are to learn from, never to judge by.
      if not weight or kind == "mined":
        continue
      sources = self._held_out(kind, fields.clips)
      batch = dataset_lib.held_out(sources, self._spec, seed=0)
      metrics[f"loss_{kind}"] = _fixed_loss(model, batch, told=True)
      if kind == "mover":
        untold = _fixed_loss(model, batch, told=False)
        metrics["speed_loss_ratio"] = metrics["loss_mover"] / untold
    made = inference.SpeedGenerator(model, self._facts())
    metrics["foreseen"] = measure.foreseen(made, fields.scenes)
    obeyed = measure.movers_obey(
      made,
      scenes=fields.scenes,
      speeds=tuple(fields.speeds),
      steps=fields.steps,
    )
    metrics |= {
      "factor_error": obeyed.factor_error,
      "spearman": obeyed.spearman,
      "visible": obeyed.visible,
    }
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return metrics

  def export(self, model: generator.Generator, path: pathlib.Path) -> None:
    """Writes the weights for `speedflow generate`."""
    weights.save(path, model, self._facts())

  def data_fingerprint(self) -> str:
    """A digest of the training records; calculated clips need none."""
    data = self._config.data
    paths = [
      path
      for kind, field in dataset_lib.FOLLOWED.items()
      if data.mix.get(kind, 0)
      for path in dataset_lib.shards(pathlib.Path(data[field]), "train")
    ]
    if not paths:
      return hashlib.sha256(b"calculated").hexdigest()
    return RecordSource(paths).fingerprint()

  def _facts(self) -> inference.Facts:
    spec = self._spec
    return inference.Facts(
      knots=spec.knots,
      low=spec.low,
      high=spec.high,
      time_shift=self._config.loss.time_shift,
    )

  def _held_out(self, kind: str, count: int) -> list[dataset_lib.Filmable]:
    if kind == "shots":
      folder = pathlib.Path(self._config.data.records)
      paths = dataset_lib.shards(folder, self._config.eval_split)
      return dataset_lib.spread(dataset_lib.FollowedSource(paths), count)
    return [dataset_lib.World(kind, seed) for seed in range(count)]


def _calm(
  net: generator.GeneratorConfig, batch: dict[str, jax.Array]
) -> jax.Array:
  """How much each clip counts, float32 [b]: 1 if nothing moves.

  Squared errors grow with the square of the motion. Most of the squared motion
  of filmed clips is in a quarter of them, and cannot be foreseen where a camera
  is shaken or follows; the rest must not be drowned by it.
  """
  trajectories = generator.encode(
    net, batch["trajectories"], batch["log2_step"]
  )
  typical = net.deviation**2
  return typical / (typical + jnp.square(trajectories).mean((1, 2, 3, 4)))


def _fixed_loss(
  model: generator.Generator, batch: dict[str, np.ndarray], *, told: bool
) -> float:
  """The loss at fixed noise, averaged over fixed times."""
  noise = jax.random.normal(jax.random.key(0), batch["trajectories"].shape)
  arrays = {name: jnp.asarray(value) for name, value in batch.items()}
  times = (0.0, 0.05, 0.1, 0.2, 0.5)
  return float(
    np.mean([_loss_at(model, arrays, noise, time, told) for time in times])
  )


@nnx.jit
def _loss_at(
  model: generator.Generator,
  batch: dict[str, jax.Array],
  noise: jax.Array,
  time: float,
  told: bool,
) -> jax.Array:
  """The mean loss at one time, the first frame given."""
  rows = len(noise)
  return generator.velocity_error(
    model,
    batch,
    noise=noise,
    time=jnp.full(rows, time),
    has_image=jnp.ones(rows, bool),
    has_speed=jnp.full(rows, told),
  ).mean()
