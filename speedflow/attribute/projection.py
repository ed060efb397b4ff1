"""Gradients of any size to a few numbers that keep their angles.

A structured random projection in the manner of Johnson and Lindenstrauss: signs
are flipped at random, a Hadamard transform spreads each number over all others,
and some of the results are kept (subsampled randomised Hadamard transform,
Tropp, arXiv 1011.1595; a factor of Fastfood, Le et al., ICML 2013). All blocks
of a gradient keep the same rows of the transform. As that is linear, the blocks
are added up before it: each number of the gradient costs one flip and one
addition, whatever the number of dimensions, where a dense random matrix takes
one product for each of them. Adding up costs accuracy like 16,384 dimensions
would, which besides 512 is nothing.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

_SIDE = 128
BLOCK = _SIDE**2
"""Numbers of a block; at most so many dimensions."""


@dataclasses.dataclass(frozen=True)
class Projection:
  """A linear map that keeps lengths and angles, roughly.

  Of two vectors the cosine is kept to about 1 / sqrt(dimensions). The same seed
  gives the same map on every machine.

  Attributes:
    dimensions: of the result, 1 .. `BLOCK`.
    seed: of the signs and rows.
  """

  dimensions: int = 512
  seed: int = 0

  def __post_init__(self):
    if not 1 <= self.dimensions <= BLOCK:
      raise ValueError(f"{self.dimensions} dimensions; wanted 1 to {BLOCK}")

  def __call__(self, tree: Any) -> jax.Array:
    """Projects a tree of arrays; may be jitted, batched and sharded.

    Args:
      tree: of floats, such as the gradient of some parameters.

    Returns:
      float32 [dimensions].
    """
    leaves = [leaf.reshape(-1) for leaf in jax.tree.leaves(tree)]
    # Small arrays are laid end to end, so that they share no places.
    small = [leaf for leaf in leaves if leaf.size < BLOCK]
    vectors = [leaf for leaf in leaves if leaf.size >= BLOCK]
    if small:
      vectors.append(jnp.concatenate(small))
    total = jnp.zeros(BLOCK, jnp.float32)
    for number, vector in enumerate(vectors):
      key = jax.random.fold_in(jax.random.key(self.seed), number)
      total += _fold(vector, key)
    # The Hadamard matrix of BLOCK rows is a Kronecker product of two.
    factor = jnp.asarray(scipy.linalg.hadamard(_SIDE), jnp.float32)
    square = total.reshape(_SIDE, _SIDE)
    mixed = jnp.einsum(
      "ij,jk,kl->il", factor, square, factor, precision="highest"
    )
    return mixed.reshape(-1)[self.rows] / np.sqrt(self.dimensions)

  @functools.cached_property
  def rows(self) -> np.ndarray:
    """Rows of the transform that are kept, int [dimensions]."""
    rng = np.random.default_rng(self.seed)
    return rng.choice(BLOCK, self.dimensions, replace=False)


def _fold(vector: jax.Array, key: jax.Array) -> jax.Array:
  """Adds up the blocks of a vector, signs flipped at random.

  Args:
    vector: float [n].
    key: of the signs.

  Returns:
    float32 [BLOCK].
  """
  blocks = -(-vector.size // BLOCK)
  padded = jnp.pad(vector, (0, blocks * BLOCK - vector.size))

  def add(total: jax.Array, part: tuple[jax.Array, jax.Array]):
    block, number = part[0].astype(jnp.float32), part[1]
    words = jax.random.bits(jax.random.fold_in(key, number), (BLOCK // 32,))
    bits = words[:, None] >> jnp.arange(32, dtype=words.dtype) & 1
    return total + jnp.where(bits.reshape(-1) == 1, -block, block), None

  # One block's signs at a time: their memory does not grow with the vector.
  total, _ = jax.lax.scan(
    add,
    jnp.zeros(BLOCK, jnp.float32),
    (padded.reshape(blocks, BLOCK), jnp.arange(blocks)),
  )
  return total
