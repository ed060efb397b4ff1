"""High-speed recordings of Photron's cameras: a header and a file of frames.

The header is text (`.cih`, lines of "Key : value") or has a document in it
(`.cihx`, between `<cih>` and `</cih>`); the frames lie beside it, under the
same name, `.mraw`: one after another, without anything between them. FFmpeg
reads them as raw video once it is told what they are, so that they pass for a
video file everywhere. 12 bits a pixel (two in three bytes, the highest bits
first) are unpacked on the way.

The software may save every n-th frame only ("Save Step", `skipFrame`), which
readers tend to overlook: the rate of what is stored is then n times lower than
that of recording.

Source: PFV's headers, and those of three recordings in pyMRAW
(github.com/ladisk/pyMRAW), one of which holds every 2500th frame. Frames in
colour, which it does not read either, are refused.
"""

import dataclasses
import os
import pathlib
import re
from fractions import Fraction
from typing import BinaryIO
from xml.etree import ElementTree

import av
import numpy as np
from av.container import InputContainer

from speedflow import inputs
from speedflow.errors import SpeedflowError

HEADERS = frozenset({".cih", ".cihx"})
"""How the names of headers end, in lower case."""

_FRAMES = ".mraw"
_MOST_BYTES = 1 << 20
# Bits a pixel that are stored, and those that tell; FFmpeg has no other.
_EFFECTIVE = frozenset({9, 10, 12, 14, 16})
_LARGEST_SIDE = 1 << 14

# By field: the key in text, and the way in a document.
_FIELDS = {
  "rate": ("Record Rate(fps)", "recordInfo/recordRate"),
  "step": ("Save Step", "frameInfo/skipFrame"),
  "frames": ("Total Frame", "frameInfo/totalFrame"),
  "width": ("Image Width", "imageDataInfo/resolution/width"),
  "height": ("Image Height", "imageDataInfo/resolution/height"),
  "bits": ("Color Bit", "imageDataInfo/colorInfo/bit"),
  "depth": ("EffectiveBit Depth", "imageDataInfo/effectiveBit/depth"),
  "side": ("EffectiveBit Side", "imageDataInfo/effectiveBit/side"),
  "format": ("File Format", "imageFileInfo/fileFormat"),
  "camera": ("Camera Type", "deviceInfo/deviceName"),
}


@dataclasses.dataclass(frozen=True)
class Recording:
  """What a header says.

  Attributes:
    header: the header.
    frames_path: the file of frames.
    fps: frames per second of the world: the rate of recording by the step at
      which frames were saved.
    frames: how many there are.
    width: pixels across.
    height: pixels down.
    bits: stored per pixel, 8, 12 or 16.
    pixel_format: FFmpeg's name of what the frames are once unpacked.
    camera: its name, or "".
  """

  header: pathlib.Path
  frames_path: pathlib.Path
  fps: Fraction
  frames: int
  width: int
  height: int
  bits: int
  pixel_format: str
  camera: str


def is_recording(path: str | os.PathLike[str]) -> bool:
  """Whether a name is one of a header, or of a file of frames."""
  return pathlib.Path(path).suffix.lower() in HEADERS | {_FRAMES}


def files_of(path: str | os.PathLike[str]) -> list[pathlib.Path]:
  """The file, and the file of frames where it is a recording's header."""
  path = pathlib.Path(path)
  if path.suffix.lower() in HEADERS:
    frames = _beside(path, (_FRAMES,))
    return [path, *([frames] if frames else [])]
  return [path]


def read_header(path: str | os.PathLike[str]) -> Recording:
  """Reads what a recording is.

  Args:
    path: of its header, or of its frames.

  Raises:
    SpeedflowError: one of the two files is missing, the header is no such, or
      the frames are of a kind that cannot be read, or fewer than it says.
  """
  path = pathlib.Path(path)
  inputs.require_file(path, "video file")
  header, frames = path, path
  if path.suffix.lower() == _FRAMES:
    header = _require_beside(path, tuple(sorted(HEADERS, reverse=True)))
  else:
    frames = _require_beside(path, (_FRAMES,))
  fields = _fields(header)
  recording = Recording(
    header=header,
    frames_path=frames,
    fps=_rate(header, fields["rate"])
    / _whole(header, "step of saving", fields["step"].lstrip("0") or "1"),
    frames=_whole(header, "number of frames", fields["frames"]),
    width=_whole(header, "width", fields["width"], _LARGEST_SIDE),
    height=_whole(header, "height", fields["height"], _LARGEST_SIDE),
    bits=_whole(header, "bits a pixel", fields["bits"]),
    pixel_format=_pixel_format(header, fields),
    camera=fields["camera"],
  )
  pixels = recording.width * recording.height
  if recording.bits == 12 and pixels % 2:
    raise SpeedflowError(
      f"{header}: frames of an odd number of pixels in 12 bits each cannot be "
      "read; save them again in 16 bits"
    )
  held = frames.stat().st_size // (pixels * recording.bits // 8)
  if held < recording.frames:
    raise SpeedflowError(
      f"{frames}: holds {held} frames where {header.name} says "
      f"{recording.frames}, perhaps cut short; copy it again"
    )
  return recording


