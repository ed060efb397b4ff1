"""Sony: the document NonRealTimeMeta, in the file and beside it.

XAVC S and XAVC HS files carry it in an `xml ` box within a `meta` box at the
top of the file, where FFmpeg does not look; the same document lies beside the
clip as `C0001M01.XML`. Its element `VideoFrame` has the attributes `captureFps`
and `formatFps`, such as "119.88p" and "23.98p": the rate of filming, and of the
file. They differ for S&Q (slow and quick) recordings.

Source: documents of ILCE-7CM2, ILCE-6700 and FDR-AX100 in public repositories;
ExifTool, lib/Image/ExifTool/QuickTime.pm (`xml ` of `meta`) and XMP tables.
"""

import pathlib
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from speedflow.declared import boxes as boxes_lib
from speedflow.declared import numbers
from speedflow.declared.declaration import Statement

_ROOT = b"<NonRealTimeMeta"
_MOST_BYTES = 1 << 20
_WAYS = ((b"meta", b"xml "), (b"moov", b"meta", b"xml "), (b"uuid",))


def statements(
  boxes: boxes_lib.Boxes, path: pathlib.Path
) -> Iterator[Statement]:
  """Yields what the document says, in the file or else beside it.

  Args:
    boxes: of the file.
    path: of the file.
  """
  for way in _WAYS:
    for box in boxes.find(*way):
      found = list(_of_document(boxes.content(box, _MOST_BYTES), "in the file"))
      if found:
        yield from found
        return
  if (beside := sidecar(path)) is not None:
    try:
      with beside.open("rb") as file:
        document = file.read(_MOST_BYTES)
    except OSError:
      # One that may not be read says nothing; the video is fine.
      return
    yield from _of_document(document, "beside it")


def sidecar(path: pathlib.Path) -> pathlib.Path | None:
  """The document that lies beside a clip, if any."""
  for suffix in (".XML", ".xml"):
    beside = path.with_name(f"{path.stem}M01{suffix}")
    if beside.is_file():
      return beside
  return None


def _of_document(content: bytes, where: str) -> Iterator[Statement]:
  begin = content.find(_ROOT)
  end = content.rfind(b"</NonRealTimeMeta>")
  if begin < 0 or end < begin:
    return
  # From its root on: no declarations, whose entities could grow without end.
  text = content[begin : end + len(b"</NonRealTimeMeta>")]
  try:
    root = ElementTree.fromstring(text)
  except (ElementTree.ParseError, ValueError, RecursionError):
    return
  frame = next((e for e in root.iter() if _local(e.tag) == "VideoFrame"), None)
  if frame is None:
    return
  capture = numbers.rate(frame.get("captureFps"))
  play = numbers.rate(frame.get("formatFps"))
  if capture is None:
    return
  maker = next((e for e in root.iter() if _local(e.tag) == "Device"), None)
  model = "" if maker is None else maker.get("modelName", "")
  # A name in a file may be anything.
  model = re.sub(r"[^\w .-]", "", model)[:40]
  yield Statement(
    "NonRealTimeMeta",
    f"{model or 'the camera'} ({where}) filmed {capture:.5g} frames a second"
    + (f", to be played at {play:.5g}" if play else ""),
    capture_fps=capture,
    play_fps=play,
    by_camera=True,
  )


def _local(tag: object) -> str:
  """The name of an element without its namespace."""
  return str(tag).rpartition("}")[2]
