"""Whether anything is shown by which a speed could be told."""

from collections.abc import Sequence

import cv2
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
# Share of the picture that is of one colour to the grey level; most of 392
# filmed shots: 0.37. Flat drawings, through H.264: 0.81 to 0.86.
_DRAWN = 0.6
# Grey levels: black bars, and night, say nothing of how a picture was made.
_BLACK = 24
_LOOKED_AT = 4


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


def drawn(images: Sequence[np.ndarray]) -> bool:
  """Whether this was drawn: areas of one colour, without a camera's noise.

  Who draws motion chooses its pace. Drawings with shades and texture pass.

  Args:
    images: consecutive frames, at least one, uint8 [96, 128] each.
  """
  picks = np.unique(np.linspace(0, len(images) - 1, _LOOKED_AT).astype(int))
  shares = []
  for image in (images[pick] for pick in picks):
    around = np.ones((3, 3), np.uint8)
    extent = cv2.absdiff(cv2.dilate(image, around), cv2.erode(image, around))
    lit = image > _BLACK
    shares.append((extent[lit] == 0).mean() if lit.any() else 0.0)
  return bool(np.median(shares) > _DRAWN)


def _change(maps: np.ndarray) -> np.ndarray:
  """Mean change of each cell from frame to frame, grey levels, [192]."""
  change = maps[..., motion.CHANNELS.index("change_mean")]
  return change.astype(np.float32).mean(0).ravel()
