"""Undoes motion blur where the motion is known, without any learning."""

import numpy as np

from speedflow.data import optical_flow
from speedflow.timewarp import light

# Chosen on validation windows: more of either gains noise.
_ITERATIONS = 1
_RELAXATION = np.float32(0.5)
# Places along the blur at which it is sampled.
_PLACES = np.linspace(-0.5, 0.5, 9, dtype=np.float32)


def undo(image: np.ndarray, path: np.ndarray) -> np.ndarray:
  """Corrects a picture until, blurred again, it is what was given.

  Relaxed iteration of Van Cittert (1931), in linear light. The blur of each
  pixel is taken to be even along its path.

  Args:
    image: uint8 or uint16 RGB [h, w, 3]; of deeper pictures, the correction
      has 8 bits.
    path: float32 [h, w, 2], how far each pixel moved while the shutter was
      open, in pixels.

  Returns:
    As `image`.
  """
  if image.dtype != np.uint8:
    shallow = (image >> 8).astype(np.uint8)
    change = undo(shallow, path).astype(np.float32) - shallow
    full = np.iinfo(image.dtype).max
    changed = np.clip(image + np.float32(257) * change, 0, full)
    return np.rint(changed).astype(image.dtype)
  blurred = sharp = light.to_linear(image)
  for _ in range(_ITERATIONS):
    again = np.zeros_like(sharp)
    for place in _PLACES:
      again += optical_flow.warp(sharp, place * path)
    change = _RELAXATION * (blurred - again / np.float32(len(_PLACES)))
    sharp = np.clip(sharp + change, 0, 1)
  return light.from_linear(sharp)
