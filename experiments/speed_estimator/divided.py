"""Slow motion by calculation: what little motion maps would show of it."""

import numpy as np

from experiments.speed_estimator import disturb

FACTORS = (2, 4, 8)
"""How many times slower windows are made."""

# Flow and differences shrink with the time between frames; texture does not.
_SHRINKS = slice(0, 7)


def slow(maps: np.ndarray, factor: int, rng: np.random.Generator) -> np.ndarray:
  """The maps of a window as if it had been filmed at a higher rate.

  Args:
    maps: float [t, h, w, 8].
    factor: how many times slower.
    rng: of the camera's noise, which does not shrink.

  Returns:
    float32 [t, h, w, 8], of the first part of the window.
  """
  places = np.arange(len(maps)) / factor
  before = places.astype(int)
  after = np.minimum(before + 1, len(maps) - 1)
  share = (places - before).astype(np.float32)[:, None, None, None]
  found = maps.astype(np.float32)
  stretched = (1 - share) * found[before] + share * found[after]
  stretched[..., _SHRINKS] /= factor
  return disturb.add_noise(stretched, rng)
