"""Attention with rotary positions, on any device.

Rotary positions (RoFormer, arXiv 2104.09864): queries and keys are turned by
angles that grow with their positions, so that their product depends on the
distance between them alone.
"""

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp

from speedflow.models import splash, spread

Implementation = Literal["", "einsum", "xla", "cudnn", "chunks", "splash"]
"""Of attention; "" chooses by the device that programs are made for."""

# Products of both lengths from which on sequences are long; then so many
# products of queries and keys of a clip are held at a time, by whole tiles.
_LONG = 8192**2
_HELD = 2**28
_TILE = 128


def rotary_angles(
  positions: jax.Array, features: int, longest: float
) -> jax.Array:
  """The angles by which features are turned at some positions.

  Args:
    positions: float [...], in any unit.
    features: of a head; pairs of them turn together.
    longest: positions over which the slowest pair turns by one radian; the
      fastest does so within one position.

  Returns:
    float32 [..., features / 2], radians.
  """
  pairs = features // 2
  rates = longest ** (-jnp.arange(pairs) / max(pairs - 1, 1))
  return positions[..., None].astype(jnp.float32) * rates


def grid_angles(rows: int, columns: int, features: int) -> jax.Array:
  """Rotary angles of a picture: half of the pairs for rows, half for columns.

  Args:
    rows: of patches.
    columns: of patches.
    features: of a head, a multiple of 4.

  Returns:
    float32 [rows * columns, features / 2], radians.
  """
  y, x = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
  longest = float(max(rows, columns))
  return jnp.concatenate(
    [
      rotary_angles(axis.reshape(-1), features // 2, longest) for axis in (y, x)
    ],
    -1,
  )


def rotate(x: jax.Array, angles: jax.Array) -> jax.Array:
  """Turns pairs of features.

  Args:
    x: float [..., n, heads, features]; feature i makes a pair with feature
      i + features / 2.
    angles: float [n, features / 2], or with leading axes like those of x.

  Returns:
    The same shape and dtype as x.
  """
  cos = jnp.cos(angles)[..., None, :].astype(x.dtype)
  sin = jnp.sin(angles)[..., None, :].astype(x.dtype)
  first, second = jnp.split(x, 2, -1)
  return jnp.concatenate(
    [first * cos - second * sin, second * cos + first * sin], -1
  )


def attention(
  query: jax.Array,
  key: jax.Array,
  value: jax.Array,
  implementation: Implementation = "",
  mask: jax.Array | None = None,
) -> jax.Array:
  """Softmax attention over the third axis from the right.

  Args:
    query: float [..., n, heads, features].
    key: float [..., m, heads, features].
    value: float [..., m, heads, features].
    implementation: "" is cuDNN's on GPUs in bfloat16 or float16. Elsewhere, for
      long sequences, in memory that does not grow with the square of the
      length: "splash" on TPUs, where it takes such heads, or "chunks", a
      number of queries at a time, each chunk computed anew in the backward
      pass. For others einsum on CPUs, and XLA's.
    mask: bool [n, m], which keys each query sees, one at least; all when None.

  Returns:
    float [..., n, heads, features], in the dtype of the query.
  """
  backend = spread.platform()
  half = query.dtype in (jnp.bfloat16, jnp.float16)
  if not implementation and backend == "gpu" and half:
    implementation = "cudnn"
  long = query.shape[-3] * key.shape[-3] >= _LONG
  if not implementation and long and mask is None:
    implementation = "chunks"
    if backend == "tpu" and splash.suits(query) and spread.fits(query):
      implementation = "splash"
  here = functools.partial(_on_a_device, implementation, backend, mask)
  # A kernel knows nothing of other devices, and chunks are taken in turns.
  if spread.fits(query) and (implementation == "splash" or spread.in_context()):
    return spread.by_queries(here)(query, key, value)
  return here(query, key, value)


def _on_a_device(
  implementation: Implementation,
  backend: str,
  mask: jax.Array | None,
  query: jax.Array,
  key: jax.Array,
  value: jax.Array,
) -> jax.Array:
  if implementation == "splash":
    return splash.attention(query, key, value, interpret=backend != "tpu")
  if implementation == "chunks":
    return _in_chunks(query, key, value)
  if implementation == "einsum" or (not implementation and backend == "cpu"):
    logits = jnp.einsum(
      "...nhd,...mhd->...hnm", query / math.sqrt(query.shape[-1]), key
    )
    logits = logits.astype(jnp.float32)
    if mask is not None:
      logits = jnp.where(mask, logits, -jnp.inf)
    weights = jax.nn.softmax(logits).astype(query.dtype)
    return jnp.einsum("...hnm,...mhd->...nhd", weights, value)
  implementation = implementation or "xla"
  lead = query.shape[:-3]
  query, key, value = (
    x.reshape(-1, *x.shape[-3:]) for x in (query, key, value)
  )
  mixed = jax.nn.dot_product_attention(
    query,
    key,
    value,
    mask=None if mask is None else mask[None, None],
    implementation=implementation,
  )
  return mixed.reshape(*lead, *mixed.shape[-3:])


def _in_chunks(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
  """Attention of a chunk of queries after the other."""
  length, heads = query.shape[-3:-1]
  size = max(_HELD // (heads * key.shape[-3]) // _TILE, 1) * _TILE
  chunks = -(-length // size)
  none = [(0, 0)] * query.ndim
  none[-3] = (0, chunks * size - length)
  padded = jnp.pad(query, none)
  padded = padded.reshape(*query.shape[:-3], chunks, size, *query.shape[-2:])

  @jax.checkpoint
  def one(chunk: jax.Array) -> jax.Array:
    return _on_a_device("einsum", "", None, chunk, key, value)

  mixed = jax.lax.map(one, jnp.moveaxis(padded, -4, 0))
  mixed = jnp.moveaxis(mixed, 0, -4)
  mixed = mixed.reshape(*query.shape[:-3], chunks * size, *value.shape[-2:])
  return mixed[..., :length, :, :]
