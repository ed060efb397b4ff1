"""Attention with rotary positions, on any device.

Rotary positions (RoFormer, arXiv 2104.09864): queries and keys are turned by
angles that grow with their positions, so that their product depends on the
distance between them alone.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp

Implementation = Literal["", "einsum", "xla", "cudnn"]
"""Of attention; "" chooses by the device that programs are made for."""


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
    implementation: "" is cuDNN's on GPUs in bfloat16 or float16, einsum on
      CPUs, where cuDNN is not and sequences are short, and XLA's elsewhere.
    mask: bool [n, m], which keys each query sees, one at least; all when None.

  Returns:
    float [..., n, heads, features], in the dtype of the query.
  """
  backend = jax.default_backend()
  if implementation == "einsum" or (not implementation and backend == "cpu"):
    logits = jnp.einsum(
      "...nhd,...mhd->...hnm", query / math.sqrt(query.shape[-1]), key
    )
    logits = logits.astype(jnp.float32)
    if mask is not None:
      logits = jnp.where(mask, logits, -jnp.inf)
    weights = jax.nn.softmax(logits).astype(query.dtype)
    return jnp.einsum("...hnm,...mhd->...nhd", weights, value)
  if not implementation:
    half = query.dtype in (jnp.bfloat16, jnp.float16)
    implementation = "cudnn" if backend == "gpu" and half else "xla"
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
