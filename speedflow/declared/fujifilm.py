"""Fujifilm: the maker notes in `moov/udta/MVTG`.

`MVTG` holds an Exif structure (TIFF) whose maker note (tag 0x927c of the Exif
directory) is a directory of Fujifilm's own, behind "FUJIFILM" and an offset in
little-endian order. Its tag 0x3824, FullHDHighSpeedRec, is 2 for a high-speed
recording; 0x3820, FrameRate, is that of the file. The rate of filming (100 to
240 a second) is not said.

Source: ExifTool, lib/Image/ExifTool/FujiFilm.pm (0x3820, 0x3824) and
QuickTime.pm (MVTG, from an X-T1 and later).
"""

from collections.abc import Iterator

from speedflow.declared import boxes as boxes_lib
from speedflow.declared.declaration import Statement

_MOST_BYTES = 1 << 18
_MOST_ENTRIES = 512
_EXIF, _MAKER_NOTE, _HIGH_SPEED = 0x8769, 0x927C, 0x3824
_ON = 2
_LONG = 4


def statements(boxes: boxes_lib.Boxes) -> Iterator[Statement]:
  """Yields what the maker notes say."""
  box = next(boxes.find(b"moov", b"udta", b"MVTG"), None)
  if box is None:
    return
  content = boxes.content(box, _MOST_BYTES)
  begin = content.find(b"II*\0")
  if begin < 0:
    return
  tiff = content[begin:]
  exif = _directory(tiff, _number(tiff, 4)).get(_EXIF, 0)
  at = _directory(tiff, exif).get(_MAKER_NOTE, 0)
  note = tiff[at:] if at else b""
  if not note.startswith(b"FUJIFILM"):
    return
  if _directory(note, _number(note, 8)).get(_HIGH_SPEED) == _ON:
    yield Statement(
      "Fujifilm FullHDHighSpeedRec",
      "a high-speed recording, stored slowed, of no stated rate",
    )


def _directory(data: bytes, at: int) -> dict[int, int]:
  """By tag, the 32 bits of its value, or of where that lies."""
  if at <= 0:
    return {}
  entries = min(int.from_bytes(data[at : at + 2], "little"), _MOST_ENTRIES)
  return {
    int.from_bytes(data[begin : begin + 2], "little"): _number(data, begin + 8)
    for begin in range(at + 2, at + 2 + 12 * entries, 12)
    if begin + 12 <= len(data)
  }


def _number(data: bytes, at: int) -> int:
  return int.from_bytes(data[at : at + _LONG], "little")
