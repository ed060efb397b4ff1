"""What Wan is trained by."""

from typing import TypeVar

import jax
import jax.numpy as jnp

from speedflow.models.wan import sampler, transformer

_Number = TypeVar("_Number", float, jax.Array)


def times(uniform: _Number, shift: float) -> _Number:
  """Times of the flow, moved towards the noise as Wan's are.

  Args:
    uniform: 0..1; 0.5 gives the median of the times that are trained on.
    shift: see `index.Trained`.

  Returns:
    0 (clean) to 1, like `uniform`.
  """
  return shift * uniform / (1 + (shift - 1) * uniform)


def draw_times(
  key: jax.Array, count: int, shift: float, within: tuple[float, float]
) -> jax.Array:
  """Times to train on: drawn evenly, and moved towards the noise.

  Args:
    key: of the draw.
    count: how many.
    shift: see `times`.
    within: the least and the largest; others are not drawn.

  Returns:
    float32 [count].
  """
  low, high = (time / (shift - (shift - 1) * time) for time in within)
  even = jax.random.uniform(key, (count,), minval=low, maxval=high)
  return times(even, shift)


def velocity_error(
  model: transformer.Transformer,
  batch: dict[str, jax.Array],
  noise: jax.Array,
  time: jax.Array,
  weight: jax.Array | None = None,
) -> jax.Array:
  """The squared error of the velocity from latents to noise, float32 [b].

  That of rectified flow (arXiv 2209.03003), a mean over all of a clip.

  Args:
    model: Wan.
    batch: of clips; see `examples`.
    noise: float32, like the latents.
    time: of the flow, 0 (clean) to 1, float [b].
    weight: how each place counts, float [b, t, h, w]; all alike if None.
  """
  latents = batch["latents"].astype(jnp.float32)
  part = time[:, None, None, None, None]
  noisy = (1 - part) * latents + part * noise
  given = jnp.concatenate([noisy, batch["beside"].astype(jnp.float32)], -1)
  found = model(
    given,
    sampler.TIMES * time,
    batch["words"],
    batch.get("image"),
    batch["log2_speed"],
    batch["has_speed"],
  )
  error = jnp.square(found.astype(jnp.float32) - (noise - latents))
  if weight is not None:
    error = error * weight[..., None]
  return error.mean((1, 2, 3, 4))
