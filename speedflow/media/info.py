"""What a video file says about itself, and when its pictures are shown."""

import collections
import contextlib
import dataclasses
import functools
import os
from collections.abc import Sequence
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from speedflow.errors import SpeedflowError
from speedflow.media import clock_steps
from speedflow.media import container as media_container
from speedflow.media import timeline as media_timeline
from speedflow.media.colour import Colour


@dataclasses.dataclass(frozen=True)
class VideoInfo:
  """What a video file says about itself, after one look at its first frames.

  Attributes:
    path: the file.
    width: pixels across, as shown (after rotation).
    height: pixels down, as shown (after rotation).
    fps_nominal: frames per second as the header states it, an exact rational;
      `fps` is what the time stamps say.
    time_base: seconds per tick; every frame time is a multiple of it.
    frames: number of frames as the header counts them; 0 where it does not.
    duration_s: seconds of picture as the header says; 0 where it does not.
    pixel_aspect: width / height of a pixel as shown (after rotation); 1 of
      square ones, and where the file does not say.
    codec: FFmpeg's name of the codec, such as "h264".
    pixel_format: FFmpeg's name of the stored pixel format.
    bit_depth: bits per sample of the stored picture.
    rotation: degrees clockwise, a multiple of 90, by which the stored picture
      is turned for showing. Frames from `VideoReader` are turned already.
    interlaced: whether the frames are flagged as two fields.
    colour: what the stored numbers mean.
    has_audio: whether there is a sound track.
    title: of the film; "" where the file has none.
    others: what else is in it, in words: further tracks, subtitles, chapters.
  """

  path: str
  width: int
  height: int
  fps_nominal: Fraction
  time_base: Fraction
  frames: int
  duration_s: float
  pixel_aspect: Fraction
  codec: str
  pixel_format: str
  bit_depth: int
  rotation: int
  interlaced: bool
  colour: Colour
  has_audio: bool
  title: str = ""
  others: tuple[str, ...] = ()

  @property
  def has_alpha(self) -> bool:
    """Whether the stored pixel format has room for transparency."""
    stored = VideoFormat(self.pixel_format)
    return stored.has_palette or any(
      part.is_alpha for part in stored.components
    )

  @property
  def square_size(self) -> tuple[int, int]:
    """Width and height if its pixels were square; none are lost."""
    if self.pixel_aspect >= 1:
      return round(self.width * self.pixel_aspect), self.height
    return self.width, round(self.height / self.pixel_aspect)

  @functools.cached_property
  def timeline(self) -> media_timeline.Timeline:
    """When every picture is shown.

    Reads every packet of the file, without decoding, when it is first asked
    about; a damaged file is judged by what can be read.

    Raises:
      SpeedflowError: the file can no longer be opened.
    """
    try:
      found = os.stat(self.path)
    except OSError:
      # Opening it says what is wrong.
      return _timeline(self, 0, 0)
    return _timeline(self, found.st_size, found.st_mtime_ns)

  @property
  def fps(self) -> Fraction:
    """Frames per second by the time stamps, see `Timeline.rate`."""
    return self.timeline.rate

  @property
  def variable_frame_rate(self) -> bool:
    """Whether the intervals differ by more than rounding."""
    return not self.timeline.even


def others(container: InputContainer, picture: VideoStream) -> tuple[str, ...]:
  """What a file holds beside its picture and its main sound, in words."""
  best = container.streams.best("audio")
  names = {"video": "picture track", "audio": "sound track"}
  names |= {"subtitle": "subtitle track", "attachment": "attachment"}
  counts = collections.Counter(
    names.get(stream.type, "track of data")
    for stream in container.streams
    if stream not in (picture, best)
  )
  counts["chapter"] = len(container.chapters())
  return tuple(
    f"{count} {'more ' if 'picture' in name or 'sound' in name else ''}{name}"
    f"{'s' if count > 1 and 'of' not in name else ''}"
    for name, count in counts.items()
    if count
  )


