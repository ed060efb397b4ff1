"""The sound speed network, as the training loop sees it."""

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

from experiments.sound_speed import dataset
from speedflow.data import records
from speedflow.estimate import weights
from speedflow.evaluation import speed
from speedflow.models import motion_net, sound_net
from speedflow.sound import spectra

# Octaves of speed at which original sounds are judged while training.
_EVALUATED = (-2.0, -1.0, 0.0, 1.0, 2.0)


class Experiment:
  """Equivariant, anchored estimation of log2 speed from sound.

  The loss of a group is the cross-entropy to a narrow Gaussian about the
  speed at which each of two windows of one sound is played, original sound
  being 1x, and the squared error of the difference between the two, softened
  for large errors.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = sound_net.SoundNetConfig(
      bands=spectra.BANDS,
      dtype=jnp.dtype(config.compute_dtype),
      **config.model,
    )

  def init_model(self, rngs: nnx.Rngs) -> sound_net.SoundNet:
    """Builds the network."""
    return sound_net.SoundNet(self._net, rngs)

  def loss(
    self,
    model: sound_net.SoundNet,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over groups; see the class."""
    flat = {
      name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()
    }  # [groups, 2, ...] -> [2 groups, ...]
    logits = model(flat["decibels"], rng)
    centres, truth = self._net.centres, flat["log2_speed"]
    target = jax.nn.softmax(
      -0.5 * ((centres - truth[:, None]) / self._config.loss.label_width) ** 2
    )
    anchor = optax.softmax_cross_entropy(logits, target).mean()
    error = motion_net.expectation(logits, centres) - truth
    pair = error.reshape(-1, dataset.WINDOWS_PER_GROUP)
    miss = pair[:, 0] - pair[:, 1]
    equivariance = optax.huber_loss(miss, delta=1.0).mean() * 2.0
    return anchor + self._config.loss.equivariance * equivariance, {
      "anchor": anchor,
      "equivariance": equivariance,
      "mae": jnp.abs(error).mean(),
    }

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of groups."""
    return dataset.training_batches(
      self._config.data,
      self._net.columns,
      self._paths(split),
      batch_size=self._config.batch_size // process_count,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of the global batch."""
    rows = (self._config.batch_size, dataset.WINDOWS_PER_GROUP)
    window = (self._net.columns, self._net.bands)
    return {
      "decibels": jax.ShapeDtypeStruct((*rows, *window), jnp.float16),
      "log2_speed": jax.ShapeDtypeStruct(rows, jnp.float32),
    }

  def evaluate(
    self, model: sound_net.SoundNet, log: Callable[[str], None]
  ) -> dict[str, float]:
    """Original sounds of `config.eval_split` at 1/4 to 4 times their speed."""
    windows, truth = self._evaluated
    predict = nnx.jit(
      lambda model, x: motion_net.expectation(model(x), self._net.centres)
    )
    estimate = np.concatenate(
      [
        np.asarray(predict(model, jnp.asarray(part)))
        for part in np.array_split(windows, -(-len(windows) // 64))
      ]
    )
    scores = speed.score(estimate, truth)
    metrics = {"mae": scores.mae, "factor_error": scores.factor_error}
    for octaves in np.unique(truth):
      at = truth == octaves
      metrics[f"mae_{2**octaves:g}x"] = float(
        np.abs(estimate - truth)[at].mean()
      )
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return metrics

  def export(self, model: sound_net.SoundNet, path: pathlib.Path) -> None:
    """Writes the weights for `speedflow.estimate.sound_speed`."""
    weights.SOUND.save(path, model)

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    splits = ("train", self._config.eval_split)
    return records.fingerprint(*map(self._paths, splits))

  @functools.cached_property
  def _evaluated(self) -> tuple[np.ndarray, np.ndarray]:
    """Windows of all sounds at all speeds [n, columns, bands]; truth [n]."""
    source = dataset.SoundSource(self._paths(self._config.eval_split))
    return dataset.fixed_windows(source.sounds, _EVALUATED, self._net.columns)

  def _paths(self, split: str) -> list[pathlib.Path]:
    return records.split_shards(pathlib.Path(self._config.data.records), split)
