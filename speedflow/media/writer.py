"""Writing video: pictures are encoded, whole or not at all."""

import contextlib
import functools
import math
import os
import types
from collections.abc import Iterable
from fractions import Fraction
from typing import Self

import numpy as np
from av.video.reformatter import VideoReformatter

from speedflow.media import encoding, muxer
from speedflow.media.audio import Audio
from speedflow.media.colour import BT709, Colour

# MP4 and FFmpeg keep time units as 32-bit fractions.
_MOST_TICKS_PER_SECOND = 2**31 - 1


class VideoWriter:
  """Writes H.264 video, with AAC sound, into MP4, MOV or Matroska.

  A context manager; the file appears under its name when the block ends well,
  and not at all when it ends with an error (or without a picture: ValueError):

    with VideoWriter("out.mp4", Fraction(30000, 1001), (320, 240)) as writer:
      for image in images:
        writer.write(image)

  The stated size is kept: an odd width or height is stored as yuv444p, because
  yuv420p holds even sizes only. MP4 and MOV keep times exactly to `time_base`;
  Matroska rounds them to milliseconds.

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
    pixel_format: encoding.PixelFormat = "yuv420p",
    colour: Colour = BT709,
    audio: Audio | Iterable[Audio] | None = None,
    time_base: Fraction | None = None,
    pixel_aspect: Fraction = Fraction(1),
  ):
    """Prepares the file.

    Args:
      path: as of `muxer.Muxer`.
      fps: frames per second, for frames written without a time and for how
        long the last frame lasts.
      size: (width, height) in pixels.
      crf: x264's constant rate factor, 0 (lossless in the stored pixel format)
        to 51 (worst); 18 is visually lossless.
      pixel_format: "yuv420p" plays everywhere; "yuv444p" keeps full colour
        resolution; "rgb24" with crf=0 is lossless to the bit; for more, see
        `encoding.PixelFormat` and `encoding.pixel_format_for`.
      colour: how colours are coded, and tagged.
      audio: as of `muxer.Muxer`.
      time_base: seconds per tick, such as `VideoInfo.time_base` to keep the
        times of another file of variable frame rate; None for one that
        divides 1 / fps, of 1/90000 s or finer.
      pixel_aspect: width / height of a pixel as shown.

    Raises:
      SpeedflowError: the suffix is none that `muxer.Muxer` knows, or the
        folder cannot be written.
      ValueError: fps or size is not positive.
    """
    if fps <= 0 or min(size) <= 0:
      raise ValueError(f"fps {fps} and size {size} must be positive")
    self._path = os.fspath(path)
    self._fps = Fraction(fps).limit_denominator(
      _MOST_TICKS_PER_SECOND // math.ceil(fps)
    )
    self.time_base = time_base or muxer.fine_time_base(self._fps)
    self._encoding = encoding.Encoding(
      encoding.whole_pixels(pixel_format, size),
      size,
      crf,
      colour,
      # Decoding times would lag by uneven steps, from which readers take the
      # average rate.
      reordered=time_base is None,
      pixel_aspect=pixel_aspect,
    )
    self._muxer = muxer.Muxer(
      path,
      self.time_base,
      audio,
      functools.partial(
        self._encoding.add_stream, fps=self._fps, time_base=self.time_base
      ),
    )
    self._resources = contextlib.ExitStack()
    self._next_time = Fraction(0)
    self._last_ticks: int | None = None
    self._reformatter = VideoReformatter()

  def __enter__(self) -> Self:
    self._resources.enter_context(self._muxer)
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
    with self._resources:
      if self._last_ticks is None:
        raise ValueError(f"{self._path}: no picture was written")
      with self._muxer.in_words():
        packets = self._muxer.video.encode(None)
      self._muxer.mux(packets, until=None)

  def write(self, image: np.ndarray, time: Fraction | None = None) -> None:
    """Adds one picture.

    Args:
      image: uint8 or uint16 [height, width, 3] RGB or [height, width, 4]
        RGBA, at full range.
      time: presentation time in seconds, later than the one before; None for
        one interval (1 / fps) after the one before, or 0 for the first.

    Raises:
      SpeedflowError: the disk is full or the file cannot be written.
      ValueError: the image has another shape or type than stated, or the time
        does not exceed the one before by a tick.
    """
    picture = self._encoding.picture(image, self._reformatter)
    if time is None:
      time = self._next_time
    ticks = round(time / self.time_base)
    if self._last_ticks is not None and ticks <= self._last_ticks:
      raise ValueError(
        f"time {time} s is not after {self._last_ticks * self.time_base} s"
      )
    self._last_ticks = ticks
    self._next_time = time + 1 / self._fps
    picture.pts = ticks
    picture.time_base = self.time_base
    with self._muxer.in_words():
      packets = self._muxer.video.encode(picture)
    self._muxer.mux(packets, until=time)
