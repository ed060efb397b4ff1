"""Reading video: frames one after another, each with its exact time."""

import bisect
import contextlib
import itertools
import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, Self, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.sidedata.sidedata import Type as SideDataType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from speedflow.errors import SpeedflowError
from speedflow.media import clock_steps, sparse
from speedflow.media import container as media_container
from speedflow.media.colour import Colour
from speedflow.media.info import VideoInfo, nominal_fps, others

ReadFormat = Literal["rgb24", "gray", "rgb48le", "rgba", "rgba64le"]

# swscale's fast conversion darkens 8-bit pictures by a grey level. AREA and
# exact rounding together do not work in it.
_EXACT = (
  Interpolation.BICUBIC
  | Interpolation.ACCURATE_RND
  | Interpolation.FULL_CHR_H_INT
  | Interpolation.FULL_CHR_H_INP
)
# A file that ends this much before its header says has been cut.
_CUT_S = 1
# FFmpeg's own decoders of these leave transparency out; libvpx's do not.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_YEAR_S = 365 * 24 * 3600
# No recorder's clock begins so far from 0.
_LONGEST_S = 100 * _YEAR_S
# Of the decoder.
_MOST_THREADS = 4
# Reading goes on after damage, unless nothing but damage comes.
_MOST_ERRORS = 50


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


class _Unseen(NamedTuple):
  """A frame that is not decoded.

  Attributes:
    pts: its stamp, in ticks of the stream.
  """

  pts: int


