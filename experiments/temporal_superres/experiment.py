"""Temporal super-resolution, as the training loop sees it."""

import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

from experiments.temporal_superres import dataset, protocol
from speedflow.data import records
from speedflow.errors import SpeedflowError
from speedflow.evaluation import frames
from speedflow.models import superres
from speedflow.superres import interpolator, weights


class Experiment:
  """Deblurring and interpolation, learnt from the frames left out.

  The loss of an example is the logarithm of its error, so that gains count in
  decibels whether a clip is easy or hard: half of it the root mean square,
  which is what PSNR measures, half the mean absolute error (Charbonnier, of
  values and of their gradients), which learns from every pixel and not the
  worst alone. Beside it the likelihood of the error under the predicted
  uncertainty, which does not touch the picture.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = superres.SuperResConfig(
      dtype=jnp.dtype(config.compute_dtype), **config.model
    )

  def init_model(self, rngs: nnx.Rngs) -> superres.SuperResNet:
    """Builds the network."""
    model = superres.SuperResNet(self._net, rngs)
    if self._config.initial:
      trained, _ = weights.SUPERRES.load(self._config.initial)
      nnx.update(model, nnx.state(trained, nnx.Param))
    return model

  def loss(
    self,
    model: superres.SuperResNet,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over examples; see the class."""
    del rng  # Nothing here is random.
    flat = {
      name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()
    }  # [shots, crops, ...] -> [shots * crops, ...]
    truth = flat["truth"].astype(jnp.float32) / 255
    made = model(
      flat["images"].astype(jnp.float32) / 255,
      flat["flow"].astype(jnp.float32),
      flat["bend"].astype(jnp.float32),
      flat["time"],
      flat["exposure"],
    )
    # At the border of a crop, what is needed may lie outside.
    border = self._config.loss.border
    inner = slice(border, -border)
    error = (made.image - truth)[:, inner, inner]
    down = error[:, 1:] - error[:, :-1]
    right = error[:, :, 1:] - error[:, :, :-1]
    gradients = _charbonnier(down) + _charbonnier(right)
    size = _charbonnier(error) + self._config.loss.gradients * gradients
    floor = self._config.loss.floor
    power = (error**2).mean((1, 2, 3))
    quality = (jnp.log(size + floor) + jnp.log(power + floor**2) / 2) / 2

    absolute = jax.lax.stop_gradient(jnp.abs(made.image - truth)).mean(-1)
    b, height, width = absolute.shape
    absolute = absolute.reshape(b, height // 2, 2, width // 2, 2).mean((2, 4))
    scale = made.uncertainty + 1e-3
    surprise = (absolute / scale + jnp.log(scale)).mean()
    return quality.mean() + self._config.loss.uncertainty * surprise, {
      "psnr": -10 * jnp.log10(power + 1e-8).mean(),
      "surprise": surprise,
    }

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches."""
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
    rows = (self._config.batch_size, self._config.data.crops)
    size = (self._config.data.crop, self._config.data.crop)
    spec = jax.ShapeDtypeStruct
    return {
      "images": spec((*rows, 2, *size, 3), jnp.uint8),
      "truth": spec((*rows, *size, 3), jnp.uint8),
      "flow": spec((*rows, 2, *size, 2), jnp.float16),
      "bend": spec((*rows, *size, 2), jnp.float16),
      "time": spec(rows, jnp.float32),
      "exposure": spec(rows, jnp.float32),
    }

  def evaluate(
    self, model: superres.SuperResNet, log: Callable[[str], None]
  ) -> dict[str, float]:
    """PSNR on busy windows of `config.eval_split`, and above DIS flow's."""
    shots = list(protocol.read_shots(self._paths(self._config.eval_split)))
    wanted = np.linspace(0, len(shots) - 1, self._config.eval_windows)
    footage = [protocol.Footage(shots[round(k)]) for k in wanted]
    scenes = protocol.scenes([shot.image(0) for shot in shots], len(footage))
    windows = {
      "sharp_2x": (protocol.sharp_window(each, 2, 1) for each in footage),
      "sharp_4x": (protocol.sharp_window(each, 4, 1) for each in footage),
      "blurred_8x": (protocol.scene_window(scene, 0.75) for scene in scenes),
    }
    metrics: dict[str, float] = {}
    machine = interpolator.FrameInterpolator(model)
    for name, found in windows.items():
      ours: list[float] = []
      classical: list[float] = []
      for window in filter(None, found):
        made = machine.window(
          window.inputs, window.times, window.exposure, window.outer
        )
        simple = interpolator.classical(window.inputs, window.times)
        for into, pictures in ((ours, made), (classical, simple)):
          scores = map(frames.psnr, pictures, window.truths)
          into.append(float(np.mean(list(scores))))
      if not ours:
        raise SpeedflowError(
          f"{self._config.data.records}: nothing moves enough in the split "
          f"{self._config.eval_split!r} to measure {name}; add livelier clips"
        )
      metrics[f"psnr_{name}"] = float(np.mean(ours))
      metrics[f"gain_{name}"] = float(np.mean(ours) - np.mean(classical))
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    metrics["selection"] = -float(
      np.mean([metrics[f"gain_{name}"] for name in windows])
    )
    return metrics

  def export(self, model: superres.SuperResNet, path: pathlib.Path) -> None:
    """Writes the weights for `speedflow superres`."""
    weights.SUPERRES.save(path, model)

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    splits = ("train", self._config.eval_split)
    return records.fingerprint(*map(self._paths, splits))

  def _paths(self, split: str) -> list[pathlib.Path]:
    return records.split_shards(pathlib.Path(self._config.data.records), split)


def _charbonnier(error: jax.Array) -> jax.Array:
  """Mean of sqrt(x^2 + eps^2) - eps for each example [b, h, w, c] -> [b]."""
  epsilon = 4e-3
  return (jnp.sqrt(error**2 + epsilon**2) - epsilon).mean((1, 2, 3))
