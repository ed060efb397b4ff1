"""Keeps together what moves together.

A generator says of each point where it goes, and neighbours that belong to one
body are not quite at one: the further they go, the more the body shears, and
then it tears. So each point asks its neighbours that go about its way and
follows their mean, as in a bilateral filter (Tomasi and Manduchi, ICCV 1998);
what moves has the say, for at its outline a body's motion is underrated rather
than overrated.
"""

import itertools

import numpy as np

# Neighbours that are asked, to each side; their weight falls with distance.
_REACH, _NEAR = 2, 1.5
# Ways may differ by this share of the lesser motion to be alike, and by that
# much in any case, in the network's units.
_ALIKE, _LEAST = 0.7, 0.05
_ROUNDS = 3


def keep_together(ways: np.ndarray) -> np.ndarray:
  """Makes points of one body agree.

  Args:
    ways: float [n, t, g, g, c], as `models.generator.encode` tells them. A
      point and its neighbour are compared over all moments.

  Returns:
    float32 [n, t, g, g, c].
  """
  ways = ways.astype(np.float32)
  height, width = ways.shape[2:4]
  shifts = list(itertools.product(range(-_REACH, _REACH + 1), repeat=2))
  for _ in range(_ROUNDS):
    motion = np.square(ways).sum(-1).mean(1)
    margin = (_REACH, _REACH)
    around = np.pad(ways, ((0, 0), (0, 0), margin, margin, (0, 0)), "edge")
    moving = np.pad(motion, ((0, 0), margin, margin), "edge")
    total, weights = np.zeros_like(ways), np.zeros_like(motion)
    for down, right in shifts:
      rows = slice(_REACH + down, _REACH + down + height)
      columns = slice(_REACH + right, _REACH + right + width)
      other, moves = around[:, :, rows, columns], moving[:, rows, columns]
      unlike = np.square(other - ways).sum(-1).mean(1)
      allowed = _ALIKE**2 * np.minimum(motion, moves) + _LEAST**2
      weight = np.exp(
        -(down**2 + right**2) / (2 * _NEAR**2) - unlike / (2 * allowed)
      ) * (moves + _LEAST**2)
      total += weight[:, None, :, :, None] * other
      weights += weight
    ways = total / weights[:, None, :, :, None]
  return ways
