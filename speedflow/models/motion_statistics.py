"""Statistics of motion that depend on its tempo, without anything learnt.

How fast the motion of a place forgets itself, how large its acceleration is
beside its velocity, how much of the change of a picture its flow explains:
such ratios hardly depend on what is filmed and how large it appears. A
network that is handed them need not find them in a few hundred scenes.
"""

import jax
import jax.numpy as jnp
import numpy as np

LAGS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Maps between the two times whose motion is compared."""

_SERIES = 5
_FIELDS = 7
_MOMENTS = 5

COUNT = _SERIES * len(LAGS) + _FIELDS * _MOMENTS + 1
"""How many statistics there are."""


def motion_statistics(maps: jax.Array, mask: jax.Array) -> jax.Array:
  """Describes each clip by numbers of order one.

  Args:
    maps: float [b, t, h, w, 8], channels as `speedflow.data.motion.CHANNELS`.
    mask: float [b, t], 1 where there is a map.

  Returns:
    float32 [b, COUNT]: autocorrelations at `LAGS` of flow, of flow relative
    to the camera, of the camera, of log speed and of log change of brightness;
    then moments of velocities, accelerations and brightness; then log length.
  """
  b, t, h, w, c = maps.shape
  maps = maps.astype(jnp.float32).reshape(b, t, h * w, c)
  flow = maps[..., :2]
  camera = flow.mean(2, keepdims=True)
  local = flow - camera
  series = (
    flow,
    local,
    camera,
    _centred(jnp.log(maps[..., 2:3] + 0.05), mask),
    _centred(jnp.log(maps[..., 6:7] + 0.5), mask),
  )
  # An acceleration stands at the earlier of its two velocities.
  pair = mask * jnp.pad(mask[:, 1:], ((0, 0), (0, 1)))
  fields = (
    (maps[..., 2], mask, 0.02),
    (_length(local), mask, 0.02),
    (_length(_change(flow)), pair, 0.02),
    (_length(_change(local)), pair, 0.02),
    (maps[..., 4], mask, 0.5),
    (maps[..., 6], mask, 0.5),
    (maps[..., 7], mask, 1.0),
  )
  values, masks, floors = zip(*fields, strict=True)
  moments = jax.vmap(_moments, out_axes=1)(
    jnp.stack(values), jnp.stack(masks), jnp.array(floors)
  )  # [b, fields, moments]
  return jnp.concatenate(
    [
      *(_autocorrelation(x, mask) for x in series),
      moments.reshape(b, -1),
      jnp.log2(mask.sum(1, keepdims=True)) - 4.0,
    ],
    axis=-1,
  )


def _change(x: jax.Array) -> jax.Array:
  """Difference to the next time; the last one is without meaning."""
  return jnp.roll(x, -1, axis=1) - x


def _length(vectors: jax.Array) -> jax.Array:
  return jnp.sqrt((vectors**2).sum(-1) + 1e-8)


def _centred(x: jax.Array, mask: jax.Array) -> jax.Array:
  """Subtracts the mean over time of each place."""
  present = mask[:, :, None, None]
  return x - (x * present).sum(1, keepdims=True) / present.sum(1, keepdims=True)


def _autocorrelation(x: jax.Array, mask: jax.Array) -> jax.Array:
  """[b, t, n, k] -> [b, lags], weighted by energy; 0 beyond the clip."""
  b, t = mask.shape
  x = (x * mask[:, :, None, None]).reshape(b, t, -1)
  # Every pair of times by one matrix product; a lag is a diagonal of it.
  products = jnp.einsum("btk,bsk->bts", x, x)
  distance = np.arange(t)[None, :] - np.arange(t)[:, None]
  diagonals = jnp.asarray(distance == np.array(LAGS)[:, None, None], x.dtype)
  pairs = jnp.einsum("bt,bs,lts->bl", mask, mask, diagonals)
  sums = jnp.einsum("bts,lts->bl", products, diagonals)
  # A little noise energy: where nothing moves there is no correlation.
  energy = jnp.trace(products, axis1=1, axis2=2) / mask.sum(1) + 1e-4
  return sums / jnp.maximum(pairs, 1.0) / energy[:, None]


def _moments(x: jax.Array, mask: jax.Array, floor: jax.Array) -> jax.Array:
  """[b, t, n] -> [b, 5]: log means of growing powers, mean and spread of log.

  The power means see ever rarer and larger values, as quantiles would, but
  cost no sorting.
  """
  present = mask[:, :, None] / (mask.sum(1) * x.shape[2])[:, None, None]
  logs = jnp.log(x + floor)
  mean = (logs * present).sum((1, 2))
  spread = ((logs - mean[:, None, None]) ** 2 * present).sum((1, 2))
  powers = [
    jnp.log(((x + floor) ** p * present).sum((1, 2))) / p for p in (1, 2, 4)
  ]
  return jnp.stack([mean, jnp.sqrt(spread + 1e-6), *powers], -1) / 2
