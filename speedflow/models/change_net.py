"""From motion maps to the moments at which speed changes.

As in `motion_net`, patches share one temporal network and the whole picture
has a second one, whose inputs are `change_statistics`, too. Everything is
local in time: the network is equivariant to shifts, and its receptive field is
`reach` maps on either side.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models import change_statistics
from speedflow.models.change_config import ChangeNetConfig
from speedflow.models.motion_net import (
  TemporalBlock,
  encode_maps,
  to_patches,
)

# Of `encode_maps`, without those that depend on the whole clip.
_CHANNELS = 8
# Octaves: smallest standard deviation of a ratio that is ever claimed.
_SHARPEST = 0.03


class Change(NamedTuple):
  """The network's outputs for each moment, each float32 [b, t].

  Row i is about the frame between map i - 1 and map i.

  Attributes:
    logit: that the speed changes there; the logit of no change at all is 0.
    log2_ratio: of the speed after it to the speed before it.
    spread: standard deviation of `log2_ratio`, octaves.
  """

  logit: jax.Array
  log2_ratio: jax.Array
  spread: jax.Array


class ChangeNet(nnx.Module):
  """Motion maps -> `Change` of every moment."""

  def __init__(self, config: ChangeNetConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    width, dtype = config.width, config.dtype
    self.embed = nnx.Linear(
      config.patch**2 * _CHANNELS + 1, width, dtype=dtype, rngs=rngs
    )
    self.embed_norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
    self.patch_blocks = nnx.List(
      [TemporalBlock(width, d, dtype, rngs) for d in config.patch_dilations]
    )
    self.statistics = nnx.Linear(
      change_statistics.COUNT, 2 * width, dtype=dtype, rngs=rngs
    )
    self.gather = nnx.Linear(5 * width, 2 * width, dtype=dtype, rngs=rngs)
    self.picture_blocks = nnx.List(
      [
        TemporalBlock(2 * width, d, dtype, rngs)
        for d in config.picture_dilations
      ]
    )
    self.norm = nnx.LayerNorm(2 * width, dtype=dtype, rngs=rngs)
    self.dropout = nnx.Dropout(config.dropout)
    self.hidden = nnx.Linear(
      2 * width + change_statistics.COUNT, 2 * width, dtype=dtype, rngs=rngs
    )
    self.heads = nnx.Linear(
      2 * width, 3, kernel_init=nnx.initializers.zeros, rngs=rngs
    )

  def __call__(
    self,
    maps: jax.Array,
    log2_interval: jax.Array,
    length: jax.Array,
    rng: jax.Array | None = None,
  ) -> Change:
    """Predicts changes of speed.

    Args:
      maps: float [b, t, h, w, 8], motion between consecutive frames; padded
        to t.
      log2_interval: float [b, t], log2 of the time for which each pair of
        frames plays, relative to what is usual in the clip.
      length: int [b], how many of the t are there.
      rng: key for dropout; None: evaluation, no dropout.

    Returns:
      What is seen at each moment; of no meaning beyond `length`.
    """
    config = self.config
    frames = jnp.arange(maps.shape[1])
    mask = (frames[None] < length[:, None]).astype(jnp.float32)
    # What is seen is motion per time, whatever the time from frame to frame.
    interval = jnp.exp2(log2_interval)[:, :, None, None, None]
    maps = maps.astype(jnp.float32)
    maps = jnp.concatenate([maps[..., :4] / interval, maps[..., 4:]], -1)
    known = change_statistics.change_statistics(maps, mask)
    known = known.astype(config.dtype)

    x = to_patches(encode_maps(maps, mask)[..., :_CHANNELS], config.patch)
    irregular = jnp.broadcast_to(
      log2_interval[:, :, None, None], (*x.shape[:3], 1)
    )
    x = jnp.concatenate([x, irregular], -1).astype(config.dtype)
    x = self.embed_norm(self.embed(x))
    for block in self.patch_blocks:
      x = block(x, mask)
    # Layout and number of moving things should not matter: [b, t, n, width]
    # -> [b, t, 1, 2 width] by statistics over the patches.
    spread = jnp.sqrt(x.var(2) + 1e-4)
    pooled = [x.mean(2), x.max(2), spread, self.statistics(known)]
    x = self.gather(jnp.concatenate(pooled, -1))[:, :, None]
    for block in self.picture_blocks:
      x = block(x, mask)
    x = jnp.concatenate([self.norm(x[:, :, 0]), known], -1)
    x = self.dropout(x, deterministic=rng is None, rngs=rng)
    x = nnx.relu(self.hidden(x))
    found = self.heads(x.astype(jnp.float32))
    return Change(
      # At first each of some 40 moments is a thousand times less likely than
      # no change.
      logit=found[..., 0] - 7.0,
      log2_ratio=found[..., 1],
      spread=_SHARPEST + nnx.softplus(found[..., 2] - 1.0),
    )
