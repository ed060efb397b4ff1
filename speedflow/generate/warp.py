"""Warps a picture along the trajectories of a coarse grid of points.

Forward splatting, so that a body keeps its sharp outline at any resolution.
Trajectories are known at few points; each pixel takes those of neighbours of
similar colour (joint bilateral upsampling, Kopf et al., SIGGRAPH 2007). Where
two pixels meet, the one of larger displacement covers the other, the heuristic
of Li et al. (CVPR 2024, section 5); holes are filled from the surroundings that
moved least.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import scipy.sparse

from speedflow.timewarp import light

# Points on each side of a pixel that it may follow.
_REACH = 2
# How near a point is, in gaps between points, and how alike, in 0..255.
_NEAR, _ALIKE = 0.7, 18.0
# Logarithm of how much more the furthest pixel weighs than one at rest.
_COVER = 12.0
# The same for what fills holes, the other way round.
_FILL = 6.0
# Coverage below which a pixel is partly a hole.
_THIN = 0.4
# Pixels that neighbours, and theirs, may part by; further, they are dropped.
_TEAR = 4.0
# Moments of an open shutter are at most so many pixels apart, and so many.
_BLUR_STEP, _MOST_EXPOSURES = 1.5, 12


class Warper:
  """Moves the pixels of one picture."""

  def __init__(self, image: np.ndarray, grid: int):
    """Finds out which points each pixel follows.

    Args:
      image: uint8 [s, s, 3].
      grid: points along each side.
    """
    self._light = light.to_linear(image)
    self._image = image
    self._size = len(image)
    self._grid = grid
    self._follow = _following(image, grid)
    rows, columns = np.mgrid[: self._size, : self._size].astype(np.float32)
    self._places = np.stack([columns, rows], -1)

  def frame(self, trajectories: np.ndarray) -> np.ndarray:
    """Warps the picture.

    Args:
      trajectories: float [m, grid, grid, 2], x and y displacement in sides of
        the picture, at moments that are evenly spread over the open shutter.

    Returns:
      uint8 [s, s, 3].
    """
    ends = np.stack([trajectories[0], trajectories[-1]])
    longest = np.abs(ends[1] - ends[0]).max() * self._size
    count = int(np.clip(np.ceil(longest / _BLUR_STEP), 1, _MOST_EXPOSURES))
    if not np.any(trajectories):
      return self._image
    # A single moment is the middle one.
    at = (np.arange(count) + 0.5) / count * (len(trajectories) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(trajectories) - 1)
    share = (at - before)[:, None, None, None]
    moments = (1 - share) * trajectories[before] + share * trajectories[after]
    return light.from_linear(np.mean([self._splat(w) for w in moments], 0))

  def _splat(self, trajectories: np.ndarray) -> np.ndarray:
    """Linear light [s, s, 3] after displacements [grid, grid, 2]."""
    size = self._size
    dense = self._follow @ (trajectories.reshape(-1, 2) * size)
    dense = dense.reshape(size, size, 2).astype(np.float32)
    # On outlines, pixels between two displacements would be isolated.
    smooth = [cv2.medianBlur(axis, 5) for axis in np.moveaxis(dense, -1, 0)]
    dense = np.stack(smooth, -1)
    whole = ~_torn(smooth)
    far = np.linalg.norm(dense, axis=-1)
    far /= max(far.max(), 1.0)
    place = self._places + dense
    corner = np.floor(place)
    part = place - corner
    total = np.zeros((5, size * size))
    # What it shows, how much of it arrives, and how slow that is.
    cover = np.exp(_COVER * far)
    values = [*np.moveaxis(self._light, -1, 0), np.ones_like(far), far]
    coverage = np.zeros(size * size)
    for right in (0, 1):
      for down in (0, 1):
        x = corner[..., 0].astype(int) + right
        y = corner[..., 1].astype(int) + down
        share = np.abs(1 - right - part[..., 0])
        share = share * np.abs(1 - down - part[..., 1])
        inside = whole & (x >= 0) & (x < size) & (y >= 0) & (y < size)
        index = (y * size + x)[inside]
        share = share[inside]
        coverage += np.bincount(index, share, size * size)
        share = share * cover[inside]
        for sum_, value in zip(total, values, strict=True):
          sum_ += np.bincount(index, share * value[inside], size * size)
    weight = np.maximum(total[3], 1e-12)
    shown = (total[:3] / weight).T.reshape(size, size, 3)
    slow = np.exp(-_FILL * total[4] / weight).reshape(size, size)
    solid = np.clip(coverage / _THIN, 0, 1).reshape(size, size)
    if solid.min() == 1:
      return shown
    filled = _pull_push(shown, solid * slow)
    return solid[..., None] * shown + (1 - solid[..., None]) * filled


def _torn(trajectories: Sequence[np.ndarray]) -> np.ndarray:
  """Where displacements [s, s] along x and y are discontinuous, bool [s, s]."""
  square = np.ones((3, 3), np.uint8)
  spread = [
    cv2.morphologyEx(w, cv2.MORPH_GRADIENT, square) for w in trajectories
  ]
  return np.max(spread, 0) > _TEAR


def _following(image: np.ndarray, grid: int) -> scipy.sparse.csr_array:
  """How much each pixel follows each point, rows sum to 1, [s * s, g * g]."""
  size = len(image)
  gap = size / grid
  small = cv2.resize(image, (4 * grid, 4 * grid), interpolation=cv2.INTER_AREA)
  # A point is between the middle four of its sixteen.
  looks = np.mean(
    [small[i::4, j::4].astype(np.float32) for i in (1, 2) for j in (1, 2)], 0
  )
  place = (np.arange(size) + 0.5) / gap - 0.5
  nearest = np.floor(place).astype(int)
  pixels = image.astype(np.float32)
  weights, points = [], []
  for down in range(1 - _REACH, 1 + _REACH):
    for right in range(1 - _REACH, 1 + _REACH):
      y, x = nearest + down, nearest + right
      squared = (
        np.square(place - y)[:, None] + np.square(place - x)
      ) / _NEAR**2
      y, x = np.clip(y, 0, grid - 1), np.clip(x, 0, grid - 1)
      unlike = np.square(pixels - looks[y][:, x]).mean(-1) / _ALIKE**2
      # Something is followed by pixels that are like nothing around them.
      weights.append(np.exp(-squared / 2) * (np.exp(-unlike / 2) + 1e-4))
      points.append(y[:, None] * grid + x)
  weight = np.stack(weights, -1).reshape(size * size, -1)
  weight /= weight.sum(-1, keepdims=True)
  starts = np.arange(size * size + 1) * weight.shape[1]
  index = np.stack(points, -1).reshape(-1)
  return scipy.sparse.csr_array(
    (weight.reshape(-1), index, starts), shape=(size * size, grid * grid)
  )


def _pull_push(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
  """Fills in smoothly what has no weight (Gortler et al., SIGGRAPH 1996)."""
  height, width = weight.shape
  if min(height, width) < 2:
    total = max(weight.sum(), 1e-12)
    mean = (image * weight[..., None]).sum((0, 1)) / total
    return np.broadcast_to(mean, image.shape)
  half = (width + 1) // 2, (height + 1) // 2
  thin = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
  coarse = cv2.resize(
    image * weight[..., None], half, interpolation=cv2.INTER_AREA
  )
  coarse = coarse / np.maximum(thin, 1e-12)[..., None]
  coarse = _pull_push(coarse, np.clip(4 * thin, 0, 1))
  smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
  weight = weight[..., None]
  return weight * image + (1 - weight) * smooth
