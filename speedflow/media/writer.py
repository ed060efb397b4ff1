"""Writing video: H.264 with sound, whole or not at all."""

import contextlib
import math
import os
import pathlib
import types
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.reformatter import (
  ColorPrimaries,
  ColorRange,
  Colorspace,
  ColorTrc,
  Interpolation,
  VideoReformatter,
)
from av.video.stream import VideoStream

from speedflow.atomic import atomic_path
from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container
from speedflow.media.audio import Audio

_SUFFIXES = (".mp4", ".mov", ".mkv")
# MP4 and FFmpeg keep time units as 32-bit fractions.
_MOST_TICKS_PER_SECOND = 2**31 - 1
# The unit of time is made at least this fine, for frames at any time.
_FINE_TICKS_PER_SECOND = 90_000
# The rates that AAC knows (ISO/IEC 14496-3, table 1.18), in Hz.
_AAC_RATES = (
  8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200,
  96000,
)  # fmt: skip
_LAYOUTS = {
  1: "mono",
  2: "stereo",
  3: "3.0",
  4: "4.0",
  5: "5.0",
  6: "5.1",
  7: "6.1",
  8: "7.1",
}
_AUDIO_PIECE = 4096  # Samples handed to the encoder at once.


class VideoWriter:
  """Writes H.264 video, with AAC sound, into MP4, MOV or Matroska.

  A context manager; the file appears under its name when the block ends well,
  and not at all when it ends with an error (or without a picture: ValueError):

    with VideoWriter("out.mp4", Fraction(30000, 1001), (320, 240)) as writer:
      for image in images:
        writer.write(image)

  Colours are BT.709 at limited range, and tagged so. The stated size is kept:
  an odd width or height is stored as yuv444p, because yuv420p holds even sizes
  only. MP4 and MOV keep times exactly to `time_base`; Matroska rounds them to
  milliseconds.

  Attributes:
    time_base: seconds per tick; times are rounded to whole ticks.
  """

  def __init__(
    self,
    path: str | os.PathLike[str],
    fps: Fraction | int,
    size: tuple[int, int],
    *,
    crf: int = 18,
    pixel_format: Literal["yuv420p", "yuv444p", "rgb24"] = "yuv420p",
    audio: Audio | Iterable[Audio] | None = None,
    time_base: Fraction | None = None,
  ):
    """Prepares the file.

    Args:
      path: the file to make; the suffix (.mp4, .mov, .mkv) chooses the
        container. Its folder is made when missing.
      fps: frames per second, for frames written without a time and for how
        long the last frame lasts.
      size: (width, height) in pixels.
      crf: x264's constant rate factor, 0 (lossless in the stored pixel format)
        to 51 (worst); 18 is visually lossless.
      pixel_format: "yuv420p" plays everywhere; "yuv444p" keeps full colour
        resolution; "rgb24" with crf=0 is lossless to the bit.
      audio: the sound, or its blocks in order as `audio_blocks` gives them;
        what lies before time 0 is left out.
      time_base: seconds per tick, such as `VideoInfo.time_base` to keep the
        times of another file of variable frame rate; None for one that
        divides 1 / fps, of 1/90000 s or finer.

    Raises:
      SpeedflowError: the suffix is none of these, or the folder cannot be
        written.
      ValueError: fps or size is not positive.
    """
    if fps <= 0 or min(size) <= 0:
      raise ValueError(f"fps {fps} and size {size} must be positive")
    self._path = pathlib.Path(path)
    if self._path.suffix.lower() not in _SUFFIXES:
      raise SpeedflowError(
        f"{self._path}: suffix {self._path.suffix!r} is no video to write;"
        f" name it one of {', '.join(_SUFFIXES)}"
      )
    self._size = size
    self._fps = Fraction(fps).limit_denominator(
      _MOST_TICKS_PER_SECOND // math.ceil(fps)
    )
    self.time_base = time_base or _fine_time_base(self._fps)
    self._uneven = time_base is not None
    odd = bool(size[0] % 2 or size[1] % 2)
    if pixel_format == "yuv420p" and odd:
      pixel_format = "yuv444p"
    self._pixel_format = pixel_format
    self._crf = crf
    self._sound = _sound_frames([audio] if isinstance(audio, Audio) else audio)
    self._next_sound: AudioFrame | None = None
    self._next_time = Fraction(0)
    self._last_ticks: int | None = None
    self._reformatter = VideoReformatter()
    self._resources = contextlib.ExitStack()

  def __enter__(self) -> Self:
    with self._in_words(), contextlib.ExitStack() as opening:
      temporary = opening.enter_context(atomic_path(self._path))
      self._container = av.open(
        f"file:{temporary}", "w", options=self._muxer_options()
      )
      opening.callback(self._abandon)
      self._video = self._add_video()
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
    with self._in_words(), self._resources:
      if self._last_ticks is None:
        raise ValueError(f"{self._path}: no picture was written")
      self._container.mux(self._video.encode(None))
      self._write_sound(until=None)
      self._container.close()

  def write(self, image: np.ndarray, time: Fraction | None = None) -> None:
    """Adds one picture.

    Args:
      image: uint8 [height, width, 3], RGB.
      time: presentation time in seconds, later than the one before; None for
        one interval (1 / fps) after the one before, or 0 for the first.

    Raises:
      SpeedflowError: the disk is full or the file cannot be written.
      ValueError: the image has another shape or type than stated, or the time
        does not exceed the one before by a tick.
    """
    width, height = self._size
    if image.shape != (height, width, 3) or image.dtype != np.uint8:
      raise ValueError(
        f"image is {image.dtype} {image.shape}, wanted uint8"
        f" {(height, width, 3)}"
      )
    if time is None:
      time = self._next_time
    ticks = round(time / self.time_base)
    if self._last_ticks is not None and ticks <= self._last_ticks:
      raise ValueError(
        f"time {time} s is not after {self._last_ticks * self.time_base} s"
      )
    self._last_ticks = ticks
    self._next_time = time + 1 / self._fps
    picture = self._stored(np.ascontiguousarray(image))
    picture.pts = ticks
    picture.time_base = self.time_base
    with self._in_words():
      self._container.mux(self._video.encode(picture))
      self._write_sound(until=time)

  def _stored(self, image: np.ndarray) -> VideoFrame:
    picture = VideoFrame.from_ndarray(image, "rgb24")
    if self._pixel_format == "rgb24":
      return picture
    return self._reformatter.reformat(
      picture,
      format=self._pixel_format,
      dst_colorspace=Colorspace.ITU709,
      interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
      src_color_range=ColorRange.JPEG,
      dst_color_range=ColorRange.MPEG,
      threads=1,
    )

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

  def _muxer_options(self) -> dict[str, str]:
    if self._path.suffix.lower() == ".mkv":
      return {}
    ticks = self.time_base.denominator
    return {
      "movflags": "+faststart",
      # The unit of a track's start; FFmpeg's own millisecond would round it.
      "movie_timescale": str(ticks * _multiple(ticks)),
    }

  def _add_video(self) -> VideoStream:
    rgb = self._pixel_format == "rgb24"
    options = {"crf": str(self._crf)}
    if self._uneven:
      # Decoding times would lag by uneven steps, from which readers take the
      # average rate.
      options["bf"] = "0"
    stream = self._container.add_stream(
      "libx264rgb" if rgb else "libx264",
      rate=self._fps,
      options=options,
    )
    stream.width, stream.height = self._size
    stream.pix_fmt = self._pixel_format
    stream.time_base = self.time_base
    stream.codec_context.time_base = self.time_base
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709
    if not rgb:
      stream.codec_context.colorspace = Colorspace.ITU709
      stream.codec_context.color_range = ColorRange.MPEG
    return stream

  def _add_audio(self, first: AudioFrame) -> AudioStream:
    rate = min(
      (known for known in _AAC_RATES if known >= first.sample_rate),
      default=_AAC_RATES[-1],
    )
    return self._container.add_stream(
      "aac", rate=rate, layout=first.layout.name
    )

  def _abandon(self) -> None:
    # The error that led here tells more than this one would.
    with contextlib.suppress(av.FFmpegError, OSError):
      self._container.close()

  @contextlib.contextmanager
  def _in_words(self) -> Iterator[None]:
    try:
      yield
    except (av.FFmpegError, OSError) as error:
      raise SpeedflowError(
        f"{self._path}: could not be written"
        f" ({media_container.reason(error)}); make room, or choose a folder"
        " that you may write to"
      ) from error


def _fine_time_base(fps: Fraction) -> Fraction:
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
    channels = samples.shape[1]
    if channels not in _LAYOUTS:
      raise SpeedflowError(
        f"sound of {channels} channels; AAC holds 1 to {max(_LAYOUTS)}: mix it"
        " down"
      )
    for start in range(0, len(samples), _AUDIO_PIECE):
      piece = samples[start : start + _AUDIO_PIECE]
      frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(piece.T, np.float32), "fltp", _LAYOUTS[channels]
      )
      frame.sample_rate = block.rate
      frame.time_base = Fraction(1, block.rate)
      frame.pts = max(first, 0) + start
      yield frame
