"""The speed estimator, as the training loop sees it."""

import functools
import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax import nnx

from experiments.speed_estimator import dataset, protocol, scene_mixing
from speedflow.data import motion, records
from speedflow.estimate import weights
from speedflow.models import motion_net

# Groups of training data whose labels are counted for their frequency.
_COUNTED_GROUPS = 1_000


class Experiment:
  """Equivariant, anchored estimation of log2 step from motion maps.

  The loss of a group is the cross-entropy to a narrow Gaussian about the
  known log2 step, where it is known, and always
  (f(clip 1) - f(clip 2) - log2 of their true speed ratio)^2, softened for
  large errors (Seeing Fast and Slow, arXiv 2604.21931, self-supervised speed
  estimation).
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = motion_net.MotionNetConfig(
      dtype=jnp.dtype(config.compute_dtype), **config.model
    )

  def init_model(self, rngs: nnx.Rngs) -> motion_net.MotionNet:
    """Builds the network, or goes on with weights that there are."""
    model = motion_net.MotionNet(self._net, rngs)
    if self._config.start_from:
      known, _ = weights.SPEED.load(self._config.start_from)
      nnx.update(model, nnx.state(known, nnx.Param))
    return model

  def loss(
    self,
    model: motion_net.MotionNet,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over groups; see the class."""
    flat = {
      name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()
    }  # [groups, 2, ...] -> [2 groups, ...]
    rng, mixing = jax.random.split(rng)
    maps, length = scene_mixing.mix_scenes(
      mixing,
      flat["maps"],
      flat["length"],
      flat["log2_step"],
      jnp.arange(len(flat["length"])) // dataset.CLIPS_PER_GROUP,
      chance=self._config.data.mix,
      patch=self._net.patch,
    )
    logits = model(maps, length, rng)
    centres = self._net.centres
    known = ~jnp.isnan(flat["log2_step"])
    truth = jnp.where(known, flat["log2_step"], 0.0)
    target = jax.nn.softmax(
      -0.5 * ((centres - truth[:, None]) / self._config.loss.label_width) ** 2
    )
    entropy = optax.softmax_cross_entropy(logits, target)
    anchor = (entropy * known).sum() / jnp.maximum(known.sum(), 1)
    estimate = motion_net.expectation(logits, centres)
    pair = estimate.reshape(-1, dataset.CLIPS_PER_GROUP)
    factor = batch["log2_factor"]
    miss = (pair[:, 0] - pair[:, 1]) - (factor[:, 0] - factor[:, 1])
    equivariance = optax.huber_loss(miss, delta=1.0).mean() * 2.0
    error = jnp.abs(estimate - truth) * known
    return anchor + self._config.loss.equivariance * equivariance, {
      "anchor": anchor,
      "equivariance": equivariance,
      "mae": error.sum() / jnp.maximum(known.sum(), 1),
    }

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of groups."""
    return dataset.training_batches(
      self._config.data,
      self._paths(split),
      batch_size=self._config.batch_size // process_count,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of the global batch."""
    rows = (self._config.batch_size, dataset.CLIPS_PER_GROUP)
    maps = (self._config.data.maps, *motion.MAP_SIZE, len(motion.CHANNELS))
    spec = jax.ShapeDtypeStruct
    return {
      "maps": spec((*rows, *maps), jnp.float16),
      "length": spec(rows, jnp.int32),
      "log2_step": spec(rows, jnp.float32),
      "log2_factor": spec(rows, jnp.float32),
    }

  def evaluate(
    self, model: motion_net.MotionNet, log: Callable[[str], None]
  ) -> dict[str, float]:
    """The 1x / 2x / 4x task on real-time clips of `config.eval_split`."""
    left_out = self._config.data.leave_out
    records = [
      record
      for record in protocol.read_records(self._paths(self._config.eval_split))
      # They must not choose a checkpoint either.
      if record.source not in left_out
    ]
    centres = np.asarray(self._net.centres)
    frequency = self.label_frequency
    metrics: dict[str, float] = {}
    for frames in self._config.eval_frames:
      data = protocol.windows(records, frames)
      answers = protocol.answers_of_distribution(
        protocol.predict(model, data.maps), frequency, centres, data
      )
      scores = protocol.realtime_scores(answers, data, intervals=False)
      metrics |= {
        f"{name}_{frames}": figure[0] for name, figure in scores.items()
      }
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    metrics["selection"] = float(
      np.mean([metrics[f"mae_{n}"] for n in self._config.eval_frames])
    )
    return metrics

  def export(self, model: motion_net.MotionNet, path: pathlib.Path) -> None:
    """Writes the weights for `speedflow.load_estimator`."""
    weights.SPEED.save(path, model, {"window": self._config.data.maps})

  @functools.cached_property
  def label_frequency(self) -> np.ndarray:
    """How often each bin is the label in training, float64 [bins]."""
    stream = self.dataset("train", seed=0, process_index=0, process_count=1)
    groups = range(0, _COUNTED_GROUPS, self._config.batch_size)
    batches = [batch for _, batch in zip(groups, stream, strict=False)]
    return protocol.label_frequency(batches, np.asarray(self._net.centres))

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    parts = [self._paths(split) for split in ("train", self._config.eval_split)]
    parts += dataset.made_shards(self._config.data).values()
    return records.fingerprint(*parts)

  def _paths(self, split: str) -> list[pathlib.Path]:
    return records.split_shards(pathlib.Path(self._config.data.records), split)
