"""Samsung: slow motion by a box and by a trailer.

`moov/udta/smta` holds `saut`, pairs of a key and a value in a byte each: key 0
is the mode of recording (12 and 21: slow motion at 240 frames a second, 13: at
120; 7, 9, 22 and 23: super slow motion), and `srfr`, the rate of filming in
16.16 bits. The rate of filming of modes 12 and 13 is fixed; of 21 it is in
`srfr`. The stored pictures go by at about 30 a second, hence slowed throughout.

The trailer (Samsung Extension Format) ends the file: entries, each after two
bytes with a type and the length of its name, in a box `sefd`, then `SEFH`, a
table of them, its length and `SEFT`. `SlowMotion_Data` lists the spans that the
gallery shows slowed, `start:end:mode` in milliseconds of the stored pictures,
`*` between them; mode m plays 2**(m - 1) times slower than the world, and all
else is shown at the pace of the world. `Super_SlowMotion_Data` belongs to files
whose span is stretched already; its rate is not said.

Source: AndroidX Media3, `SmtaAtomUtil.java`, `SefReader.java` and
`SegmentSpeedProvider.java` (30 frames a second stored), and its two test files.
"""

import math
import re
from collections.abc import Iterator

from speedflow.declared import boxes as boxes_lib
from speedflow.declared import numbers
from speedflow.declared.declaration import Retiming, Statement

_FIXED = {12: 240.0, 13: 120.0}
_STATED = 21
_SUPER = (7, 9, 22, 23)
_STORED_FPS = 30.0

_TRAILER = "SEF trailer"
_MOST_BYTES = 1 << 20
_ENTRY = 12
_SPAN = re.compile(r"([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,2})")


def statements(boxes: boxes_lib.Boxes) -> Iterator[Statement]:
  """Yields what the box and the trailer say of the rate of filming."""
  for smta in boxes.find(b"moov", b"udta", b"smta"):
    yield from _of_smta(boxes.content(smta, 256))
    break
  entries = trailer(boxes)
  if "Super_SlowMotion_Data" in entries:
    yield Statement(
      f"{_TRAILER}, Super_SlowMotion_Data",
      "a span was stretched to super slow motion, of no stated rate",
    )


def retimings(
  boxes: boxes_lib.Boxes, capture_fps: float | None
) -> list[Retiming]:
  """The spans that Samsung's gallery shows at other paces than stored.

  Args:
    boxes: of the file.
    capture_fps: frames per second while filming, as declared; without it the
      paces cannot be told.
  """
  text = trailer(boxes).get("SlowMotion_Data", "")
  spans = [_SPAN.fullmatch(part) for part in text.split("*")]
  if capture_fps is None or not all(spans):
    return []
  found = []
  for span in filter(None, spans):
    start, end, mode = (int(number) for number in span.groups())
    # Twenty is a slowing by half a million.
    if start < end and 1 <= mode <= 20:
      rate = capture_fps / _STORED_FPS / 2 ** (mode - 1)
      found.append(Retiming(start / 1000, end / 1000, rate, _TRAILER))
  return sorted(found, key=lambda r: r.start_s)


def trailer(boxes: boxes_lib.Boxes) -> dict[str, str]:
  """Reads the trailer's entries, by name; none where there is no trailer."""
  tail = boxes.bytes_at(max(0, boxes.size - 8), 8)
  length = int.from_bytes(tail[:4], "little")
  if tail[4:] != b"SEFT" or not 12 <= length <= _MOST_BYTES:
    return {}
  table_at = boxes.size - 8 - length
  if table_at < 0:
    return {}
  table = boxes.bytes_at(table_at, length)
  if table[:4] != b"SEFH":
    return {}
  found = {}
  # The number of entries that the table claims is not needed.
  for at in range(12, len(table) - _ENTRY + 1, _ENTRY):
    back, size = (
      int.from_bytes(table[at + n : at + n + 4], "little") for n in (4, 8)
    )
    if not 8 <= size <= _MOST_BYTES or back > table_at or size > back:
      continue
    entry = boxes.bytes_at(table_at - back, size)
    name_end = 8 + int.from_bytes(entry[4:8], "little")
    if name_end <= len(entry):
      name = entry[8:name_end].decode("ascii", "replace")
      found[name] = entry[name_end:].decode("ascii", "replace")
  return found


def _of_smta(content: bytes) -> Iterator[Statement]:
  """Reads the boxes in an `smta`, which begins with version and flags."""
  mode = stated = None
  at = 4
  while at + 8 <= len(content):
    size, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
    inner = content[at + 8 : at + size]
    if size < 8:
      return
    if kind == b"saut" and len(inner) >= 8:
      mode = {inner[4]: inner[5], inner[6]: inner[7]}.get(0)
    elif kind == b"srfr" and len(inner) >= 4:
      stated = numbers.rate(int.from_bytes(inner[:4]) / 65536)
    at += size
  rate = stated if mode == _STATED else _FIXED.get(mode or 0)
  if rate and math.isfinite(rate):
    yield Statement(
      "smta",
      f"slow motion (recording mode {mode}) at {rate:.5g} frames a second",
      capture_fps=rate,
      by_camera=True,
    )
  elif mode in _SUPER:
    yield Statement(
      "smta", f"super slow motion (recording mode {mode}), of no stated rate"
    )
