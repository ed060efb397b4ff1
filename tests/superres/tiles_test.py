"""Tiles cover a picture, with all that they depend on, and not much more."""

import pytest

from speedflow.superres import tiles

_GRID, _REACH = 16, 160
_SIZES = [
  (192, 320),
  (720, 1280),
  (1088, 1920),
  (1088, 1088),
  (2160, 3840),
  (4320, 7680),
  (16, 20_000),
]


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("largest", [2**20, 200_000, 1])
def test_every_pixel_is_made_once_from_all_that_it_depends_on(size, largest):
  cut = tiles.spans(*size, _GRID, _REACH, largest)
  for length, parts in zip(size, cut, strict=True):
    made = [pixel for part in parts for pixel in range(part.start, part.end)]
    assert made == list(range(length))
    for part in parts:
      assert part.low >= 0 and part.high <= length
      assert part.low == 0 or part.start - part.low >= _REACH
      assert part.high == length or part.high - part.end >= _REACH
      assert part.high - part.low == parts[0].high
      assert part.low % _GRID == part.high % _GRID == 0


@pytest.mark.parametrize("size", _SIZES)
def test_tiles_are_as_small_as_wanted(size):
  rows, columns = tiles.spans(*size, _GRID, _REACH)
  assert rows[0].high * columns[0].high <= tiles.LARGEST


@pytest.mark.parametrize(
  ("size", "most"), [((720, 1280), 1), ((1088, 1920), 1.4), ((2160, 3840), 1.8)]
)
def test_little_is_made_twice(size, most):
  rows, columns = tiles.spans(*size, _GRID, _REACH)
  made = len(rows) * rows[0].high * len(columns) * columns[0].high
  assert made <= most * size[0] * size[1]


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("largest", [2**19, 100_000, 1])
def test_strips_make_every_row_once(size, largest):
  parts = tiles.strips(*size, _GRID, 64, largest)
  made = [row for part in parts for row in range(part.start, part.end)]
  assert made == list(range(size[0]))
  for part in parts:
    assert part.low == 0 or part.start - part.low >= 64
    assert part.high == size[0] or part.high - part.end >= 64
    assert part.high - part.low == parts[0].high


def test_a_small_picture_is_one_strip():
  assert len(tiles.strips(480, 640, _GRID, 64, tiles.LARGEST_STRIP)) == 1
  assert len(tiles.strips(720, 1280, _GRID, 64, tiles.LARGEST_STRIP)) == 2
