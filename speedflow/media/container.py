"""Opening a media file, with every refusal said in one line."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction

import av
from av.container import Container, InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from speedflow import inputs
from speedflow.errors import SpeedflowError
from speedflow.media import photron

# FFmpeg draws text files as terminal art; nobody means that as a video.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
# Such files name others, anywhere on the machine or beyond it, and FFmpeg would
# open those.
_LIST_FORMATS = frozenset({"concat", "dash", "hls", "imf", "rtsp", "sdp"})
# FFmpeg's flag of formats without time stamps: AVFMT_NOTIMESTAMPS.
_NO_STAMPS = 0x0080
# See `raw_streams_at`.
_raw_fps: Fraction | None = None
_LIST_HEADS = (b"ffconcat version", b"#EXTM3U", b"[playlist]")


def open_container(path: str | os.PathLike[str]) -> InputContainer:
  """Opens a local media file for reading.

  Args:
    path: the file.

  Returns:
    An open container; the caller closes it.

  Raises:
    SpeedflowError: the file is missing, a folder, a pipe, a device, empty,
      unreadable, a list of files, or not a sound or moving picture that FFmpeg
      knows.
  """
  file = pathlib.Path(path)
  try:
    inputs.require_file(file, "video file")
    if file.stat().st_size == 0:
      raise SpeedflowError(f"{file}: empty (0 bytes); copy or record it again")
    if _is_list(file):
      raise SpeedflowError(
        f"{file}: a list of files (a playlist), where a video was wanted; name "
        "the files that it lists"
      )
    opener = photron.open_recording if photron.is_recording(file) else None
    container = (opener or open_unchecked)(file)
    if _raw_fps and is_raw(container):
      stream = video_stream(container)
      if stream is not None and not rate_in_raw(stream):
        container.close()
        container = open_unchecked(file, _raw_fps)
  except PermissionError as error:
    raise SpeedflowError(
      f"{file}: may not be read; give yourself read permission"
    ) from error
  except (av.FFmpegError, OSError) as error:
    raise SpeedflowError(
      f"{file}: not a readable video ({reason(error)}), perhaps cut short;"
      " wanted a whole file in a format that FFmpeg reads, such as MP4; copy or"
      " convert it again"
    ) from error
  name = container.format.name
  if name in _TEXT_FORMATS:
    container.close()
    raise SpeedflowError(
      f"{file}: text, where a video was wanted; name a video file"
    )
  if name == "image2" or name.endswith("_pipe"):
    container.close()
    if _is_animated_webp(file):
      raise SpeedflowError(
        f"{file}: an animated WebP, of which FFmpeg reads the first picture"
        " only; convert it to MP4 or GIF with another program"
      )
    raise SpeedflowError(
      f"{file}: a still picture, where a video was wanted; name a video file"
    )
  if not len(container.streams):
    container.close()
    raise SpeedflowError(
      f"{file}: no picture and no sound in it, perhaps cut short; copy or"
      " convert it again"
    )
  return container


@contextlib.contextmanager
def raw_streams_at(fps: Fraction | None) -> Iterator[None]:
  """Raw streams that state no rate have this one: in all threads, while it is.

  Args:
    fps: frames per second; None: such streams are refused.
  """
  global _raw_fps
  before, _raw_fps = _raw_fps, fps
  try:
    yield
  finally:
    _raw_fps = before


def is_raw(container: Container) -> bool:
  """Whether it has no time stamps, and nobody gave it a rate."""
  raw = int(container.format.flags) & _NO_STAMPS
  return bool(raw) and "framerate" not in container.options


def rate_in_raw(stream: VideoStream) -> Fraction | None:
  """The rate that a raw stream states; FFmpeg makes one up where it does not.

  Returns:
    Frames per second; None if it states none.
  """
  rate = stream.codec_context.framerate and stream.guessed_rate
  return Fraction(rate) if rate else None


def open_unchecked(
  path: str | os.PathLike[str], fps: Fraction | None = None
) -> InputContainer:
  """Opens a file as FFmpeg does, but never the files that a list names.

  Args:
    path: of a local file.
    fps: frames per second of a raw stream.

  Returns:
    An open container; the caller closes it.

  Raises:
    av.FFmpegError: FFmpeg cannot read it, or it is a list.
    OSError: it may not be read.
  """
  # The prefix keeps FFmpeg from reading a colon in the name as a protocol;
  # titles and the like need not be UTF-8.
  return av.open(
    f"file:{path}",
    metadata_errors="replace",
    options={"format_whitelist": _single_files()}
    | ({"framerate": str(fps)} if fps else {}),
  )


def video_stream(container: InputContainer) -> VideoStream | None:
  """The main moving picture of a file; a sound file's cover is none."""
  streams = [
    stream
    for stream in container.streams.video
    if stream.codec_context is not None
    and not stream.disposition & Disposition.attached_pic
  ]
  best = container.streams.best("video")
  if best in streams:
    return best
  return streams[0] if streams else None


def packets(container: InputContainer, *streams: Stream) -> Iterator[av.Packet]:
  """Packets of some streams, as `InputContainer.demux` gives them.

  Damaged FLV files, and transport streams, have tracks that appear on the way,
  at whose packets PyAV 18 raises an IndexError: those are passed over.

  Raises:
    av.FFmpegError: the file cannot be read on.
  """
  while True:
    try:
      yield from container.demux(*streams)
      return
    except IndexError:
      # The packet is taken, so that this ends.
      continue


def only_a_cover(container: InputContainer) -> bool:
  """Whether the pictures of a file are those on its cover."""
  streams = container.streams.video
  return bool(streams) and all(
    stream.disposition & Disposition.attached_pic for stream in streams
  )


def reason(error: Exception) -> str:
  """FFmpeg's own words for an error, on one line and without the path."""
  words = getattr(error, "strerror", None) or str(error)
  log = getattr(error, "log", None)
  if log:
    words = f"{words}: {log[2]}"
  return " ".join(words.split())


@functools.cache
def _single_files() -> str:
  """Names of all formats but lists, as FFmpeg wants them."""
  # FFmpeg knows a format by any one of its names.
  names = {name for all_ in av.formats_available for name in all_.split(",")}
  return ",".join(sorted(names - _LIST_FORMATS))


def _is_animated_webp(file: pathlib.Path) -> bool:
  """Whether the header says so (the A bit of VP8X, Google's container)."""
  with file.open("rb") as opened:
    head = opened.read(21)
  extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
  return extended and len(head) == 21 and bool(head[20] & 2)


def _is_list(file: pathlib.Path) -> bool:
  with file.open("rb") as opened:
    head = opened.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip()
  # The last is MPEG-DASH, which is XML.
  return head.startswith(_LIST_HEADS) or (
    head.startswith(b"<") and b"<MPD" in head
  )
