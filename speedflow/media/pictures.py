"""The pictures of a file, as they are decoded: whole ones only, in order."""

import contextlib
import itertools
import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, cast

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from speedflow.errors import SpeedflowError
from speedflow.media import clock_steps, deinterlacing, sparse
from speedflow.media import container as media_container

# A file that ends this much before its header says has been cut.
_CUT_S = 1
# FFmpeg's own decoders of these leave transparency out; libvpx's do not.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Of the decoder.
_MOST_THREADS = 4
# Reading goes on after damage, unless nothing but damage comes.
_MOST_ERRORS = 50


class Unseen(NamedTuple):
  """A frame that is not decoded.

  Attributes:
    pts: its stamp, in ticks of the stream.
  """

  pts: int


Picture = VideoFrame | Unseen


class PictureSource:
  """Opens a file and decodes its pictures.

  Attributes:
    container: the file.
    stream: that of the pictures.
    skipper: what is not decoded is to be told to it.
    interlaced: whether a picture was, so far.
    damage: a phrase on what could not be read; None while all is well.
    resumed: times of the first frames after those that were left out, seconds.
  """

  def __init__(self, path: str | os.PathLike[str], *, whole: bool):
    """Opens the file.

    Args:
      path: the file.
      whole: whether every picture is decoded, whoever looks at it.

    Raises:
      SpeedflowError: it holds no video.
    """
    self.damage: str | None = None
    self.resumed: list[Fraction] = []
    self.interlaced = False
    self._errors = 0
    self._lost = False
    self._path = os.fspath(path)
    self.container = media_container.open_container(path)
    try:
      self.stream = self._find_stream()
      self._steps = clock_steps.find(self.container, path)
      self._decoder = _decoder(self.stream)
    except BaseException:
      self.container.close()
      raise
    self.skipper = sparse.Skipper()
    if self._steps or whole:
      self.skipper.stop()

  def pictures(self) -> Iterator[Picture]:
    """All of them, progressive; the next call goes on where this one was."""
    return self._progressive(self._whole_pictures())

  def close(self) -> None:
    """Closes the file."""
    self.container.close()

  def pictures_from(
    self, start_s: float | Fraction, time_base: Fraction
  ) -> Iterator[Picture]:
    """Those from one at or before `start_s` on.

    Args:
      start_s: seconds on the file's clock.
      time_base: seconds per tick of the file.
    """
    # Some formats index decoding times, which run ahead of showing times.
    target = (Fraction(start_s) - 1) / time_base
    # Where the clock steps, packets are counted from the beginning; to before
    # it, some formats seek to anywhere.
    if not self._steps and target > (self.stream.start_time or 0):
      with contextlib.suppress(av.FFmpegError):
        self.container.seek(int(target), stream=self.stream)
        self._decoder.flush_buffers()
        pictures = self.pictures()
        first = next(pictures, None)
        if isinstance(first, VideoFrame):
          ticks = ticks_of(first, time_base)
          if ticks is not None and ticks * time_base <= start_s:
            return itertools.chain([first], pictures)
    # The format seeks badly or not at all: begin again.
    self.container.close()
    self.container = media_container.open_container(self._path)
    self.stream = self._find_stream()
    self._decoder = _decoder(self.stream)
    self.damage = None
    self.resumed = []
    self._lost = False
    return self.pictures()

  def _find_stream(self) -> VideoStream:
    stream = media_container.video_stream(self.container)
    if stream is None:
      kinds = {each.type for each in self.container.streams}
      if media_container.only_a_cover(self.container):
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

  def _note_damage(self, what: str) -> None:
    self._errors += 1
    self._lost = True
    self.skipper.stop()
    if self.damage is None:
      self.damage = f"damaged: {what}; what can be read was used"

  def _packets(self) -> Iterator[sparse.Item]:
    """Packets, what is broken between them, and None to empty the decoder."""
    steps = self._steps.get(self.stream.index, clock_steps.Steps())
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
        packets = media_container.packets(self.container, self.stream)
        yield from (packet for packet in packets if packet.size)
        return
      except av.FFmpegError as error:
        broken.append(sparse.Damage(media_container.reason(error)))

  def _whole_pictures(self) -> Iterator[Picture]:
    """Decoded frames, from the first whole one on, but damaged ones."""
    # A recording that joins a broadcast midway begins with broken pictures:
    # trouble before the first whole one is passed over.
    started, end = False, None
    # Frames that are left out now, and the last stamp of those.
    unseen: Sequence[int] = ()
    last_unseen: float = -math.inf
    for packet in self.skipper.passed(self._packets()):
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
      yield from map(Unseen, unseen)
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
    unit = picture.time_base or self.stream.time_base
    if picture.pts is not None and unit:
      self.resumed.append(picture.pts * Fraction(unit))

  def _check_not_cut(self, last: VideoFrame | None) -> None:
    promised = promised_s(self.container, self.stream)
    if promised is None or last is None or last.pts is None or self._steps:
      return
    start = self.stream.start_time or 0
    unit = self.stream.time_base or Fraction(0)
    interval = 1 / (self.stream.average_rate or Fraction(1))
    shown = (last.pts - start) * unit + max(interval, last.duration * unit)
    missing = promised - shown
    if missing > max(Fraction(_CUT_S), promised / 20) and not self.damage:
      self._note_damage(f"ends {float(missing):.1f} s before its header says")

  def _progressive(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
    """Passes frames through; from the first interlaced one, by yadif."""
    graph = None
    for picture in pictures:
      if isinstance(picture, Unseen):
        yield picture
        continue
      if graph is None and picture.interlaced_frame:
        self.interlaced = True
        self.skipper.stop()
        graph = deinterlacing.deinterlacer(picture)
      if graph is None:
        yield picture
      else:
        graph.vpush(picture)
        yield from deinterlacing.pull(graph)
    if graph is not None:
      graph.vpush(None)
      yield from deinterlacing.pull(graph)


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


def promised_s(
  container: InputContainer, stream: VideoStream
) -> Fraction | None:
  """Seconds of picture by the header; None where only other streams count."""
  if stream.duration and stream.time_base:
    return stream.duration * stream.time_base
  if container.duration and len(container.streams) == 1:
    return Fraction(container.duration, av.time_base)
  return None


def ticks_of(picture: Picture, time_base: Fraction) -> int | None:
  """When a picture is shown, in ticks; None if nothing says so."""
  if picture.pts is None or isinstance(picture, Unseen):
    return picture.pts
  if picture.time_base == time_base:
    return picture.pts
  # A filter may have changed the unit, never the time.
  return round(
    picture.pts * Fraction(picture.time_base or time_base) / time_base
  )
