"""The speed-change detector, as the training loop sees it."""

import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
from flax import nnx

from experiments.speed_change import dataset, protocol
from speedflow.data import motion, records
from speedflow.detect import weights
from speedflow.models import change_net


class Experiment:
  """Finds changes of speed in motion maps.

  A window has one answer, "nowhere" or one of its moments, and the loss is the
  cross-entropy of that choice, in which the moments beside a change are as
  good as the change; plus the likelihood of the log2 ratio at the change.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = change_net.ChangeNetConfig(
      dtype=jnp.dtype(config.compute_dtype), **config.model
    )

  def init_model(self, rngs: nnx.Rngs) -> change_net.ChangeNet:
    """Builds the network, from other weights where `config.initial` is set."""
    model = change_net.ChangeNet(self._net, rngs)
    if self._config.initial:
      trained, _ = weights.CHANGE.load(self._config.initial)
      nnx.update(model, nnx.state(trained, nnx.Param))
    return model

  def loss(
    self,
    model: change_net.ChangeNet,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over windows; see the class."""
    flat = {
      name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()
    }  # [records, windows, ...] -> [records x windows, ...]
    found = model(flat["maps"], flat["log2_interval"], flat["length"], rng)
    target = flat["target"]
    changes = target.max(1)
    somewhere = _log_sum(found.logit, flat["weight"])
    there = _log_sum(found.logit, target)
    # log P(no change) = -softplus(somewhere): nothing has the logit 0.
    unlikely = jax.nn.softplus(somewhere) - jnp.where(changes > 0, there, 0.0)
    moment = unlikely.mean()
    miss = (found.log2_ratio - flat["log2_ratio"][:, None]) / found.spread
    # Laplace, since now and then a ratio is hopeless.
    wrong = jnp.abs(miss) + jnp.log(found.spread)
    ratio = (wrong * target).sum() / jnp.maximum(target.sum(), 1.0)
    return moment + self._config.loss.ratio * ratio, {
      "moment": moment,
      "ratio": ratio,
      "accuracy": ((somewhere > 0) == (changes > 0)).mean(),
    }

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of windows."""
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
    rows = (self._config.batch_size, self._config.data.sampler.windows)
    moments = (*rows, self._config.data.maps)
    spec = jax.ShapeDtypeStruct
    return {
      "maps": spec(
        (*moments, *motion.MAP_SIZE, len(motion.CHANNELS)), jnp.float16
      ),
      **{
        name: spec(moments, jnp.float32)
        for name in ("log2_interval", "target", "weight")
      },
      "length": spec(rows, jnp.int32),
      "log2_ratio": spec(rows, jnp.float32),
    }

  def evaluate(
    self, model: change_net.ChangeNet, log: Callable[[str], None]
  ) -> dict[str, float]:
    """Balanced windows of `config.eval_split`, looked up, not rendered."""
    windows = protocol.look_up(self._paths(self._config.eval_split))
    scores = protocol.score(windows, protocol.predict(model, windows))
    log(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    return scores

  def export(self, model: change_net.ChangeNet, path: pathlib.Path) -> None:
    """Writes the weights for `load_change_detector`."""
    weights.CHANGE.save(path, model)

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    splits = ("train", self._config.eval_split)
    return records.fingerprint(*map(self._paths, splits))

  def _paths(self, split: str) -> list[pathlib.Path]:
    return records.split_shards(
      pathlib.Path(self._config.data.records),
      split,
      "records of pairs",
      "`make changes` writes them",
    )


def _log_sum(logit: jax.Array, chosen: jax.Array) -> jax.Array:
  """Log of the sum of exp(logit) over the chosen moments, [b, t] -> [b]."""
  # Of no moments at all, a small number instead of none.
  return jax.nn.logsumexp(jnp.where(chosen > 0, logit, -1e3), axis=1)
