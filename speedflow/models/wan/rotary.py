"""Rotary positions of a video's tokens: frames, rows and columns.

RoFormer (arXiv 2104.09864) over three axes: each has a part of a head's
features, of which neighbouring pairs are turned together.
"""

import jax
import jax.numpy as jnp
import numpy as np

# The slowest pair turns by one radian over about so many positions.
_LONGEST = 10_000.0


def angles(grid: tuple[int, int, int], features: int) -> np.ndarray:
  """By how much each token's pairs of features are turned.

  Args:
    grid: tokens along time, rows and columns.
    features: of a head.

  Returns:
    float32 [tokens, features / 2], radians.
  """
  side = 2 * (features // 6)
  parts = []
  for axis, width in enumerate((features - 2 * side, side, side)):
    rates = _LONGEST ** (-np.arange(0, width, 2, dtype=np.float64) / width)
    turned = np.arange(grid[axis])[:, None] * rates
    shape = [1, 1, 1, width // 2]
    shape[axis] = grid[axis]
    parts.append(np.broadcast_to(turned.reshape(shape), (*grid, width // 2)))
  found = np.concatenate(parts, -1, dtype=np.float32)
  return found.reshape(-1, features // 2)


def turn(x: jax.Array, turns: np.ndarray | jax.Array) -> jax.Array:
  """Turns pairs of features, in float32.

  Args:
    x: float [b, n, heads, features]; features 2i and 2i + 1 are a pair.
    turns: as `angles` gives them, float [n, features / 2].

  Returns:
    The same shape and dtype as x.
  """
  pairs = x.astype(jnp.float32).reshape(*x.shape[:-1], -1, 2)
  first, second = pairs[..., 0], pairs[..., 1]
  cos, sin = jnp.cos(turns)[:, None], jnp.sin(turns)[:, None]
  turned = jnp.stack(
    [first * cos - second * sin, first * sin + second * cos], -1
  )
  return turned.reshape(x.shape).astype(x.dtype)
