"""Whether a window shows anything by which its speed could be told."""

import numpy as np

from speedflow.data import motion

# Grey levels: below this, the fastest places of a window hardly change.
_STILL = 1.5
# Spread over the picture of how much each place changes, relative to its
# mean; least of 1,002 filmed windows: 0.14. White noise and flicker: 0.02.
_ALL_OVER = 0.05
# Acceleration relative to velocity; least of the same: 0.064. A pattern that
# is pushed along: 0.02.
_EVEN = 0.035


def moves(maps: np.ndarray) -> bool:
  """Whether anything moves.

  Args:
    maps: as for `tells_speed`.
  """
  return bool(np.sort(_change(maps))[-4:].mean() > _STILL)


def tells_speed(maps: np.ndarray) -> bool:
  """Whether something moves, and moves like something that is filmed.

  What changes alike all over the picture is noise or flicker. What moves
  without any acceleration, a drifting pattern, could be of any pace.

  Args:
    maps: float16 [t, 12, 16, 8], channels as `motion.CHANNELS`; t is 2 or
      more.
  """
  change = _change(maps)
  if not moves(maps) or change.std() < _ALL_OVER * change.mean():
    return False
  velocity = maps[..., :2].astype(np.float32)
  acceleration = np.diff(velocity, axis=0)
  return bool(
    np.square(acceleration).mean() > _EVEN**2 * np.square(velocity).mean()
  )


def _change(maps: np.ndarray) -> np.ndarray:
  """Mean change of each cell from frame to frame, grey levels, [192]."""
  change = maps[..., motion.CHANNELS.index("change_mean")]
  return change.astype(np.float32).mean(0).ravel()
