"""Turning and mirroring pictures as a file asks for."""

from typing import NamedTuple, Self

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame


class Orientation(NamedTuple):
  """One of the eight ways to turn and mirror a picture by right angles."""

  transpose: bool
  flip_x: bool
  flip_y: bool

  @classmethod
  def of(cls, picture: VideoFrame) -> Self:
    """Reads the display matrix [[a, b, u], [c, d, v], [x, y, w]].

    A stored point (p, q) is shown at (a p + c q, b p + d q).
    """
    try:
      data = picture.side_data[SideDataType.DISPLAYMATRIX]  # type: ignore[typeddict-item]
    except KeyError:
      return cls(False, False, False)
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5]
    if abs(int(a)) < abs(int(b)):
      return cls(True, bool(c < 0), bool(b < 0))
    return cls(False, bool(a < 0), bool(d < 0))

  def apply(self, image: np.ndarray) -> np.ndarray:
    """Turns an image, [h, w] or [h, w, c], from how it is stored."""
    if self.transpose:
      image = cv2.transpose(image)
    if self.flip_x or self.flip_y:
      # OpenCV's code: positive for x, zero for y, negative for both.
      image = cv2.flip(image, self.flip_x - 2 * (self.flip_x and self.flip_y))
    return image