def open_recording(path: str | os.PathLike[str]) -> InputContainer:
  """Opens a recording as FFmpeg opens raw video.

  Args:
    path: of its header, or of its frames.

  Returns:
    An open container; the caller closes it.

  Raises:
    SpeedflowError: as `read_header`.
    av.FFmpegError: FFmpeg cannot read it.
  """
  recording = read_header(path)
  options = {
    "video_size": f"{recording.width}x{recording.height}",
    "pixel_format": recording.pixel_format,
    "framerate": str(recording.fps),
  }
  source: str | _Unpacked = f"file:{recording.frames_path}"
  if recording.bits == 12:
    source = _Unpacked(recording.frames_path.open("rb"))
  return av.open(source, "r", format="rawvideo", options=options)


class _Unpacked:
  """A file of 12-bit pixels as a file of 16-bit ones, for FFmpeg to read."""

  def __init__(self, file: BinaryIO):
    self._file = file
    self._size = file.seek(0, os.SEEK_END) // 3 * 4
    self._at = 0

  def read(self, count: int) -> bytes:
    # Four bytes here are three there.
    first, last = self._at // 4, -(-(self._at + count) // 4)
    self._file.seek(3 * first)
    packed = np.frombuffer(self._file.read(3 * (last - first)), np.uint8)
    high, middle, low = (
      packed[: len(packed) // 3 * 3].reshape(-1, 3).T.astype(np.uint16)
    )
    pixels = np.empty(2 * len(high), "<u2")
    pixels[0::2] = high << 4 | middle >> 4
    pixels[1::2] = (middle & 15) << 8 | low
    skip = self._at - 4 * first
    data = pixels.tobytes()[skip : skip + count]
    self._at += len(data)
    return data

  def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
    base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}
    self._at = max(0, base[whence] + offset)
    return self._at

  def tell(self) -> int:
    return self._at

  def close(self) -> None:
    self._file.close()


def _fields(header: pathlib.Path) -> dict[str, str]:
  with header.open("rb") as file:
    content = file.read(_MOST_BYTES)
  begin, end = content.find(b"<cih>"), content.rfind(b"</cih>")
  if 0 <= begin < end:
    # From its root on: no declarations, whose entities could grow without end.
    try:
      root = ElementTree.fromstring(content[begin : end + len(b"</cih>")])
    except (ElementTree.ParseError, ValueError, RecursionError):
      root = ElementTree.Element("cih")
    return {
      name: (root.findtext(way) or "").strip()
      for name, (_, way) in _FIELDS.items()
    }
  lines = content.decode("utf-8", "replace").splitlines()
  known: dict[str, str] = {}
  for line in lines:
    key, _, value = line.partition(":")
    # What follows is about the computer, with some of the same keys.
    known.setdefault(key.strip(), value.strip())
  return {name: known.get(key, "") for name, (key, _) in _FIELDS.items()}


def _rate(header: pathlib.Path, text: str) -> Fraction:
  # Some headers write 1000.0, and older ones "50 fps".
  match = re.match(r"[0-9]{1,9}(\.[0-9]{1,6})?", text)
  rate = Fraction(match[0]) if match else Fraction(0)
  if not rate:
    raise _unreadable(header, "rate of recording", text)
  return rate


def _whole(
  header: pathlib.Path, what: str, text: str, most: int = 1 << 31
) -> int:
  if not re.fullmatch(r"[0-9]{1,10}", text) or not 0 < int(text) <= most:
    raise _unreadable(header, what, text)
  return int(text)


def _pixel_format(header: pathlib.Path, fields: dict[str, str]) -> str:
  bits, depth = fields["bits"], fields["depth"]
  if fields["format"].lower() != "mraw":
    raise _unreadable(header, "file format", fields["format"])
  if bits == "8":
    return "gray"
  upper = fields["side"].lower() in ("higher", "upper")
  if bits == "12":
    return "gray12le"
  if bits != "16" or not depth.isdecimal() or int(depth) not in _EFFECTIVE:
    raise SpeedflowError(
      f"{header}: frames of {bits or '?'} bits a pixel, of which "
      f"{depth or '?'} tell, cannot be read; wanted grey ones of 8, 12 or 16 "
      "bits: save them again so"
    )
  return "gray16le" if upper or depth == "16" else f"gray{depth}le"


def _unreadable(header: pathlib.Path, what: str, seen: str) -> SpeedflowError:
  return SpeedflowError(
    f"{header}: no header of a Photron recording ({what}: {seen[:40]!r}); copy "
    "it again"
  )


def _beside(
  path: pathlib.Path, suffixes: tuple[str, ...]
) -> pathlib.Path | None:
  for suffix in suffixes:
    for beside in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
      if beside.is_file():
        return beside
  return None


def _require_beside(
  path: pathlib.Path, suffixes: tuple[str, ...]
) -> pathlib.Path:
  found = _beside(path, suffixes)
  if found is None:
    wanted = " or ".join(path.with_suffix(s).name for s in suffixes)
    raise SpeedflowError(
      f"{path}: lacks {wanted} beside it; a Photron recording is both files"
    )
  return found
