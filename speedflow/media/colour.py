"""What the numbers of a stored picture mean as colours."""

from typing import NamedTuple, Self

from av.video.frame import VideoFrame
from av.video.reformatter import (
  ColorPrimaries,
  ColorRange,
  Colorspace,
  ColorTrc,
)

# AVColorSpace: what a file says that does not say its matrix.
_UNSPECIFIED = 2


class Colour(NamedTuple):
  """The code points of ITU-T H.273, and the range.

  Attributes:
    matrix: of luma and colour differences; 1 is BT.709.
    primaries: of red, green and blue; 2 where the file does not say.
    transfer: from light to numbers; 2 where the file does not say.
    full_range: whether black and white are 0 and 255 instead of 16 and 235.
  """

  matrix: int
  primaries: int
  transfer: int
  full_range: bool

  @classmethod
  def of(cls, picture: VideoFrame) -> Self:
    """Reads what a decoded picture says, or players assume."""
    matrix = int(picture.colorspace)
    if matrix == _UNSPECIFIED:
      # What players assume: high definition is BT.709, smaller is BT.601.
      high_definition = min(picture.width, picture.height) >= 720
      matrix = Colorspace.ITU709 if high_definition else Colorspace.ITU601
    return cls(
      int(matrix),
      int(picture.color_primaries),
      int(picture.color_trc),
      _is_full_range(picture),
    )

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