_Picture = VideoFrame | _Unseen
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
    damage: a phrase on what could not be read, without the file's name; None
      while all is well.
    resumed: times of the first frames after those that were left out, seconds.
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
    self.damage: str | None = None
    self.resumed: list[Fraction] = []
    self._errors = 0
    # Number and stamp of the frame that was given last.
    self._latest: tuple[int, int] | None = None
    self._stamps: list[int] = []
    self._lost = False
    self._path = os.fspath(path)
    self._pixel_format = pixel_format
    self._reformatter = VideoReformatter()
    self._interlaced = False
    self._container = media_container.open_container(path)
    try:
      self._stream = self._find_stream()
      self._steps = clock_steps.find(self._container, path)
      self._decoder = _decoder(self._stream)
      self._skipper = sparse.Skipper()
      if self._steps or start_s is not None or skip:
        self._skipper.stop()
      pictures = self._progressive(self._whole_pictures())
      # Nothing is left out before somebody asks for it.
      first = cast(list[VideoFrame], list(itertools.islice(pictures, 2)))
      self._require_two(first)
      self._orientation = _Orientation.of(first[0])
      self.info = self._describe(first)
      self.width, self.height = _target_size(self.info, short_side, size)
      if start_s is None:
        pictures = itertools.chain(first, pictures)
      else:
        pictures = self._from(start_s)
    except BaseException:
      self._container.close()
      raise
    self._frames: Iterator[Frame] = self._convert(pictures, start_s, skip)

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
    self._container.close()

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
    if not self._skipper.enabled or self._latest is None:
      return
    number, ticks = self._latest
    keyframes = self.info.timeline.keyframes
    if not self._stamps:
      self._stamps = [
        int(time / self.info.time_base) for time in self.info.timeline.times
      ]
    place = bisect.bisect_left(self._stamps, ticks)
    self._skipper.leave_out(place + until - number, self._stamps, keyframes)

  def _find_stream(self) -> VideoStream:
    stream = media_container.video_stream(self._container)
    if stream is None:
      kinds = {each.type for each in self._container.streams}
      if media_container.only_a_cover(self._container):
        raise SpeedflowError(
          f"{self._path}: a sound file with a picture on its cover, which does"
          " not move; name a file with a video"
        )
      if "video" in kinds:
        raise SpeedflowError(
          f"{self._path}: no decoder for its video codec; convert it to H.264"
        )
      raise SpeedflowError(
        f"{self._path}: no video stream, only {', '.join(sorted(kinds))};"
        " name a file with a picture"
      )
    stream.thread_type = "AUTO"
    # Each holds frames in memory; FFmpeg would take one more than there are
    # cores.
    stream.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)
    return stream

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
    stream, picture = self._stream, first[0]
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
        _promised_s(self._container, stream)
        or Fraction(self._container.duration or 0, av.time_base)
      ),
      pixel_aspect=self._pixel_aspect(),
      codec=stream.codec_context.codec.canonical_name,
      pixel_format=picture.format.name,
      bit_depth=max(part.bits for part in picture.format.components),
      rotation=round(-picture.rotation / 90) * 90 % 360,
      interlaced=self._interlaced,
      colour=Colour.of(picture),
      has_audio=any(
        stream.codec_context is not None
        for stream in self._container.streams.audio
      ),
      title=self._container.metadata.get("title", ""),
      others=others(self._container, stream),
    )

  def _pixel_aspect(self) -> Fraction:
    stream = self._stream
    aspect = stream.sample_aspect_ratio or (
      stream.codec_context.sample_aspect_ratio
    )
    if not aspect or aspect <= 0:
      return Fraction(1)
    return 1 / aspect if self._orientation.transpose else Fraction(aspect)

  def _from(self, start_s: float | Fraction) -> Iterator[_Picture]:
    """Frames from one at or before `start_s` on."""
    # Some formats index decoding times, which run ahead of showing times.
    target = (Fraction(start_s) - 1) / self.info.time_base
    # Where the clock steps, packets are counted from the beginning; to before
    # it, some formats seek to anywhere.
    if not self._steps and target > (self._stream.start_time or 0):
      with contextlib.suppress(av.FFmpegError):
        self._container.seek(int(target), stream=self._stream)
        self._decoder.flush_buffers()
        pictures = self._progressive(self._whole_pictures())
        first = next(pictures, None)
        if isinstance(first, VideoFrame):
          ticks = _ticks(first, self.info.time_base)
          if ticks is not None and ticks * self.info.time_base <= start_s:
            return itertools.chain([first], pictures)
    # The format seeks badly or not at all: begin again.
    self._container.close()
    self._container = media_container.open_container(self._path)
    self._stream = self._find_stream()
    self._decoder = _decoder(self._stream)
    self.damage = None
    self.resumed = []
    self._lost = False
    return self._progressive(self._whole_pictures())

  def _note_damage(self, what: str) -> None:
    self._errors += 1
    self._lost = True
    self._skipper.stop()
    if self.damage is None:
      self.damage = f"damaged: {what}; what can be read was used"

  def _packets(self) -> Iterator[sparse.Item]:
    """Packets, what is broken between them, and None to empty the decoder."""
    steps = self._steps.get(self._stream.index, clock_steps.Steps())
    started = False
    broken: list[sparse.Damage] = []
    packets = clock_steps.corrected(self._demuxed(broken), steps)
    for number, packet in enumerate(packets):
      yield from broken
      broken.clear()
      if packet.is_corrupt and not steps.at_joint(number):
        if started:
          yield sparse.Damage("cut or broken packet")
        continue
      started = True
      yield packet
    yield from broken
    yield None

  def _demuxed(self, broken: list[sparse.Damage]) -> Iterator[av.Packet]:
    """Packets; errors before each are added to `broken`."""
    while self._errors + len(broken) <= _MOST_ERRORS:
      try:
        # The last packet is empty; another one ends the decoder's work.
        packets = media_container.packets(self._container, self._stream)
        yield from (packet for packet in packets if packet.size)
        return
      except av.FFmpegError as error:
        broken.append(sparse.Damage(media_container.reason(error)))

  def _whole_pictures(self) -> Iterator[_Picture]:
    """Decoded frames, from the first whole one on, but damaged ones."""
    # A recording that joins a broadcast midway begins with broken pictures:
    # trouble before the first whole one is passed over.
    started, end = False, None
    # Frames that are left out now, and the last stamp of those.
    unseen: Sequence[int] = ()
    last_unseen: float = -math.inf
    for packet in self._skipper.passed(self._packets()):
      if isinstance(packet, sparse.Damage):
        self._note_damage(packet.what)
        continue
      unseen = packet.stamps if isinstance(packet, sparse.Gap) else ()
      try:
        if isinstance(packet, sparse.Gap):
          pictures = self._emptied(unseen[0])
          last_unseen = unseen[-1]
        else:
          self._hurry(packet, last_unseen)
          pictures = self._decoder.decode(packet)
      except av.FFmpegError as error:
        if started:
          self._note_damage(media_container.reason(error))
        pictures = []
      for picture in pictures:
        if picture.is_corrupt:
          if started:
            self._note_damage("a picture with missing parts")
          continue
        if self._lost and started:
          # What follows leans on what is missing.
          if not picture.key_frame:
            continue
          self._resume(picture)
        started, self._lost, end = True, False, picture
        if unseen or (picture.pts or 0) > last_unseen:
          yield picture
      yield from map(_Unseen, unseen)
    self._check_not_cut(end)

  def _hurry(self, packet: av.Packet | None, last_unseen: float) -> None:
    """Lets the decoder pass over what nobody looks at nor leans on."""
    unseen = packet is not None and (packet.pts or 0) <= last_unseen
    wanted: Literal["NONREF", "DEFAULT"] = "NONREF" if unseen else "DEFAULT"
    if self._decoder.skip_frame != wanted:
      self._decoder.skip_frame = wanted

  def _emptied(self, before: int) -> list[VideoFrame]:
    """What the decoder still holds, up to a stamp; then it begins anew."""
    try:
      held = self._decoder.decode(None)
    finally:
      self._decoder.flush_buffers()
    return [p for p in held if p.pts is not None and p.pts < before]

  def _resume(self, picture: VideoFrame) -> None:
    unit = picture.time_base or self._stream.time_base
    if picture.pts is not None and unit:
      self.resumed.append(picture.pts * Fraction(unit))

  def _check_not_cut(self, last: VideoFrame | None) -> None:
    promised = _promised_s(self._container, self._stream)
    if promised is None or last is None or last.pts is None or self._steps:
      return
    start = self._stream.start_time or 0
    unit = self._stream.time_base or Fraction(0)
    interval = 1 / (self._stream.average_rate or Fraction(1))
    shown = (last.pts - start) * unit + max(interval, last.duration * unit)
    missing = promised - shown
    if missing > max(Fraction(_CUT_S), promised / 20) and not self.damage:
      self._note_damage(f"ends {float(missing):.1f} s before its header says")

  def _progressive(self, pictures: Iterator[_Picture]) -> Iterator[_Picture]:
    """Passes frames through; from the first interlaced one, by yadif."""
    graph = None
    for picture in pictures:
      if isinstance(picture, _Unseen):
        yield picture
        continue
      if graph is None and picture.interlaced_frame:
        self._interlaced = True
        self._skipper.stop()
        graph = _deinterlacer(picture)
      if graph is None:
        yield picture
      else:
        graph.vpush(picture)
        yield from _pull(graph)
    if graph is not None:
      graph.vpush(None)
      yield from _pull(graph)

  def _convert(
    self,
    pictures: Iterator[_Picture],
    start_s: float | Fraction | None,
    skip: int,
  ) -> Iterator[Frame]:
    time_base = self.info.time_base
    interval = max(1, round(1 / (self.info.fps_nominal * time_base)))
    ticks = None
    for number, picture in enumerate(pictures):
      stamp = _ticks(picture, time_base)
      if stamp is None or (ticks is not None and stamp <= ticks):
        stamp = 0 if ticks is None else ticks + interval
      ticks = stamp
      time = ticks * time_base
      self._latest = number, ticks
      if isinstance(picture, _Unseen):
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


