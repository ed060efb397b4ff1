"""GoPro: the settings of the camera in `moov/udta/GPMF`.

GPMF is a list of keys of four letters, each with a type, the size of a value,
how many follow, and the values, filled up to four bytes; type 0 holds others.
`VFPS` is the rate of filming as two 32-bit numbers, such as 240000 and 1001; a
HERO11 has it, a HERO6 has not. `MTYP` is 0 for plain video, 1 for a time lapse,
whose `RATE` is the interval ("0_5SEC" is half a second). Plain video is stored
as it was filmed, whatever the rate.

Source: github.com/gopro/gpmf-parser (README, format); values of a HERO11 Black
in github.com/andrei-demidov/python-gpmf-metadata; ExifTool, GoPro.pm (RATE,
MTYP).
"""

import re
from collections.abc import Iterator

from speedflow.declared import boxes as boxes_lib
from speedflow.declared import numbers
from speedflow.declared.declaration import Statement

_MOST_BYTES = 1 << 16
_MOST_KEYS = 2000
_DEEPEST = 4
_INTERVAL = re.compile(r"(?:0_([0-9])|([0-9]{1,4}))SEC")
_PLAIN, _TIME_LAPSE = 0, 1


def statements(boxes: boxes_lib.Boxes) -> Iterator[Statement]:
  """Yields what the settings say."""
  box = next(boxes.find(b"moov", b"udta", b"GPMF"), None)
  if box is None:
    return
  settings: dict[str, bytes] = {}
  _collect(boxes.content(box, _MOST_BYTES), settings, 0)
  kind = settings.get("MTYP", b"\0")[:1]
  if kind == bytes([_TIME_LAPSE]):
    yield from _time_lapse(settings.get("RATE", b""))
  elif kind == bytes([_PLAIN]) and len(settings.get("VFPS", b"")) >= 8:
    value = settings["VFPS"]
    over, under = int.from_bytes(value[:4]), int.from_bytes(value[4:8])
    if under and (rate := numbers.rate(over / under)):
      yield Statement(
        "GPMF VFPS",
        f"the camera filmed {rate:.5g} frames a second",
        capture_fps=rate,
        by_camera=True,
      )


def _time_lapse(value: bytes) -> Iterator[Statement]:
  text = value.rstrip(b"\0").decode("ascii", "replace")
  match = _INTERVAL.fullmatch(text)
  seconds = 0.0
  if match:
    seconds = int(match[1]) / 10 if match[1] else float(match[2])
  if seconds > 0:
    yield Statement(
      "GPMF RATE",
      f"a time lapse: the camera filmed a frame every {seconds:g} s",
      capture_fps=1 / seconds,
      by_camera=True,
    )
  else:
    yield Statement("GPMF MTYP", "a time lapse, of no stated rate")


def _collect(content: bytes, into: dict[str, bytes], depth: int) -> None:
  """Takes the first value of every key."""
  at = 0
  while at + 8 <= len(content) and len(into) < _MOST_KEYS:
    key = content[at : at + 4].decode("ascii", "replace")
    kind, size = content[at + 4], content[at + 5]
    length = size * int.from_bytes(content[at + 6 : at + 8])
    value = content[at + 8 : at + 8 + length]
    if kind == 0 and depth < _DEEPEST:
      _collect(value, into, depth + 1)
    elif kind:
      into.setdefault(key, value)
    at += 8 + -(-length // 4) * 4
