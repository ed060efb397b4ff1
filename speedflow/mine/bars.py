"""Dark bars about a picture (letterbox, pillarbox), to be cut off.

They carry no motion, so that a picture with bars seems to move less. A bar is
dark throughout, of one shade along its border and over time, and ends in a
straight edge. A dark surround of another shape is a part of the scene.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

# Bars of less than this share of the height or width are left where they are.
_LEAST = 0.04
# So much of the height and of the width is left, or all of it is dark.
_LEAST_LEFT = 0.3
# Grey levels: a bar is darker, with its codec noise and perhaps a logo.
_DARK = 28
# Grey levels by which a bar's shade varies, and by which the picture beside it
# is brighter over half of the edge: a round surround has no such edge.
_SHADES = 8
_STEP = 4
_EDGE = 0.5
# An edge is so many times as steep as what follows; a shadow is not.
_STEEPER = 1.5
# Lines over which an edge is spread by scaling.
_SOFT = 1
_ACROSS = 2 * _SOFT + 1
_LOOKED_AT = 16


@dataclasses.dataclass(frozen=True)
class Bars:
  """How much of a picture is bars; shares of its height or width, 0..1.

  Attributes:
    top: of the height.
    bottom: of the height.
    left: of the width.
    right: of the width.
  """

  top: float = 0.0
  bottom: float = 0.0
  left: float = 0.0
  right: float = 0.0

  def __bool__(self) -> bool:
    """Whether there are any."""
    return any(dataclasses.astuple(self))

  def cut_off(self, image: np.ndarray) -> np.ndarray:
    """The picture without them.

    Args:
      image: [h, w] or [h, w, channels].

    Returns:
      A view of a part of it.
    """
    height, width = image.shape[:2]
    rows = slice(*_span(height, self.top, self.bottom))
    return image[rows, slice(*_span(width, self.left, self.right))]

  def scaled(self, image: np.ndarray) -> np.ndarray:
    """The picture without them, at the size that it had with them.

    Args:
      image: uint8 [h, w] or [h, w, channels].
    """
    size = image.shape[1::-1]
    return cv2.resize(self.cut_off(image), size, interpolation=cv2.INTER_AREA)


def _span(lines: int, before: float, after: float) -> tuple[int, int]:
  """First line of the picture, and the first one after it."""
  # A share of whole lines may lie a rounding beside them.
  first = int(np.ceil(lines * before - 1e-6))
  return first, lines - int(np.ceil(lines * after - 1e-6))


def find(gray: Sequence[np.ndarray]) -> Bars:
  """Finds the bars that are there in all frames.

  Args:
    gray: frames of one shot, at least one, uint8 [h, w].

  Returns:
    The bars, with the lines in which they blend into the picture; none where
    the picture is too dark to tell.
  """
  shown = np.stack(gray[:: max(1, len(gray) // _LOOKED_AT)])
  brightest, mean = shown.max(0), shown.mean(0)
  height, width = mean.shape
  # Where there are bars on all sides, either pair hides a part of the edges of
  # the other.
  rows, columns = (0, 0), (0, 0)
  for _ in range(2):
    part = slice(columns[0], width - columns[1])
    rows = _pair(brightest[:, part], mean[:, part])
    part = slice(rows[0], height - rows[1])
    columns = _pair(brightest[part].T, mean[part].T)
  return Bars(
    rows[0] / height, rows[1] / height, columns[0] / width, columns[1] / width
  )


def _pair(brightest: np.ndarray, mean: np.ndarray) -> tuple[int, int]:
  """Lines of the bars before the first and after the last line of a picture."""
  found = _bar(brightest, mean), _bar(brightest[::-1], mean[::-1])
  lines = len(mean)
  if not _LEAST * lines < sum(found) <= (1 - _LEAST_LEFT) * lines:
    return 0, 0
  first, last = (n + _SOFT if n else 0 for n in found)
  return first, last


def _bar(brightest: np.ndarray, mean: np.ndarray) -> int:
  """Lines of the bar that a picture begins with.

  Args:
    brightest: over time, [lines, n].
    mean: over time, float [lines, n].
  """
  dark = np.percentile(brightest, 95, axis=1) < _DARK
  if dark.all():
    return 0
  # The picture beside a bar may be dark as well, but not so dark.
  most = int(np.argmin(dark))
  # Strong compression spills light from the picture over a bar's last lines.
  spilt = range(most + 1, most + _ACROSS + 1)
  for lines in (*range(most, 0, -1), *spilt):
    if lines > len(mean) - 2 * _ACROSS:
      continue
    inside = lines + _SOFT
    step = mean[inside] - mean[max(inside - _ACROSS, 0)]
    after = mean[inside + _ACROSS] - mean[inside]
    edge = (step > _STEP) & (step > _STEEPER * after)
    low, high = np.percentile(mean[: max(lines - _SOFT, 1)], (5, 95))
    if high - low <= _SHADES and np.mean(edge) >= _EDGE:
      return lines
  return 0
