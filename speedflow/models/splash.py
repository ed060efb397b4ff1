"""Attention over long sequences on TPUs, tile by tile.

The products of queries and keys are never held: "flash" attention (Dao et al.,
arXiv 2205.14135) by JAX's Pallas kernel for TPUs, "splash attention".
"""

import math

import jax
import jax.numpy as jnp

# Lanes of a TPU's registers, and so the features of a head, and the largest
# number of queries or keys of a tile.
_LANES, _TILE = 128, 512


def suits(query: jax.Array) -> bool:
  """Whether the kernel takes such heads: float [..., features]."""
  return query.shape[-1] % _LANES == 0


def attention(
  query: jax.Array,
  key: jax.Array,
  value: jax.Array,
  interpret: bool = False,
) -> jax.Array:
  """Softmax attention, of arrays that are on one device.

  Args:
    query: float [b, n, heads, features], 128 features or a multiple of it.
    key: float [b, m, heads, features].
    value: float [b, m, heads, features].
    interpret: runs the kernel step by step, on any device, for tests.

  Returns:
    float [b, n, heads, features], in the dtype of the query.
  """
  # A quarter of a second to import, for TPUs alone.
  from jax.experimental.pallas.ops.tpu.splash_attention import (
    splash_attention_kernel as kernels,
  )
  from jax.experimental.pallas.ops.tpu.splash_attention import (
    splash_attention_mask as masks,
  )

  queries, keys = query.shape[1], key.shape[1]
  tile, key_tile = _tile(queries), _tile(keys)
  query = _padded(query / math.sqrt(query.shape[-1]), tile)
  key, value = _padded(key, key_tile), _padded(value, key_tile)
  n, m = query.shape[-2], key.shape[-2]
  kernel = kernels.make_splash_mha_single_device(
    masks.MultiHeadMask([masks.FullMask((n, m))] * query.shape[1]),
    block_sizes=kernels.BlockSizes(
      block_q=tile,
      block_kv=key_tile,
      block_q_dkv=tile,
      block_kv_dkv=key_tile,
      block_q_dq=tile,
      block_kv_dq=key_tile,
    ),
    interpret=interpret,
  )
  # No query belongs together with the keys that fill the last tile.
  together = kernels.SegmentIds(
    jnp.zeros(n, jnp.int32), (jnp.arange(m) >= keys).astype(jnp.int32)
  )
  mixed = jax.vmap(kernel, (0, 0, 0, None))(query, key, value, together)
  return jnp.moveaxis(mixed[:, :, :queries], 1, 2)


def _tile(length: int) -> int:
  return min(_TILE, -(-length // _LANES) * _LANES)


def _padded(x: jax.Array, tile: int) -> jax.Array:
  """Float [b, n, heads, features] -> [b, heads, a multiple of tile, ...]."""
  x = jnp.moveaxis(x, 1, 2)
  missing = -x.shape[2] % tile
  return jnp.pad(x, ((0, 0), (0, 0), (0, missing), (0, 0)))
