"""Learning to make up the detail that a synthesis lacks.

The network of `speedflow superres` is fixed; see `models.superres_refiner`.
"""

import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

from experiments.temporal_superres import experiment, protocol
from speedflow.evaluation import frames
from speedflow.models import generator_flow, superres_refiner
from speedflow.superres import interpolator, weights


class Experiment:
  """Rectified flow over the luma's residual.

  The loss is the squared error of the velocity, in units of the error that
  the synthesis expects of itself; where that is less than a few grey levels,
  it counts less.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._like = experiment.Experiment(config)

  def init_model(self, rngs: nnx.Rngs) -> superres_refiner.SuperResRefiner:
    """Builds the network."""
    sizes = superres_refiner.RefinerConfig(
      self._config.refiner.widths, jnp.dtype(self._config.compute_dtype)
    )
    return superres_refiner.SuperResRefiner(sizes, rngs)

  def loss(
    self,
    model: superres_refiner.SuperResRefiner,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over examples; see the class."""
    flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()}
    images = flat["images"].astype(jnp.float32) / 255
    time, exposure = flat["time"], flat["exposure"]
    made = weights.load(self._config.refiner.base)(
      images,
      flat["flow"].astype(jnp.float32),
      flat["bend"].astype(jnp.float32),
      time,
      exposure,
    )
    truth = flat["truth"].astype(jnp.float32) / 255
    lacking = superres_refiner.residual(made, truth)
    for_noise, for_time = jax.random.split(rng)
    noise = jax.random.normal(for_noise, lacking.shape)
    moment = generator_flow.sample_times(for_time, len(time))
    point = generator_flow.interpolate(lacking, noise, moment)
    given = superres_refiner.condition(images, made, time, exposure)
    error = (model(point, moment, given) - (lacking - noise)) ** 2
    weight = jnp.minimum(
      superres_refiner.unit(made) / self._config.refiner.matters, 1
    )
    border = self._config.loss.border
    inner = slice(border, -border)
    total = (error * weight)[:, inner, inner].mean()
    return total, {"error": error.mean()}

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches, as for the synthesis."""
    return self._like.dataset(
      split,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of the global batch."""
    return self._like.batch_spec()

  def evaluate(
    self,
    model: superres_refiner.SuperResRefiner,
    log: Callable[[str], None],
  ) -> dict[str, float]:
    """PSNR, and detail as a share of the true, on windows by steps."""
    shots = list(protocol.read_shots(self._paths(self._config.eval_split)))
    wanted = np.linspace(0, len(shots) - 1, self._config.eval_windows)
    found = [
      protocol.sharp_window(protocol.Footage(shots[round(k)]), 4, 1)
      for k in wanted
    ]
    base = weights.load(self._config.refiner.base)
    metrics: dict[str, float] = {}
    for steps in self._config.refiner.eval_steps:
      machine = interpolator.FrameInterpolator(
        base, refinement=interpolator.Refinement(model, steps)
      )
      scores = [
        (frames.psnr(picture, truth), frames.detail(picture, truth))
        for window in found
        if window is not None
        for picture, truth in zip(
          machine.window(window.inputs, window.times, 0.0, window.outer),
          window.truths,
          strict=True,
        )
      ]
      quality, detail = np.mean(scores, 0)
      metrics[f"psnr_{steps}"] = float(quality)
      metrics[f"detail_{steps}"] = float(detail)
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return metrics

  def export(
    self, model: superres_refiner.SuperResRefiner, path: pathlib.Path
  ) -> None:
    """Writes the weights."""
    weights.save_refiner(path, model)

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    return self._like.data_fingerprint()

  def _paths(self, split: str) -> list[pathlib.Path]:
    return protocol.shards(pathlib.Path(self._config.data.records), split)
