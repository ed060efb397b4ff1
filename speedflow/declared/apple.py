"""Apple: what iPhones write, and what they do not.

An original of the camera's Slo-mo stores all frames at the rate of filming, 120
or 240 a second; which part Photos shows slowed, and how much, is in a sidecar
of the same name, `IMG_0001.AAE`: a property list with the identifier
`com.apple.video.slomo`, whose data is another with `slowMotion/rate` and
`slowMotion/regions` (ExifTool, lib/Image/ExifTool/PLIST.pm, shows them).
`com.apple.quicktime.full-frame-rate-playback-intent` says whether players are
to show a movie of 120 frames a second and more at its full rate (1) or slowed
(0) (AVFoundation, AVMetadataKey). It is 0 in ordinary recordings, too.

What is shared or copied is an export of 30 frames a second by the phone itself,
slowed for good, in which nothing tells the rate of filming: so it was reported
of originals of an iPhone 15 Pro Max with iOS 26. So an Apple file of an
ordinary rate declares nothing, and is no evidence of ordinary speed either.
"""

import math
import pathlib
import plistlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from speedflow.declared import numbers
from speedflow.declared.declaration import Retiming, Statement

_INTENT = "com.apple.quicktime.full-frame-rate-playback-intent"
_MODEL = "com.apple.quicktime.model"
_SLOMO = "com.apple.video.slomo"
_SIDECAR = "AAE sidecar"

_HIGH_FPS = 100
_MOST_BYTES = 1 << 20


def statements(
  tags: Mapping[str, str], stored_fps: float | None
) -> Iterator[Statement]:
  """Yields what the tags say.

  Args:
    tags: of the file, by name in lower case.
    stored_fps: frames per second by the time stamps, or None.
  """
  if _MODEL not in tags or not stored_fps or stored_fps < _HIGH_FPS:
    return
  words = "the phone stores the frames of its slow motion as it filmed them"
  intent = tags.get(_INTENT)
  if intent in ("0", "1"):
    words += ", to be shown " + ("slowed", "at the full rate")[int(intent)]
  yield Statement(
    _INTENT if intent else _MODEL,
    words,
    capture_fps=numbers.rate(stored_fps),
  )


def sidecar(path: pathlib.Path) -> pathlib.Path | None:
  """The sidecar of Photos that lies beside a file, if any."""
  for suffix in (".AAE", ".aae"):
    beside = path.with_suffix(suffix)
    if beside.is_file():
      return beside
  return None


def retimings(path: pathlib.Path) -> list[Retiming]:
  """Reads which spans Photos shows slowed.

  Args:
    path: of a sidecar.

  Returns:
    The spans, in seconds of the original; none of another kind of sidecar.
  """
  try:
    with path.open("rb") as file:
      document = plistlib.loads(file.read(_MOST_BYTES))
    if document.get("adjustmentFormatIdentifier") != _SLOMO:
      return []
    slow = _unpacked(document["adjustmentData"])["slowMotion"]
    rate = float(slow["rate"])
    spans = [_span(region["timeRange"]) for region in slow["regions"]]
  except (
    *(OSError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, RecursionError, ZeroDivisionError, MemoryError),
    *(plistlib.InvalidFileException, expat.ExpatError, zlib.error),
  ):
    # A sidecar that cannot be read says nothing; the video is fine.
    return []
  if not (math.isfinite(rate) and 0 < rate <= 8):
    return []
  return [
    Retiming(start, end, rate, _SIDECAR)
    for start, end in spans
    if math.isfinite(end) and 0 <= start < end
  ]


def _unpacked(data: bytes) -> Any:
  """A property list, as it is or deflated without a header."""
  if not data.startswith((b"bplist", b"<?xml")):
    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _MOST_BYTES)
  return plistlib.loads(data)


def _span(time_range: Any) -> tuple[float, float]:
  start, length = (
    time_range[name]["value"] / time_range[name]["timescale"]
    for name in ("start", "duration")
  )
  return float(start), float(start + length)
