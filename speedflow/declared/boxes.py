"""The boxes of MP4 and QuickTime files, whatever a damaged file claims of them.

A box (ISO/IEC 14496-12, 4.2; QuickTime calls it an atom) begins with its size
in 32 bits and its type. Size 1 means that 64 bits follow, 0 that the box goes
on to the end of what holds it. Only headers are read here, one after another,
and no more than a fixed number in one file; contents are read when they are
asked for, up to a number of bytes that the caller names. So nothing hangs, and
no memory is taken because a file says so.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

# A film of a day in fragments of a second has more, all behind what is wanted.
_MOST_HEADERS = 20_000


class Box(NamedTuple):
  """Where one box lies.

  Attributes:
    kind: its type, four bytes.
    start: of its content, bytes from the file's beginning.
    end: of its content; never beyond that of the box that holds it.
  """

  kind: bytes
  start: int
  end: int


class Boxes:
  """Finds boxes in an open file."""

  def __init__(self, file: BinaryIO):
    """Looks at a file.

    Args:
      file: opened for reading bytes; its position is moved.
    """
    self._file = file
    self._left = _MOST_HEADERS
    self.size = file.seek(0, os.SEEK_END)

  def within(self, box: Box | None = None) -> Iterator[Box]:
    """Yields the boxes in a box, or those of the file, up to the first damage.

    Args:
      box: that holds them; None for the file.
    """
    at, end = (0, self.size) if box is None else (self._inside(box), box.end)
    while at + 8 <= end and self._left > 0:
      self._left -= 1
      header = self.bytes_at(at, 16)
      size, kind, begins = int.from_bytes(header[:4]), header[4:8], 8
      if size == 1:
        size, begins = int.from_bytes(header[8:16]), 16
      elif size == 0:
        size = end - at
      if size < begins or at + begins > end:
        return
      yield Box(kind, at + begins, min(at + size, end))
      at += size

  def find(self, *way: bytes, box: Box | None = None) -> Iterator[Box]:
    """Yields all boxes at the end of a way, such as `b"moov", b"trak"`.

    Args:
      *way: types, from the outside in.
      box: to begin in; None for the file.
    """
    first, *rest = way
    for each in self.within(box):
      if each.kind == first:
        if rest:
          yield from self.find(*rest, box=each)
        else:
          yield each

  def content(self, box: Box, most: int) -> bytes:
    """The content of a box, cut after so many bytes."""
    return self.bytes_at(box.start, min(most, box.end - box.start))

  def bytes_at(self, at: int, count: int) -> bytes:
    """Bytes of the file; fewer where it ends before."""
    self._file.seek(at)
    return self._file.read(count)

  def _inside(self, box: Box) -> int:
    """Where the boxes in a box begin."""
    if box.kind != b"meta":
      return box.start
    # Of ISO's it is version and flags that come first; QuickTime has none.
    head = self.bytes_at(box.start, 12)
    return box.start if head[4:8] == b"hdlr" else box.start + 4
