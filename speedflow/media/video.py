"""Reading video: frames one after another, each with its exact time."""

import bisect
import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple, Self, cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container
from speedflow.media.colour import Colour
from speedflow.media.info import VideoInfo, nominal_fps, others
from speedflow.media.orientation import Orientation
from speedflow.media.pictures import (
  Picture,
  PictureSource,
  Unseen,
  promised_s,
  ticks_of,
)

ReadFormat = Literal["rgb24", "gray", "rgb48le", "rgba", "rgba64le"]

# swscale's fast conversion darkens 8-bit pictures by a grey level. AREA and
# exact rounding together do not work in it.
_EXACT = (
  Interpolation.BICUBIC
  | Interpolation.ACCURATE_RND
  | Interpolation.FULL_CHR_H_INT
  | Interpolation.FULL_CHR_H_INP
)
_YEAR_S = 365 * 24 * 3600
# No recorder's clock begins so far from 0.
_LONGEST_S = 100 * _YEAR_S


class Frame(NamedTuple):
  """One picture and when it is shown.

  Attributes:
    image: [height, width, 3] (rgb24 and rgb48le), [height, width, 4] (rgba and
      rgba64le) or [height, width] (gray), uint8, or uint16 where 48 or 64 bits;
      empty where it was left out, see `VideoReader.leave_out`.
    time: presentation time in seconds on the file's clock, exact.
  """

  image: np.ndarray
  time: Fraction

  @property
  def left_out(self) -> bool:
    """Whether nobody wanted to see it, so that it was not decoded."""
    return not self.image.size


_NOTHING = np.empty((0, 0), np.uint8)


def probe(path: str | os.PathLike[str]) -> VideoInfo:
  """Says what a video file is, from its header and first two frames.

  Raises:
    SpeedflowError: as `VideoReader`.
  """
  with VideoReader(path) as reader:
    return reader.info


