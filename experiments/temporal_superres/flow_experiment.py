"""Learnt flow at a time, as the training loop sees it."""

import pathlib
from collections.abc import Callable

import grain
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

from experiments.temporal_superres import flow_dataset
from speedflow.evaluation import frames
from speedflow.models import planes, time_flow
from speedflow.superres import interpolator, weights

# The teacher counts e times less where its picture is off by so many levels.
_TRUSTED = 4.0


class Experiment:
  """Flow that fetches the true picture, and is like RIFE's where that is right.

  The loss is the error of the picture that both ends of the flow make, of its
  values and gradients; that of the better end alone, which tells what occlusion
  hides from the sum; and the distance to the teacher's flow, at every scale.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    """Reads the configuration; data are opened when they are asked for."""
    self._config = config
    self._net = time_flow.TimeFlowConfig(
      dtype=jnp.dtype(config.compute_dtype), **config.model
    )

  def init_model(self, rngs: nnx.Rngs) -> time_flow.TimeFlow:
    """Builds the network."""
    return time_flow.TimeFlow(self._net, rngs)

  def loss(
    self,
    model: time_flow.TimeFlow,
    batch: dict[str, jax.Array],
    rng: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean loss over examples; see the class."""
    del rng  # Nothing here is random.
    images = batch["images"].astype(jnp.float32) / 255
    found = model(images[:, ::2], batch["time"])
    truth = planes.of_image(images[:, 1])
    ends = _ends(found, images)
    share = jax.nn.sigmoid(planes.enlarge(found.share[:, None], 4))
    fused = share * ends[0] + (1 - share) * ends[1]
    weight = self._config.loss
    one, two = (_charbonnier(end - truth) for end in ends)
    better = jnp.minimum(one, two).mean()
    error = fused - truth
    picture = _charbonnier(error).mean() + weight.gradients * (
      _charbonnier(error[..., 1:] - error[..., :-1]).mean()
      + _charbonnier(error[..., 1:, :] - error[..., :-1, :]).mean()
    )
    trust = jnp.exp(-batch["wrong"] / _TRUSTED)
    distances = []
    for flow, size in zip(found.flows, (4, 2, 1), strict=True):
      whole = _enlarged(flow, size)
      astray = jnp.sqrt(((whole - batch["flow"]) ** 2).sum(-1) + 0.01)
      distances.append((trust[:, None] * astray).mean() / trust.mean())
    taught = (
      distances[2] + 0.5 * distances[1] + 0.25 * distances[0]
    ) * weight.taught
    total = picture + weight.better * better + taught
    power = (error**2).mean((1, 2, 3))
    return total, {
      "psnr": -10 * jnp.log10(power + 1e-8).mean(),
      "astray": distances[2],
      "astray_coarse": distances[0],
    }

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of batches."""
    return flow_dataset.training_batches(
      self._config.data,
      self._examples(split),
      batch_size=self._config.batch_size // process_count,
      seed=seed,
      process_index=process_index,
      process_count=process_count,
    )

  def batch_spec(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of the global batch."""
    b, data = self._config.batch_size, self._config.data
    small = (data.height // 4, data.width // 4)
    spec = jax.ShapeDtypeStruct
    return {
      "images": spec((b, 3, data.height, data.width, 3), jnp.uint8),
      "time": spec((b,), jnp.float32),
      "flow": spec((b, 2, *small, 2), jnp.float32),
      "wrong": spec((b, *small), jnp.float32),
    }

  def evaluate(
    self, model: time_flow.TimeFlow, log: Callable[[str], None]
  ) -> dict[str, float]:
    """PSNR of the picture that the flow alone makes, and DIS flow's."""
    graph, state = nnx.split(model)

    @jax.jit
    def run(images: jax.Array, time: jax.Array) -> tuple[jax.Array, ...]:
      found = nnx.merge(graph, state)(images[:, ::2], time)
      ends = _ends(found, images)
      share = jax.nn.sigmoid(planes.enlarge(found.share[:, None], 4))
      fused = planes.to_image(share * ends[0] + (1 - share) * ends[1])
      return fused, found.flows[-1]

    rows = []
    source = self._examples(self._config.eval_split)
    for k in range(min(len(source), self._config.eval_examples)):
      row = source[k]
      images = row["images"][None].astype(np.float32) / 255
      fused, flow = run(images, row["time"][None])
      first, truth, second = row["images"]
      made = np.rint(np.clip(np.asarray(fused[0]), 0, 1) * 255)
      (simple,) = interpolator.classical([first, second], [float(row["time"])])
      astray = np.asarray(flow[0]) - row["flow"].astype(np.float32)
      rows.append(
        (
          frames.psnr(made.astype(np.uint8), truth),
          frames.psnr(simple, truth),
          np.hypot(astray[..., 0], astray[..., 1]).mean(),
          np.hypot(row["flow"][..., 0], row["flow"][..., 1]).mean(),
        )
      )
    ours, dis, astray, _ = np.mean(rows, 0)
    far = np.array([row[:2] for row in rows if row[3] > 8])
    metrics = {
      "psnr": float(ours),
      "gain": float(ours - dis),
      "gain_far": float(np.diff(far.mean(0))[0] * -1) if len(far) else 0.0,
      "astray": float(astray),
    }
    log(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    metrics["selection"] = -metrics["psnr"]
    return metrics

  def export(self, model: time_flow.TimeFlow, path: pathlib.Path) -> None:
    """Writes the weights for `speedflow superres`."""
    weights.TIME_FLOW.save(path, model)

  def _examples(self, split: str) -> flow_dataset.Examples:
    return flow_dataset.Examples(
      pathlib.Path(self._config.data.examples), split
    )


def _ends(
  found: time_flow.Found, images: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """What the flow fetches of both frames: planes [b, 3, h, w]."""
  flow = _enlarged(found.flows[-1], 4)
  first, second = (
    planes.warp(images[:, 2 * k], planes.of_image(flow[:, k])) for k in (0, 1)
  )
  return first, second


def _enlarged(flow: jax.Array, factor: int) -> jax.Array:
  """[b, 2, h, w, 2], more finely."""
  if factor == 1:
    return flow
  return jnp.stack(
    [
      planes.to_image(planes.enlarge(planes.of_image(flow[:, k]), factor))
      for k in (0, 1)
    ],
    1,
  )


def _charbonnier(error: jax.Array) -> jax.Array:
  epsilon = 4e-3
  return jnp.sqrt(error**2 + epsilon**2) - epsilon
