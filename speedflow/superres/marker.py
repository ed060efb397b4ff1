"""A mark, burnt into the picture, on frames that nobody filmed."""

import functools

import cv2
import numpy as np

from speedflow.superres.plan import Kind

COLOURS: dict[Kind, tuple[int, int, int]] = {
  "observed": (37, 99, 235),
  "restored": (13, 148, 136),
  "synthesised": (217, 119, 6),
  "held": (100, 116, 139),
  "averaged": (124, 58, 237),
}
"""RGB, here and in reports."""

# Shares of the picture's shorter side.
_HEIGHT = 1 / 18
_MARGIN = 1 / 60
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def marked(image: np.ndarray, kind: Kind) -> np.ndarray:
  """The picture, with the name of its kind in the lower left corner.

  Args:
    image: uint8 or uint16, [h, w, 3] RGB or [h, w, 4] RGBA.
    kind: what it is; observed ones are left as they are.
  """
  if kind == "observed":
    return image
  label = _label(kind, min(image.shape[:2]))
  margin = max(round(min(image.shape[:2]) * _MARGIN), 1)
  bottom = image.shape[0] - margin
  image = image.copy()
  place = image[max(bottom - len(label), 0) : bottom, margin:]
  label = label[: place.shape[0], : place.shape[1]]
  full = np.iinfo(image.dtype).max
  place[:, : label.shape[1], :3] = label.astype(image.dtype) * (full // 255)
  # Opaque, whatever is below.
  place[:, : label.shape[1], 3:] = full
  return image


@functools.cache
def _label(kind: Kind, side: int) -> np.ndarray:
  """White on the colour of the kind; uint8 [h, w, 3]."""
  height = max(round(side * _HEIGHT), 9)
  scale = height / 34
  weight = max(round(scale * 1.6), 1)
  (width, rise), _ = cv2.getTextSize(kind, _FONT, scale, weight)
  image = np.full((height, width + height // 2, 3), COLOURS[kind], np.uint8)
  corner = (height // 4, (height + rise) // 2)
  cv2.putText(
    image, kind, corner, _FONT, scale, (255, 255, 255), weight, cv2.LINE_AA
  )
  return image
