"""How the transformer is told the speed.

As in Seeing Fast and Slow (arXiv 2604.21931), Wan is conditioned on playback
speed beside the time of the flow. The clip's mean speed joins the time's
embedding; each latent frame's own joins its tokens, for ramps. Both are zero
before training.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models.wan import layers
from speedflow.models.wan.config import Computation

# Sines and cosines of log2 speed; the longest wave spans the usual range, and
# the shortest half an octave.
_WAVES = 16
_LONGEST, _SHORTEST = 16.0, 0.5


class SpeedEmbedder(nnx.Module):
  """Embeds log2 speed of clips and of their latent frames."""

  def __init__(self, width: int, computed: Computation, rngs: nnx.Rngs):
    """Makes it, giving zero.

    Args:
      width: features of a token.
      computed: `speed` is "fourier" for a continuous number, or "buckets" for
        the nearest of some log-spaced speeds, as in the paper.
      rngs: for its parameters.
    """
    self.computed = computed
    given = 2 * _WAVES
    if computed.speed == "buckets":
      given = computed.speed_buckets
    make = functools.partial(layers.linear, computed, dtype=jnp.float32)
    self.hidden = make(given, width, rngs)
    self.of_clip = make(width, width, rngs)
    self.of_frame = make(width, width, rngs)
    for last in (self.of_clip, self.of_frame):
      last.kernel[...] = jnp.zeros_like(last.kernel[...])

  def __call__(
    self, log2_speed: jax.Array, has_speed: jax.Array | None = None
  ) -> tuple[jax.Array, jax.Array]:
    """Embeds speeds.

    Args:
      log2_speed: of each latent frame, float [b, t].
      has_speed: bool [b], which clips are told theirs; all if None.

    Returns:
      For clips float32 [b, width], for frames float32 [b, t, width].
    """
    mean = log2_speed.mean(1, keepdims=True)
    clip = self.of_clip(self._embedded(mean))[:, 0]
    frames = self.of_frame(self._embedded(log2_speed))
    if has_speed is not None:
      clip = jnp.where(has_speed[:, None], clip, 0.0)
      frames = jnp.where(has_speed[:, None, None], frames, 0.0)
    return clip, frames

  def _embedded(self, log2_speed: jax.Array) -> jax.Array:
    config = self.computed
    if config.speed == "buckets":
      last = config.speed_buckets - 1
      place = (log2_speed - config.speed_low) * last
      place = place / (config.speed_high - config.speed_low)
      nearest = jnp.clip(jnp.round(place), 0, last).astype(jnp.int32)
      given = jax.nn.one_hot(nearest, config.speed_buckets)
    else:
      lengths = jnp.geomspace(_LONGEST, _SHORTEST, _WAVES)
      turns = 2 * jnp.pi * log2_speed[..., None] / lengths
      given = jnp.concatenate([jnp.sin(turns), jnp.cos(turns)], -1)
    return nnx.silu(self.hidden(given))