class VideoReader:
  """Reads a video frame by frame; memory does not grow with its length.

  A context manager and an iterator, read once from start to end:

    with VideoReader("clip.mp4", short_side=64, pixel_format="gray") as reader:
      for image, time in reader:
        ...

  Pictures come as they are shown: turned by the file's rotation flag,
  deinterlaced (yadif) where flagged, and at full range, 0 to 255 or 65535,
  whatever the stored range and bit depth. High dynamic range is not
  tone-mapped. Pixels that are not square are left so, unless a `short_side`
  is given. A stream that changes its size midway is scaled to the first size.

  Times are exact, and always rise: where the clock is set back or forth within
  a file, it is made to run on (see `clock_steps`), and a missing time stamp is
  replaced by the one before it plus one average interval.

  Reading begins at the first whole picture. What is damaged after it is left
  out, up to the next picture that stands by itself; `damage` then says what
  was found, and `resumed` where it went on.

  Attributes:
    info: what the file is.
    width: pixels across of the images given.
    height: pixels down of the images given.
  """

  def __init__(
    self,
    path: str | os.PathLike[str],
    *,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
    pixel_format: ReadFormat = "rgb24",
    start_s: float | Fraction | None = None,
    exact: bool = False,
    skip: int = 0,
  ):
    """Opens the file and decodes its first two frames.

    Args:
      path: the file.
      short_side: pixels of the shorter side to scale down to, keeping the
        shape as shown: pixels become square; a picture that is smaller already
        is made no larger.
      size: (width, height) in pixels to scale to, up or down.
      pixel_format: "rgb24" for colour or "gray" for luma; "rgb48le" for all
        bits of deeper files; "rgba" and "rgba64le" with transparency.
      start_s: seconds on the file's clock; frames before it are passed over.
      exact: whether to round colours exactly instead of fast, for pictures
        that are to be stored again; not together with a size.
      skip: how many frames to pass over at first; unlike `start_s`, this
        changes nothing about those that follow, whatever the format.

    Raises:
      SpeedflowError: not a video, no frame can be decoded, or only one.
      ValueError: more than one of `short_side`, `size` and `exact` is given.
    """
    if short_side is not None and size is not None:
      raise ValueError("give short_side or size, not both")
    if exact and (short_side is not None or size is not None):
      raise ValueError("give exact or a size, not both")
    self._exact = exact
    # Number and stamp of the frame that was given last.
    self._latest: tuple[int, int] | None = None
    self._stamps: list[int] = []
    self._path = os.fspath(path)
    self._pixel_format = pixel_format
    self._reformatter = VideoReformatter()
    self._source = PictureSource(path, whole=start_s is not None or bool(skip))
    try:
      pictures = self._source.pictures()
      # Nothing is left out before somebody asks for it.
      first = cast(list[VideoFrame], list(itertools.islice(pictures, 2)))
      self._require_two(first)
      self._orientation = Orientation.of(first[0])
      self.info = self._describe(first)
      self.width, self.height = _target_size(self.info, short_side, size)
      if start_s is None:
        pictures = itertools.chain(first, pictures)
      else:
        pictures = self._source.pictures_from(start_s, self.info.time_base)
    except BaseException:
      self._source.close()
      raise
    self._frames: Iterator[Frame] = self._convert(pictures, start_s, skip)

  @property
  def damage(self) -> str | None:
    """What could not be read, without the file's name; None: all well."""
    return self._source.damage

  @property
  def resumed(self) -> list[Fraction]:
    """Times of the first frames after those that were left out, seconds."""
    return self._source.resumed

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self.close()

  def __iter__(self) -> Self:
    return self

  def __next__(self) -> Frame:
    return next(self._frames)

  def close(self) -> None:
    """Closes the file; no more frames come."""
    # FFmpeg must not be asked for a packet of a file that is closed.
    self._frames = iter(())
    self._source.close()

  def leave_out(self, until: int) -> None:
    """Says that nobody looks at the next frames.

    They come all the same, each with its time, but empty up to the keyframe
    before the one that is looked at again: they are not decoded. Damage in them
    is told only where it shows in the container. In damaged files, interlaced
    ones, those whose clock steps, and where reading began later in the file,
    all are decoded.

    Args:
      until: number of the first frame, from 0, that is looked at again.
    """
    if not self._source.skipper.enabled or self._latest is None:
      return
    number, ticks = self._latest
    keyframes = self.info.timeline.keyframes
    if not self._stamps:
      self._stamps = [
        int(time / self.info.time_base) for time in self.info.timeline.times
      ]
    place = bisect.bisect_left(self._stamps, ticks)
    self._source.skipper.leave_out(
      place + until - number, self._stamps, keyframes
    )

  def _require_two(self, first: list[VideoFrame]) -> None:
    why = f" ({self.damage})" if self.damage else ""
    if not first:
      raise SpeedflowError(
        f"{self._path}: no frame could be decoded{why}; copy, repair or convert"
        " the file again"
      )
    if len(first) == 1:
      raise SpeedflowError(
        f"{self._path}: one frame only{why}, where a video of two or more was"
        " wanted; give a longer file"
      )

  def _describe(self, first: list[VideoFrame]) -> VideoInfo:
    stream, picture = self._source.stream, first[0]
    time_base = stream.time_base or picture.time_base or Fraction(1, 1000)
    width, height = picture.width, picture.height
    if self._orientation.transpose:
      width, height = height, width
    if abs((picture.pts or 0) * time_base) > _LONGEST_S:
      raise SpeedflowError(
        f"{self._path}: its clock begins {_LONGEST_S // _YEAR_S:.0f} years or"
        " more from 0; write it into another file with time stamps from 0"
      )
    return VideoInfo(
      path=self._path,
      width=width,
      height=height,
      fps_nominal=nominal_fps(stream, first, time_base),
      time_base=time_base,
      frames=stream.frames,
      duration_s=float(
        promised_s(self._source.container, stream)
        or Fraction(self._source.container.duration or 0, av.time_base)
      ),
      pixel_aspect=self._pixel_aspect(),
      codec=stream.codec_context.codec.canonical_name,
      pixel_format=picture.format.name,
      bit_depth=max(part.bits for part in picture.format.components),
      rotation=round(-picture.rotation / 90) * 90 % 360,
      interlaced=self._source.interlaced,
      colour=Colour.of(picture),
      has_audio=any(
        stream.codec_context is not None
        for stream in self._source.container.streams.audio
      ),
      title=self._source.container.metadata.get("title", ""),
      others=others(self._source.container, stream),
    )

  def _pixel_aspect(self) -> Fraction:
    stream = self._source.stream
    aspect = stream.sample_aspect_ratio or (
      stream.codec_context.sample_aspect_ratio
    )
    if not aspect or aspect <= 0:
      return Fraction(1)
    return 1 / aspect if self._orientation.transpose else Fraction(aspect)

  def _convert(
    self,
    pictures: Iterator[Picture],
    start_s: float | Fraction | None,
    skip: int,
  ) -> Iterator[Frame]:
    time_base = self.info.time_base
    interval = max(1, round(1 / (self.info.fps_nominal * time_base)))
    ticks = None
    for number, picture in enumerate(pictures):
      stamp = ticks_of(picture, time_base)
      if stamp is None or (ticks is not None and stamp <= ticks):
        stamp = 0 if ticks is None else ticks + interval
      ticks = stamp
      time = ticks * time_base
      self._latest = number, ticks
      if isinstance(picture, Unseen):
        yield Frame(_NOTHING, time)
      elif number >= skip and (start_s is None or time >= start_s):
        yield Frame(self._image(picture), time)

  def _image(self, picture: VideoFrame) -> np.ndarray:
    width, height = self.width, self.height
    if self._orientation.transpose:
      width, height = height, width
    smaller = width <= picture.width and height <= picture.height
    colour = Colour.of(picture)
    # Averaging over areas, so that big reductions do not alias.
    interpolation = Interpolation.AREA if smaller else Interpolation.BICUBIC
    try:
      shown = self._reformatter.reformat(
        picture,
        width,
        height,
        self._pixel_format,
        src_colorspace=colour.matrix,
        interpolation=_EXACT if self._exact else interpolation,
        src_color_range=colour.range_code,
        dst_color_range=ColorRange.JPEG,
        threads=1,
      )
    except av.FFmpegError as error:
      raise SpeedflowError(
        f"{self._path}: pixel format {picture.format.name} cannot be turned"
        f" into {self._pixel_format} ({media_container.reason(error)});"
        " convert the file to yuv420p"
      ) from error
    return self._orientation.apply(shown.to_ndarray())


def _target_size(
  info: VideoInfo, short_side: int | None, size: tuple[int, int] | None
) -> tuple[int, int]:
  if size is not None:
    return size
  if short_side is None:
    return info.width, info.height
  width, height = info.square_size
  scale = min(Fraction(short_side, min(width, height)), Fraction(1))
  return max(1, round(width * scale)), max(1, round(height * scale))
