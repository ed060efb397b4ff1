"""A video file with its sound, put together packet by packet."""

import contextlib
import math
import os
import pathlib
import types
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container
from speedflow.media.audio import Audio
from speedflow.output import marks
from speedflow.output.atomic import atomic_path

_SUFFIXES = (".mp4", ".mov", ".mkv")
# The unit of time is made at least this fine, for frames at any time.
_FINE_TICKS_PER_SECOND = 90_000
# The rates that AAC knows (ISO/IEC 14496-3, table 1.18), in Hz.
_AAC_RATES = (
  8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200,
  96000,
)  # fmt: skip
# What so many channels are, where a file does not say.
_USUAL_LAYOUTS = {
  1: "mono",
  2: "stereo",
  3: "3.0",
  4: "4.0",
  5: "5.0",
  6: "5.1",
  7: "6.1",
  8: "7.1",
}
# What AAC keeps, read again (FFmpeg 8.0); all of its other layouts come back
# as channels without places.
_AAC_LAYOUTS = frozenset(
  {"mono", "stereo", "3.0", "3.0(back)", "4.0", "quad", "2.1", "5.0", "5.1"}
  | {"7.1"}
)
# Loudspeakers at the sides stand for those at the back where there are no
# others.
_AAC_ALIKE = {"5.0(side)": "5.0", "5.1(side)": "5.1"}
# The other encoder of each container, and the layouts that it keeps there.
_OTHERS = {
  ".mp4": ("flac", frozenset({"6.1"})),
  ".mov": ("pcm_s16le", None),
  ".mkv": ("flac", None),
}
_AUDIO_PIECE = 4096  # Samples handed to the encoder at once.


class Muxer:
  """Puts packets of one video stream, and sound, into a file.

  Sound is AAC, or where that loses which channel is where, FLAC or PCM.

  A context manager; the file appears under its name when the block ends well,
  and not at all when it ends with an error.

  Attributes:
    video: the stream of the pictures; within the block only.
  """

  video: VideoStream

  def __init__(
    self,
    path: str | os.PathLike[str],
    time_base: Fraction,
    audio: Audio | Iterable[Audio] | None,
    add_video: Callable[[OutputContainer], VideoStream],
    title: str = "",
  ):
    """Prepares the file.

    Args:
      path: the file to make; the suffix (.mp4, .mov, .mkv) chooses the
        container. Its folder is made when missing.
      time_base: seconds per tick of the video.
      audio: the sound, or its blocks in order as `audio_blocks` gives them;
        what lies before time 0 is left out.
      add_video: adds the stream of the pictures.
      title: of the film, to be written into the file.

    Raises:
      SpeedflowError: the suffix is none of these.
    """
    require_suffix(path)
    self._path = pathlib.Path(path)
    self._time_base = time_base
    self._add_video = add_video
    self._title = title
    self._sound = _sound_frames([audio] if isinstance(audio, Audio) else audio)
    self._next_sound: AudioFrame | None = None
    self._resources = contextlib.ExitStack()

  def __enter__(self) -> Self:
    with self.in_words(), contextlib.ExitStack() as opening:
      temporary = opening.enter_context(atomic_path(self._path))
      self._container = av.open(
        f"file:{temporary}", "w", options=self._options()
      )
      opening.callback(self._abandon)
      self._container.metadata["comment"] = marks.COMMENT
      if self._title:
        self._container.metadata["title"] = self._title
      self.video = self._add_video(self._container)
      self._next_sound = next(self._sound, None)
      if self._next_sound is not None:
        self._audio = self._add_audio(self._next_sound)
      self._resources = opening.pop_all()
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: types.TracebackType | None,
  ) -> None:
    if error is not None:
      self._resources.__exit__(kind, error, trace)
      return
    with self.in_words(), self._resources:
      self._write_sound(until=None)
      self._container.close()

  def mux(self, packets: Iterable[av.Packet], until: Fraction | None) -> None:
    """Adds packets of the video, and sound beside them.

    Args:
      packets: in the order of decoding.
      until: seconds up to which the sound is wanted; None for all of it.

    Raises:
      SpeedflowError: the disk is full or the file cannot be written.
    """
    with self.in_words():
      self._container.mux(list(packets))
      self._write_sound(until)

  @contextlib.contextmanager
  def in_words(self) -> Iterator[None]:
    """Says in one line why something could not be written."""
    try:
      yield
    except (av.FFmpegError, OSError) as error:
      raise SpeedflowError(
        f"{self._path}: could not be written"
        f" ({media_container.reason(error)}); make room, or choose a folder"
        " that you may write to"
      ) from error

  def _write_sound(self, until: Fraction | None) -> None:
    """Encodes the sound up to a time, or all the rest, and interleaves it."""
    while self._next_sound is not None:
      frame = self._next_sound
      begin = Fraction(frame.pts or 0, frame.sample_rate)
      if until is not None and begin > until:
        return
      self._container.mux(self._audio.encode(frame))
      self._next_sound = next(self._sound, None)
      if self._next_sound is None:
        self._container.mux(self._audio.encode(None))

  def _options(self) -> dict[str, str]:
    if self._path.suffix.lower() == ".mkv":
      return {}
    ticks = self._time_base.denominator
    return {
      "movflags": "+faststart",
      # The unit of a track's start; FFmpeg's own millisecond would round it.
      "movie_timescale": str(ticks * _multiple(ticks)),
    }

  def _add_audio(self, first: AudioFrame) -> AudioStream:
    codec, layout = sound_encoder(self._path, first.layout.name)
    rate = first.sample_rate
    if codec == "aac":
      rate = min(
        (known for known in _AAC_RATES if known >= rate),
        default=_AAC_RATES[-1],
      )
    stream = self._container.add_stream(codec, rate=rate, layout=layout)
    return cast(AudioStream, stream)

  def _abandon(self) -> None:
    # The error that led here tells more than this one would.
    with contextlib.suppress(av.FFmpegError, OSError):
      self._container.close()


