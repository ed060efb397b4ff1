"""What one computes by hand to see a speed change: before against after.

A change of speed scales all motion at once, wherever it is in the picture,
and keeps its direction; what scenes do by themselves does not. So motion is
averaged over k maps before and k maps after every moment, at several k, and
compared. The scene cancels out.
"""

import jax
import jax.numpy as jnp

SCALES = (1, 2, 4, 8, 16)
"""Maps on either side of a moment."""

COUNT = 9 * len(SCALES)
"""Statistics of each moment."""

# Channels: flow, its size, what flow leaves over, the frames' difference.
_SEEN = (0, 1, 2, 4, 6)
# Pixels per frame: what the flow of a still picture amounts to.
_STILL = 0.05
# Grey levels: noise.
_NOISE = 0.5


def change_statistics(maps: jax.Array, mask: jax.Array) -> jax.Array:
  """Compares the motion before and after every moment.

  Args:
    maps: float [b, t, h, w, 8], channels as `speedflow.data.motion.CHANNELS`,
      flow in pixels per frame; h and w even.
    mask: float [b, t], 1 where there is a map.

  Returns:
    float32 [b, t, COUNT]; row i compares map i and what follows with what
    comes before it. Zero where there is no motion on either side.
  """
  coarse = _halve(maps[..., list(_SEEN)].astype(jnp.float32))
  return jnp.concatenate([_compare(coarse, mask, k) for k in SCALES], -1)


def _halve(maps: jax.Array) -> jax.Array:
  """[b, t, h, w, c] -> [b, t, h/2 * w/2, c], averaged over 2 x 2 cells."""
  b, t, h, w, c = maps.shape
  blocks = maps.reshape(b, t, h // 2, 2, w // 2, 2, c).mean((3, 5))
  return blocks.reshape(b, t, -1, c)


def _compare(maps: jax.Array, mask: jax.Array, k: int) -> jax.Array:
  """Statistics of one scale, [b, t, 9].

  Args:
    maps: [b, t, n, c], channels as `_SEEN`.
    mask: [b, t].
    k: maps on either side.
  """
  here = jnp.arange(mask.shape[1])
  later = here[None, :] - here[:, None]  # [t, t]: of the column than the row.
  sides = [(later < 0) & (later >= -k), (later >= 0) & (later < k)]
  # Means as products with band matrices, [b, t, t], are fast on any hardware.
  shares = [side * mask[:, None, :] for side in sides]
  counts = [share.sum(-1) for share in shares]
  before, after = (
    jnp.einsum("bts,bsnc->btnc", share / jnp.maximum(n, 1.0)[..., None], maps)
    for share, n in zip(shares, counts, strict=True)
  )
  present = ((counts[0] > 0) & (counts[1] > 0)).astype(jnp.float32)
  flow_before, flow_after = before[..., :2], after[..., :2]
  power_before = (flow_before**2).sum((2, 3)) + _STILL
  power_after = (flow_after**2).sum((2, 3)) + _STILL
  agreement = (flow_before * flow_after).sum((2, 3)) / jnp.sqrt(
    power_before * power_after
  )
  size_before = before[..., 2] + _STILL
  size_after = after[..., 2] + _STILL
  ratio = jnp.log2(size_after / size_before)
  weight = size_before + size_after - 2 * _STILL + 1e-3
  weight /= weight.sum(-1, keepdims=True)
  mean = (weight * ratio).sum(-1)
  spread = jnp.sqrt((weight * (ratio - mean[..., None]) ** 2).sum(-1) + 1e-4)
  total_before, total_after = before.mean(2), after.mean(2)
  statistics = [
    jnp.log2(power_after / power_before) / 2,
    agreement,
    jnp.log2(power_before * power_after) / 4,
    mean,
    spread,
    jnp.log2(size_after.mean(-1) / size_before.mean(-1)),
    *(
      jnp.log2((total_after[..., c] + _NOISE) / (total_before[..., c] + _NOISE))
      for c in (3, 4)  # What flow leaves over, and the frames' difference.
    ),
    jnp.log2(size_after.mean(-1) * size_before.mean(-1)) / 4,
  ]
  return jnp.stack(statistics, -1) * present[..., None]
