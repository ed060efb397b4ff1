"""How the transformer is told the speed.

As in Seeing Fast and Slow (arXiv 2604.21931), Wan is conditioned on playback
speed beside the time of the flow. The clip's mean speed joins the time's
embedding; each latent frame's own joins its tokens, for ramps. With it may go
how much of the world's time has passed since the clip began: of what moves
evenly, that is how far it has come, where the speed alone leaves the network to
count frames. All are zero before training.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models.wan import layers, layout
from speedflow.models.wan.config import Computation

# Sines and cosines of log2 speed; the longest wave spans the usual range, and
# the shortest half an octave.
_WAVES = 16
_LONGEST, _SHORTEST = 16.0, 0.5
# Those of the world's time, in thirtieths of a second.
_LONGEST_PASSED, _SHORTEST_PASSED = 4_096.0, 1.0


class SpeedEmbedder(nnx.Module):
  """Embeds log2 speed of clips and of their latent frames."""

  def __init__(self, width: int, computed: Computation, rngs: nnx.Rngs):
    """Makes it, giving zero.

    Args:
      width: features of a token.
      computed: `speed` is "fourier" for a continuous number, or "buckets" for
        the nearest of some log-spaced speeds, as in the paper; `speed_clock`
        is whether latent frames are told the world's time.
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
    self.of_passed: nnx.Linear | None = nnx.data(None)
    if computed.speed_clock:
      self.of_passed = make(2 * _WAVES, width, rngs)
    for last in (self.of_clip, self.of_frame, self.of_passed):
      if last is not None:
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
    clip = self.of_clip(nnx.silu(self._hidden(mean)))[:, 0]
    hidden = self._hidden(log2_speed)
    if self.of_passed is not None:
      hidden = hidden + self.of_passed(_passed(log2_speed))
    frames = self.of_frame(nnx.silu(hidden))
    if has_speed is not None:
      clip = jnp.where(has_speed[:, None], clip, 0.0)
      frames = jnp.where(has_speed[:, None, None], frames, 0.0)
    return clip, frames

  def _hidden(self, log2_speed: jax.Array) -> jax.Array:
    config = self.computed
    if config.speed == "buckets":
      last = config.speed_buckets - 1
      place = (log2_speed - config.speed_low) * last
      place = place / (config.speed_high - config.speed_low)
      nearest = jnp.clip(jnp.round(place), 0, last).astype(jnp.int32)
      return self.hidden(jax.nn.one_hot(nearest, config.speed_buckets))
    return self.hidden(_waves(log2_speed, _LONGEST, _SHORTEST))


def _passed(log2_speed: jax.Array) -> jax.Array:
  """Waves of the world's time from the first frame to the last of a latent."""
  steps = layout.MASKS * jnp.exp2(log2_speed)
  # The first latent is of the first frame alone.
  passed = jnp.cumsum(steps.at[:, 0].set(0.0), 1)
  return _waves(passed, _LONGEST_PASSED, _SHORTEST_PASSED)


def _waves(x: jax.Array, longest: float, shortest: float) -> jax.Array:
  lengths = jnp.geomspace(longest, shortest, _WAVES)
  turns = 2 * jnp.pi * x[..., None] / lengths
  return jnp.concatenate([jnp.sin(turns), jnp.cos(turns)], -1)