def nominal_fps(
  stream: VideoStream, first: Sequence[VideoFrame], time_base: Fraction
) -> Fraction:
  """The rate that the header states, or else that of the first frames.

  Args:
    stream: the pictures.
    first: the first two decoded ones.
    time_base: seconds per tick.

  Raises:
    SpeedflowError: the file says nothing of its rate.
  """
  path = stream.container.name.removeprefix("file:")
  start, end = (picture.pts for picture in first)
  if media_container.is_raw(stream.container):
    stated = media_container.rate_in_raw(stream)
    if not stated:
      raise SpeedflowError(
        f"{path}: no frame rate and no time stamps in it; give its true frame"
        " rate (estimate, detect, superres, retime, probe: --raw-fps 25), or"
        " put it into MP4 with that"
      )
    return stated
  # Of a clock of fine ticks (DV), a tick may pass for an interval.
  rate = stream.average_rate or stream.guessed_rate
  if rate and rate * time_base < 1:
    return Fraction(rate)
  if stream.guessed_rate:
    return Fraction(stream.guessed_rate)
  if start is None or end is None or end <= start:
    raise SpeedflowError(
      f"{path}: no frame rate and no time stamps; convert it to MP4 with its"
      " true frame rate"
    )
  return 1 / ((end - start) * Fraction(first[0].time_base or 1))


# Whoever looks at a file span by span opens it for each. An hour at 30 frames
# per second takes 20 MB.
@functools.lru_cache(maxsize=2)
def _timeline(
  info: VideoInfo, unused_size: int, unused_changed: int
) -> media_timeline.Timeline:
  """The time line of a file, see `VideoInfo.timeline`."""
  with media_container.open_container(info.path) as container:
    return _read_timeline(info, container)


def _read_timeline(
  info: VideoInfo, container: InputContainer
) -> media_timeline.Timeline:
  stream = media_container.video_stream(container)
  assert stream is not None  # It had one when it was probed.
  steps = clock_steps.find(container, info.path).get(
    stream.index, clock_steps.Steps()
  )
  shown: list[int | None] = []
  decoded: list[int | None] = []
  keys: set[int | None] = set()
  last = lasts = None
  # What is damaged is judged by what stands before.
  with contextlib.suppress(av.FFmpegError):
    demuxed = media_container.packets(container, stream)
    whole = (packet for packet in demuxed if packet.size)
    for number, packet in enumerate(clock_steps.corrected(whole, steps)):
      broken = packet.is_corrupt and not steps.at_joint(number)
      if packet.is_discard or broken:
        continue
      shown.append(packet.pts)
      if packet.is_keyframe:
        keys.add(packet.pts)
      decoded.append(packet.dts)
      stamp = packet.dts if packet.pts is None else packet.pts
      if stamp is not None and (last is None or stamp > last):
        last, lasts = stamp, packet.duration
  declared = [info.fps_nominal]
  declared += [
    Fraction(rate)
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate)
    if rate and Fraction(rate) not in declared
  ]
  unit = info.time_base
  stamps = decoded if None in shown else shown
  known = [stamp for stamp in stamps if stamp is not None]
  if len(known) < len(stamps) or not stamps:
    # Some have none: reading, too, counts intervals.
    count = max(len(stamps), 1)
    times = tuple(number / info.fps_nominal for number in range(count))
    return media_timeline.Timeline(times, unit, (info.fps_nominal,))
  rising = sorted(set(known))
  times = tuple(stamp * unit for stamp in rising)
  keyframes: tuple[int, ...] = ()
  if info.interlaced:
    times = _whole_frames(times, info.fps_nominal)
  elif len(rising) == len(shown) and None not in shown:
    keyframes = tuple(n for n, stamp in enumerate(rising) if stamp in keys)
  return media_timeline.Timeline(
    times, unit, tuple(declared), (lasts or 0) * unit, keyframes
  )


def _whole_frames(
  times: tuple[Fraction, ...], fps: Fraction
) -> tuple[Fraction, ...]:
  """Of frames that are stored field by field, the times of every first."""
  mean = (times[-1] - times[0]) / max(len(times) - 1, 1)
  return times[::2] if mean * fps < Fraction(3, 4) else times
