"""Smooths trajectories within bodies that move as one.

Generated trajectories of neighbouring points of one body differ a little, so
that with growing displacement the body shears, and then tears. Each trajectory
becomes the mean of those around it that are similar, as in a bilateral filter
(Tomasi and Manduchi, ICCV 1998). Those of larger motion have larger weights,
since at its outline a body's motion is underestimated.
"""

import itertools

import numpy as np

# Neighbours that are averaged, to each side; their weight falls with distance.
_REACH, _NEAR = 2, 1.5
# Trajectories may differ by this share of the lesser motion to be alike, and by
# that much in any case, in the network's units.
_ALIKE, _LEAST = 0.7, 0.05
_ROUNDS = 3


def keep_together(trajectories: np.ndarray) -> np.ndarray:
  """Makes points of one body agree.

  Args:
    trajectories: float [n, t, g, g, c], in the units of
      `models.generator.encode`. A point and its neighbour are compared over
      all moments.

  Returns:
    float32 [n, t, g, g, c].
  """
  trajectories = trajectories.astype(np.float32)
  height, width = trajectories.shape[2:4]
  shifts = list(itertools.product(range(-_REACH, _REACH + 1), repeat=2))
  for _ in range(_ROUNDS):
    motion = np.square(trajectories).sum(-1).mean(1)
    margin = (_REACH, _REACH)
    around = np.pad(
      trajectories, ((0, 0), (0, 0), margin, margin, (0, 0)), "edge"
    )
    moving = np.pad(motion, ((0, 0), margin, margin), "edge")
    total, weights = np.zeros_like(trajectories), np.zeros_like(motion)
    for down, right in shifts:
      rows = slice(_REACH + down, _REACH + down + height)
      columns = slice(_REACH + right, _REACH + right + width)
      other, moves = around[:, :, rows, columns], moving[:, rows, columns]
      unlike = np.square(other - trajectories).sum(-1).mean(1)
      allowed = _ALIKE**2 * np.minimum(motion, moves) + _LEAST**2
      weight = np.exp(
        -(down**2 + right**2) / (2 * _NEAR**2) - unlike / (2 * allowed)
      ) * (moves + _LEAST**2)
      total += weight[:, None, :, :, None] * other
      weights += weight
    trajectories = total / weights[:, None, :, :, None]
  return trajectories