def layout_of(audio: Audio) -> str:
  """Where the channels of sound are heard, by its own word or by custom.

  Raises:
    SpeedflowError: there are more channels than any layout has.
  """
  channels = audio.samples.shape[1]
  if audio.layout and "channels" not in audio.layout:
    return audio.layout
  if channels not in _USUAL_LAYOUTS:
    raise SpeedflowError(
      f"sound of {channels} channels, without saying where each is heard; at"
      f" most {max(_USUAL_LAYOUTS)} can be guessed: mix it down"
    )
  return _USUAL_LAYOUTS[channels]


def sound_encoder(path: str | os.PathLike[str], layout: str) -> tuple[str, str]:
  """Chooses what keeps every channel of sound in its place.

  Args:
    path: the file to be written.
    layout: FFmpeg's name of the places.

  Returns:
    FFmpeg's name of the encoder, and of the layout that it is to be given.

  Raises:
    SpeedflowError: the container keeps it in no way.
  """
  layout = _AAC_ALIKE.get(layout, layout)
  if layout in _AAC_LAYOUTS:
    return "aac", layout
  codec, kept = _OTHERS[pathlib.Path(path).suffix.lower()]
  if kept is not None and layout not in kept:
    raise SpeedflowError(
      f"{os.fspath(path)}: sound of the layout {layout} would lose its"
      " places in this container; name the output .mov or .mkv, or mix it down"
    )
  return codec, layout


def require_suffix(path: str | os.PathLike[str]) -> None:
  """Raises SpeedflowError if the suffix of a file names no video to write."""
  suffix = pathlib.Path(path).suffix
  if suffix.lower() not in _SUFFIXES:
    raise SpeedflowError(
      f"{os.fspath(path)}: suffix {suffix!r} is no video to write; name it one"
      f" of {', '.join(_SUFFIXES)}"
    )


def is_ours(path: pathlib.Path) -> bool:
  """Whether a file is a video that a `Muxer` wrote."""
  try:
    with media_container.open_container(path) as container:
      tags = {name.lower(): text for name, text in container.metadata.items()}
  except SpeedflowError:
    return False
  return tags.get("comment") == marks.COMMENT


def fine_time_base(fps: Fraction) -> Fraction:
  """A unit that divides 1 / fps exactly, of 1/90000 s or finer."""
  return Fraction(1, fps.numerator * _multiple(fps.numerator))


def _multiple(ticks: int) -> int:
  """The least factor that makes a number of ticks per second a fine one."""
  return math.ceil(_FINE_TICKS_PER_SECOND / ticks)


def _sound_frames(blocks: Iterable[Audio] | None) -> Iterator[AudioFrame]:
  """Sound in the encoder's pieces, from time 0 on."""
  for block in blocks or ():
    first = round(block.start_s * block.rate)
    samples = block.samples[max(0, -first) :]
    layout = layout_of(block)
    for start in range(0, len(samples), _AUDIO_PIECE):
      piece = samples[start : start + _AUDIO_PIECE]
      frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(piece, np.float32).reshape(1, -1), "flt", layout
      )
      frame.sample_rate = block.rate
      frame.time_base = Fraction(1, block.rate)
      frame.pts = max(first, 0) + start
      yield frame
