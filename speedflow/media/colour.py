"""What the numbers of a stored picture mean as colours."""

from typing import NamedTuple, Self

from av.video.frame import VideoFrame
from av.video.reformatter import (
  ColorPrimaries,
  ColorRange,
  Colorspace,
  ColorTrc,
)

UNSPECIFIED = 2
"""The code of a matrix that a file does not state."""

# Of what does not state its matrix, players take the larger for BT.709.
_SD_WIDTH, _SD_HEIGHT = 1280, 576


class Colour(NamedTuple):
  """The code points of ITU-T H.273, and the range.

  Attributes:
    matrix: of luma and colour differences; 1 is BT.709.
    primaries: of red, green and blue; 2 where the file does not say.
    transfer: from light to numbers; 2 where the file does not say.
    full_range: whether black and white are 0 and 255 instead of 16 and 235.
    stated: whether the file states the matrix; otherwise it is assumed.
  """

  matrix: int
  primaries: int
  transfer: int
  full_range: bool
  stated: bool = True

  @classmethod
  def of(cls, picture: VideoFrame) -> Self:
    """Reads what a decoded picture says, or players assume."""
    matrix = int(picture.colorspace)
    stated = matrix != UNSPECIFIED
    if not stated:
      # As players do: of scaled-down film, too, the width tells.
      sizes = sorted((picture.width, picture.height))
      large = sizes[1] >= _SD_WIDTH or sizes[0] > _SD_HEIGHT
      matrix = Colorspace.ITU709 if large else Colorspace.ITU601
    return cls(
      int(matrix),
      int(picture.color_primaries),
      int(picture.color_trc),
      _is_full_range(picture),
      stated,
    )

  @property
  def matrix_tag(self) -> int:
    """The matrix as another file should state it."""
    return self.matrix if self.stated else UNSPECIFIED

  @property
  def range_code(self) -> ColorRange:
    """The range in FFmpeg's words."""
    return ColorRange.JPEG if self.full_range else ColorRange.MPEG


BT709 = Colour(
  int(Colorspace.ITU709),
  int(ColorPrimaries.BT709),
  int(ColorTrc.BT709),
  full_range=False,
)
"""High definition television, at limited range."""


def _is_full_range(picture: VideoFrame) -> bool:
  if picture.color_range != ColorRange.UNSPECIFIED:
    return picture.color_range == ColorRange.JPEG
  name = picture.format.name
  return name.startswith(("yuvj", "gray", "ya")) or picture.format.is_rgb