class _Orientation(NamedTuple):
  """One of the eight ways to turn and mirror a picture by right angles."""

  transpose: bool
  flip_x: bool
  flip_y: bool

  @classmethod
  def of(cls, picture: VideoFrame) -> Self:
    """Reads the display matrix [[a, b, u], [c, d, v], [x, y, w]].

    A stored point (p, q) is shown at (a p + c q, b p + d q).
    """
    try:
      data = picture.side_data[SideDataType.DISPLAYMATRIX]  # type: ignore[typeddict-item]
    except KeyError:
      return cls(False, False, False)
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5]
    if abs(int(a)) < abs(int(b)):
      return cls(True, bool(c < 0), bool(b < 0))
    return cls(False, bool(a < 0), bool(d < 0))

  def apply(self, image: np.ndarray) -> np.ndarray:
    if self.transpose:
      image = cv2.transpose(image)
    if self.flip_x or self.flip_y:
      # OpenCV's code: positive for x, zero for y, negative for both.
      image = cv2.flip(image, self.flip_x - 2 * (self.flip_x and self.flip_y))
    return image


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


def _decoder(stream: VideoStream) -> VideoCodecContext:
  """The decoder of a stream, one that knows transparency where there is."""
  context = stream.codec_context
  tags = {name.lower(): text for name, text in stream.metadata.items()}
  name = _ALPHA_DECODERS.get(context.codec.canonical_name)
  if name is None or tags.get("alpha_mode") != "1":
    return context
  decoder = cast(VideoCodecContext, VideoCodecContext.create(name, "r"))
  decoder.extradata = context.extradata
  decoder.thread_type = "AUTO"
  return decoder


def _promised_s(
  container: InputContainer, stream: VideoStream
) -> Fraction | None:
  """Seconds of picture by the header; None where only other streams count."""
  if stream.duration and stream.time_base:
    return stream.duration * stream.time_base
  if container.duration and len(container.streams) == 1:
    return Fraction(container.duration, av.time_base)
  return None


def _ticks(picture: _Picture, time_base: Fraction) -> int | None:
  if picture.pts is None or isinstance(picture, _Unseen):
    return picture.pts
  if picture.time_base == time_base:
    return picture.pts
  # A filter may have changed the unit, never the time.
  return round(
    picture.pts * Fraction(picture.time_base or time_base) / time_base
  )


def _deinterlacer(picture: VideoFrame) -> Graph:
  """One progressive frame per interlaced one; others pass unchanged."""
  graph = Graph()
  graph.link_nodes(
    graph.add_buffer(
      width=picture.width,
      height=picture.height,
      format=picture.format,
      time_base=picture.time_base,
    ),
    graph.add("yadif", "mode=send_frame:deint=interlaced"),
    graph.add("buffersink"),
  ).configure()
  return graph


def _pull(graph: Graph) -> Iterator[VideoFrame]:
  """The frames that are ready at the end of a filter graph."""
  while True:
    try:
      yield graph.vpull()
    except (BlockingIOError, EOFError):
      return
