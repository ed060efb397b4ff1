"""Edit lists of MP4 and QuickTime whose media rate is not 1.

An `elst` box (ISO/IEC 14496-12, 8.6.6) maps spans of what is shown to spans of
a track, each at a rate in 16.16 bits: at 0.5 a track is shown at half the pace
of its time stamps; 0 holds one picture ("dwell"); a media time of -1 shows
nothing. FFmpeg reads over the rate, so that time stamps from it are those of
rate 1 (findings/edit_list_rate_ignored.sh); QuickTime, AVFoundation and phones
obey.
"""

from collections.abc import Iterator

from speedflow.declared import boxes as boxes_lib
from speedflow.declared.declaration import Retiming

SOURCE = "edit list"

_MOST_BYTES = 1 << 18
_ONE = 1 << 16


def retimings(boxes: boxes_lib.Boxes) -> list[Retiming]:
  """The spans of the first video track that are shown at other rates than 1."""
  moov = next(boxes.find(b"moov"), None)
  if moov is None:
    return []
  header = next(boxes.find(b"mvhd", box=moov), None)
  if header is None:
    return []
  content = boxes.content(header, 32)
  at = 20 if content[:1] == b"\1" else 12
  scale = int.from_bytes(content[at : at + 4])
  if not scale:
    return []
  for track in boxes.find(b"trak", box=moov):
    handler = next(boxes.find(b"mdia", b"hdlr", box=track), None)
    if handler and boxes.content(handler, 12)[8:] == b"vide":
      edits = next(boxes.find(b"edts", b"elst", box=track), None)
      return (
        list(_spans(boxes.content(edits, _MOST_BYTES), scale)) if edits else []
      )
  return []


def _spans(content: bytes, scale: int) -> Iterator[Retiming]:
  """Reads the entries that are there, whatever number is claimed."""
  wide = 8 if content[:1] == b"\1" else 4
  size = 2 * wide + 4
  claimed = int.from_bytes(content[4:8])
  end = min(8 + claimed * size, len(content))
  start_s = 0.0
  for at in range(8, end - size + 1, size):
    duration = int.from_bytes(content[at : at + wide]) / scale
    media = int.from_bytes(content[at + wide : at + 2 * wide], signed=True)
    rate = int.from_bytes(content[at + size - 4 : at + size], signed=True)
    if media >= 0 and rate != _ONE and duration > 0:
      yield Retiming(start_s, start_s + duration, rate / _ONE, SOURCE)
    start_s += duration
