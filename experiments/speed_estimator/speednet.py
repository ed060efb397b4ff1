"""A baseline after SpeedNet: 1x or 2x, from pixels alone.

A binary classifier on windows of 16 frames, both speeds of a clip in the same
batch, space pooled by its maximum and time by its mean, as in SpeedNet
(Benaim et al., CVPR 2020, section 3). The network is far smaller than theirs,
an S3D, and has a few hundred clips where they had 400,000.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import cv2
import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax import nnx

from experiments.speed_estimator import protocol
from speedflow.data import pipeline, records
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report

FRAMES = 16
SIZE = (48, 64)
STRIDES = (1, 2)


class SpeedNet(nnx.Module):
  """Grey windows -> logits of 1x and 2x."""

  def __init__(self, widths: tuple[int, ...], rngs: nnx.Rngs):
    """Builds one block of halved height and width for each of `widths`."""
    pairs = list(zip((1, *widths), widths, strict=False))
    self.space = nnx.List(
      [nnx.Conv(a, b, (3, 3), strides=2, rngs=rngs) for a, b in pairs]
    )
    self.time = nnx.List([nnx.Conv(b, b, (3, 1), rngs=rngs) for b in widths])
    self.logits = nnx.Linear(
      widths[-1],
      len(STRIDES),
      kernel_init=nnx.initializers.zeros,
      rngs=rngs,
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps float [b, t, h, w] to logits, float [b, 2]."""
    x = x[..., None]
    for space, time in zip(self.space, self.time, strict=True):
      b, t = x.shape[:2]
      x = nnx.relu(space(x.reshape(b * t, *x.shape[2:])))
      _, h, w, c = x.shape
      x = x.reshape(b, t, h * w, c)
      x = (x + nnx.relu(time(x))).reshape(b, t, h, w, c)
    return self.logits(x.max((2, 3)).mean(1))


class PairSampler:
  """A transform: shot record -> one window at 1x and one at 2x."""

  def __call__(
    self, encoded: bytes, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws windows, uint8 [2, 16, 48, 64], and their classes, int32 [2]."""
    shot = ShotRecord.decode(encoded)
    windows = []
    for stride in STRIDES:
      span = (FRAMES - 1) * stride
      # A shot that is too short is played to and fro.
      start = int(rng.integers(max(1, shot.num_frames - span)))
      windows.append(
        window_frames(shot, start + stride * np.arange(FRAMES), rng)
      )
    return {"frames": np.stack(windows), "twice": np.arange(2, dtype=np.int32)}


def window_frames(
  shot: ShotRecord, indices: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
  """Frames uint8 [t, 48, 64]; dressed, all alike, when there is a `rng`."""
  last = shot.num_frames - 1
  bounced = last - np.abs(last - indices % (2 * last)) if last else indices * 0
  images = [shot.image(int(i), gray=True, reduce=4) for i in bounced]
  top, left, side, gain, offset, flip = 0.0, 0.0, 1.0, 1.0, 0.0, False
  if rng is not None:
    # Of any size, as SpeedNet's: not its scaling shall tell a speed.
    side = rng.uniform(0.5, 1.0)
    top, left = rng.uniform(0, 1 - side, 2)
    gain, offset = rng.uniform(0.7, 1.3), rng.uniform(-20, 20)
    flip = rng.random() < 0.5
  height, width = images[0].shape
  rows = slice(int(top * height), int(top * height + side * height))
  columns = slice(int(left * width), int(left * width + side * width))
  small = np.stack(
    [
      cv2.resize(image[rows, columns], SIZE[::-1], interpolation=cv2.INTER_AREA)
      for image in images
    ]
  )
  small = small[:, :, ::-1] if flip else small
  return np.clip(small * gain + offset, 0, 255).astype(np.uint8)


class Experiment:
  """SpeedNet's task; see the module."""

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration."""
    self._config = config

  def init_model(self, rngs: nnx.Rngs) -> SpeedNet:
    """Builds the network."""
    return SpeedNet(tuple(self._config.model.widths), rngs)

  def loss(
    self, model: SpeedNet, batch: dict[str, jax.Array], rng: jax.Array
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Cross-entropy, and the share of right answers."""
    del rng
    logits = model(contrast(batch["frames"].reshape(-1, FRAMES, *SIZE)))
    twice = batch["twice"].reshape(-1)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, twice)
    return loss.mean(), {"accuracy": (logits.argmax(-1) == twice).mean()}

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches of pairs."""
    return pipeline.batches(
      records.RecordSource(self._paths(split)),
      [PairSampler()],
      batch_size=self._config.batch_size // process_count,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, Any]:
    """Shapes of the global batch."""
    rows = (self._config.batch_size, len(STRIDES))
    return {
      "frames": jax.ShapeDtypeStruct((*rows, FRAMES, *SIZE), jnp.uint8),
      "twice": jax.ShapeDtypeStruct(rows, jnp.int32),
    }

  def evaluate(
    self, model: SpeedNet, log: Callable[[str], None]
  ) -> dict[str, float]:
    """Accuracy on windows of real-time shots, as the protocol cuts them."""
    windows, truth, group = [], [], []
    for encoded in records.RecordSource(self._paths(self._config.eval_split)):
      shot = ShotRecord.decode(encoded)
      if shot.category != "realtime":
        continue
      for twice, stride in enumerate(STRIDES):
        free = (shot.num_frames - 1) // stride - (FRAMES - 1)
        if free < 0:
          continue
        starts = np.linspace(0, free, protocol.WINDOWS_PER_SHOT).astype(int)
        for start in np.unique(starts):
          indices = (start + np.arange(FRAMES)) * stride
          windows.append(window_frames(shot, indices, None))
          truth.append(twice)
          group.append(shot.scene_group)
    infer = nnx.jit(lambda model, x: model(x).argmax(-1))
    chosen = np.concatenate(
      [
        infer(model, contrast(np.stack(windows[i : i + 64])))
        for i in range(0, len(windows), 64)
      ]
    )
    right = chosen == np.array(truth)
    accuracy = report.interval(
      lambda i: float(right[i].mean()), np.array(group)
    )
    log(f"1x against 2x: {accuracy.cell('.3f')}")
    return {
      "accuracy_1x_2x": accuracy.value,
      "accuracy_1x_2x_low": accuracy.low,
      "accuracy_1x_2x_high": accuracy.high,
      "windows": len(windows),
    }

  def data_fingerprint(self) -> str:
    """A digest of the training and validation records."""
    splits = ("train", self._config.eval_split)
    return records.fingerprint(*map(self._paths, splits))

  def _paths(self, split: str) -> list[pathlib.Path]:
    return records.split_shards(pathlib.Path(self._config.data.records), split)


def contrast(frames: jax.Array | np.ndarray) -> jax.Array:
  """Contrast of its own for each window: float32 [b, t, h, w]."""
  x = jnp.asarray(frames, jnp.float32)
  x -= x.mean((1, 2, 3), keepdims=True)
  return x / (x.std((1, 2, 3), keepdims=True) + 4.0)
