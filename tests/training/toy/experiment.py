"""Regression of a random linear map by a small network."""

import functools
import time

import grain
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

_FEATURES = 8


class _Network(nnx.Module):
  def __init__(self, width: int, rngs: nnx.Rngs):
    self.hidden = nnx.Linear(_FEATURES, width, rngs=rngs)
    self.norm = nnx.BatchNorm(width, rngs=rngs)
    self.dropout = nnx.Dropout(0.1)
    self.head = nnx.Linear(width, 1, rngs=rngs)

  def __call__(self, x, rng=None):
    x = nnx.relu(self.hidden(x))
    if not self.dropout.deterministic:
      x = self.dropout(x, rngs=rng)
    return self.head(self.norm(x))[:, 0]


class _Example(grain.transforms.RandomMap):
  def random_map(self, index, rng):
    x = np.random.default_rng(index).standard_normal(_FEATURES)
    y = x.sum() + 0.1 * rng.standard_normal()
    return {"x": x.astype(np.float32), "y": np.float32(y)}


class Experiment:
  def __init__(self, config):
    self._config = config

  def init_model(self, rngs):
    model = _Network(self._config.model.width, rngs)
    if not self._config.model.dropout:
      model.dropout = nnx.Dropout(0.0)
    return model

  def loss(self, model, batch, rng):
    if not self._config.model.batch_norm:
      model.norm.eval()
    error = model(batch["x"], rng) - batch["y"]
    loss = jnp.mean(error**2) * self._config.model.loss_scale
    return loss, {"mean_abs_error": jnp.mean(jnp.abs(error))}

  def dataset(self, split, *, seed, process_index, process_count):
    local = self._config.batch_size // process_count
    return (
      grain.MapDataset.range(256)
      .seed(seed)
      .shuffle()
      .random_map(_Example())
      .repeat(None, reseed_each_epoch=True)
      .batch(self._config.batch_size, drop_remainder=True)
      .map(functools.partial(self._part, process_index * local, local))
      .to_iter_dataset()
    )

  def _part(self, start, count, batch):
    time.sleep(self._config.seconds_per_batch)
    return {name: array[start : start + count] for name, array in batch.items()}

  def batch_spec(self):
    rows = self._config.batch_size
    return {
      "x": jax.ShapeDtypeStruct((rows, _FEATURES), jnp.float32),
      "y": jax.ShapeDtypeStruct((rows,), jnp.float32),
    }

  def evaluate(self, model, log):
    log(f"evaluating on {self._config.eval_split}")
    x = np.random.default_rng(0).standard_normal((64, _FEATURES))
    error = model(jnp.asarray(x, jnp.float32)) - x.sum(axis=1)
    return {"rmse": float(jnp.sqrt(jnp.mean(error**2)))}
