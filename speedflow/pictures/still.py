"""What stands still between two frames stands still in every picture."""

import cv2
import numpy as np

# Grey levels, after averaging over 3 x 3 pixels: up to the first, what differs
# is noise; from the second on, it is motion.
_NOISE, _MOTION = 4.0, 8.0
# What a picture shows there, beyond so many grey levels, is more than a tremor:
# a ball that passes between two frames is in neither of them at that place.
_TREMOR, _THING = 12.0, 24.0
# A place stands still if all does that is as near as this, in pixels.
_AROUND = 4


class StillParts:
  """The parts of two frames that stand still: overlays, a tripod's background.

  They tremble where motion beside them leaks into them. On 26 pairs of frames
  of validation clips, keeping them gains 0.11 dB (-0.04 to +0.49) in the middle
  of the two.
  """

  def __init__(self, first: np.ndarray, second: np.ndarray):
    """Finds them.

    Args:
      first: uint8 or uint16 [h, w, c].
      second: the same.
    """
    self._first, self._second = first, second
    self._scale = np.float32(255 / np.iinfo(first.dtype).max)
    change = cv2.blur(first * self._scale - second * self._scale, (3, 3))
    change = np.abs(change).max(-1)
    size = 2 * _AROUND + 1
    change = cv2.dilate(change, np.ones((size, size), np.uint8))
    share = np.clip((_MOTION - change) / (_MOTION - _NOISE), 0, 1)
    self._share = cv2.blur(share, (5, 5))[..., None]

  def keep(self, image: np.ndarray, time: float) -> np.ndarray:
    """Fades them from the first frame to the second, in a picture between.

    Args:
      image: as the frames are.
      time: 0 (first) .. 1 (second).
    """
    still = (1 - time) * self._first.astype(np.float32)
    still += np.float32(time) * self._second
    off = np.abs(still - image).max(-1, keepdims=True) * self._scale
    share = self._share * np.clip((_THING - off) / (_THING - _TREMOR), 0, 1)
    return np.rint(image + share * (still - image)).astype(image.dtype)
