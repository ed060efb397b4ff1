"""Pictures in pieces, where one is too large to be made at once."""

import itertools
from typing import NamedTuple

# Larger pictures are made in tiles of at most so many pixels.
LARGEST = 2**20
# Of these, strips of about so many pixels are made at once where much memory
# is wanted.
LARGEST_STRIP = 2**19


class Span(NamedTuple):
  """A part of an axis, in pixels.

  Attributes:
    start: of what is made here alone.
    end: of the same.
    low: start of all that it depends on.
    high: end of the same.
  """

  start: int
  end: int
  low: int
  high: int


def spans(
  height: int, width: int, grid: int, reach: int, largest: int = LARGEST
) -> tuple[list[Span], list[Span]]:
  """Cuts a picture into rows and columns of tiles of one size.

  Among the cuts whose tiles are small enough, that of the fewest pixels is
  taken: what a tile depends on beyond its own part is made twice.

  Args:
    height: of the picture, pixels, a multiple of `grid`.
    width: the same.
    grid: sides of tiles are multiples of it.
    reach: a pixel depends on others at most so far away; a multiple of `grid`.
    largest: pixels of a tile, if tiles of so few can be made.

  Returns:
    those of the rows, and of the columns; all of one length along each axis, so
    that one program makes all tiles.
  """
  cuts = [
    (rows, columns)
    for rows, columns in itertools.product(
      _cuts(height, grid, reach), _cuts(width, grid, reach)
    )
    if rows[0].high * columns[0].high <= largest
  ]
  if not cuts:
    return _cuts(height, grid, reach)[-1], _cuts(width, grid, reach)[-1]
  # The fewer of them the better, if the sum of their pixels is the same.
  return min(cuts, key=lambda cut: (_pixels(*cut), len(cut[0]) * len(cut[1])))


def strips(
  height: int, width: int, grid: int, reach: int, largest: int
) -> tuple[Span, ...]:
  """Cuts a picture into the fewest strips of rows that are small enough.

  Args:
    height: as for `spans`.
    width: the same.
    grid: the same, of heights alone.
    reach: the same.
    largest: pixels of a strip, without what is made twice.

  Returns:
    the rows of each; all are of one height.
  """
  count = -(-height * width // largest)
  cuts = _cuts(height, grid, reach)
  return tuple(cuts[min(count, len(cuts)) - 1])


def _cuts(length: int, grid: int, reach: int) -> list[list[Span]]:
  """An axis in one part, in two, and so on, as long as they get shorter."""
  cuts = [[Span(0, length, 0, length)]]
  for count in itertools.count(2):
    # At both ends of the axis, nothing is beyond.
    side = -(-(length + 2 * (count - 1) * reach) // count)
    side = -(-side // grid) * grid
    if side <= 2 * reach or side >= cuts[-1][0].high:
      return cuts
    cuts.append(_parts(length, side, count, reach))
  raise AssertionError


def _parts(length: int, side: int, count: int, reach: int) -> list[Span]:
  parts = []
  start = 0
  for number in range(count):
    low = min(number * (side - 2 * reach), length - side)
    end = length if number == count - 1 else low + side - reach
    parts.append(Span(start, end, low, low + side))
    start = end
  return parts


def _pixels(rows: list[Span], columns: list[Span]) -> int:
  return len(rows) * rows[0].high * len(columns) * columns[0].high
