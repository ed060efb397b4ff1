"""Files whose time can be checked: a flash and a beep at whole seconds.

They are written packet by packet with PyAV, not with speedflow's writer, so
that headers can say what recorders and editors make them say.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame

from speedflow import media

SIZE = (64, 48)
"""Width and height of the pictures, pixels."""

_BEEP_HZ = 1000
# The name of the element, RFC 9559.
_DEFAULT_DURATION = b"\x23\xe3\x83"
_BEEP_S = Fraction(1, 20)


@dataclasses.dataclass(frozen=True)
class Video:
  """The pictures of a file.

  Attributes:
    times: when each is shown, seconds; rounded to `time_base`.
    time_base: seconds per tick of the stream, where the format has a choice.
    codec: FFmpeg's name of the encoder.
    pixel_format: as it is stored.
    rate: frames per second that the header declares; None: the format's guess.
    options: of the encoder.
    last_s: how long the last picture is shown; None: not said.
  """

  times: Sequence[Fraction]
  time_base: Fraction = Fraction(1, 90_000)
  codec: str = "libx264"
  pixel_format: str = "yuv420p"
  rate: Fraction | None = None
  options: dict[str, str] = dataclasses.field(default_factory=dict)
  last_s: Fraction | None = None


@dataclasses.dataclass(frozen=True)
class Sound:
  """The sound of a file.

  Attributes:
    start_s: when it begins, seconds; beeps are at whole seconds.
    duration_s: its length, seconds.
    codec: FFmpeg's name of the encoder.
    sample_format: as the encoder wants it.
    layout: FFmpeg's name of the channels; the beep is on the last one only.
    rate: samples per second (Hz).
  """

  duration_s: Fraction
  start_s: Fraction = Fraction(0)
  codec: str = "aac"
  sample_format: str = "fltp"
  layout: str = "mono"
  rate: int = 48_000


def even(
  fps: Fraction | int, count: int, start_s: Fraction | int = 0
) -> list[Fraction]:
  """Times of so many frames at an even rate, seconds."""
  return [start_s + number / Fraction(fps) for number in range(count)]


def write(
  path: pathlib.Path,
  video: Video,
  sound: Sound | None = None,
  *,
  container_options: dict[str, str] | None = None,
  flash_s: Iterable[Fraction | int] | None = None,
) -> pathlib.Path:
  """Writes a file; the picture flashes from each whole second on.

  Args:
    path: the suffix chooses the format.
    video: its pictures.
    sound: its sound.
    container_options: of FFmpeg's muxer.
    flash_s: times of flashes and beeps, instead of whole seconds.

  Returns:
    The path.
  """
  flashes = sorted(flash_s) if flash_s is not None else None
  with av.open(str(path), "w", options=container_options or {}) as container:
    packets = _pictures(container, video, flashes)
    if sound is not None:
      packets += _beeps(container, sound, flashes)
    packets.sort(key=lambda each: (each.dts or 0) * Fraction(each.time_base))
    for packet in packets:
      container.mux(packet)
  return path


def without_default_duration(path: pathlib.Path) -> pathlib.Path:
  """Hides what a Matroska file says of its rate, as browsers' recorders do."""
  data = bytearray(path.read_bytes())
  found = 0
  while (found := data.find(_DEFAULT_DURATION, found)) >= 0:
    size = data[found + 3] & 0x7F
    # An element named Void, of the same length.
    data[found : found + 4] = bytes([0xEC, 0x80 | (size + 2), 0, 0])
  path.write_bytes(data)
  return path


def is_flash(image: np.ndarray) -> bool:
  """Whether a picture shows a flash; uint8 or uint16 [h, w] or [h, w, c]."""
  height, width = image.shape[:2]
  corner = image[: height // 3, : width // 3].astype(np.float64)
  full = 65535 if image.dtype == np.uint16 else 255
  return bool(corner.mean() > 0.6 * full)


def flash_times(frames: Iterable[media.Frame]) -> list[float]:
  """When flashes begin, seconds on the file's clock."""
  found: list[float] = []
  before = False
  for frame in frames:
    now = is_flash(frame.image)
    if now and not before:
      found.append(float(frame.time))
    before = now
  return found


def beep_times(audio: media.Audio | None) -> list[float]:
  """When beeps begin in any channel, seconds on the file's clock."""
  if audio is None or not len(audio.samples):
    return []
  loud = np.abs(audio.samples).max(axis=1) > 0.2
  found: list[float] = []
  quiet = 0
  for number in np.flatnonzero(loud).tolist():
    if number - quiet > 0.1 * audio.rate or not found:
      found.append(float(audio.start_s + number / audio.rate))
    quiet = number
  return found


def _pictures(
  container: OutputContainer, video: Video, flashes: list | None
) -> list[av.Packet]:
  # PyAV's types do not tell streams of pictures from others.
  stream: Any = container.add_stream(
    video.codec, rate=video.rate, options=video.options
  )
  stream.width, stream.height = SIZE
  stream.pix_fmt = video.pixel_format
  stream.time_base = stream.codec_context.time_base = video.time_base
  shown = sorted(video.times)
  flashing = set()
  for moment in flashes if flashes is not None else range(10_000):
    after = [time for time in shown if time >= moment]
    if not after:
      break
    flashing.add(after[0])
  packets: list[av.Packet] = []
  for time in shown:
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    image[SIZE[1] // 2 :, :: 2 + round(time * 10) % 7] = 120
    if time in flashing:
      image[: SIZE[1] // 3, : SIZE[0] // 3] = 250
    picture = VideoFrame.from_ndarray(image, "rgb24")
    picture.pts = round(time / video.time_base)
    picture.time_base = video.time_base
    packets += stream.encode(picture)
  packets += stream.encode(None)
  if video.last_s is not None:
    # Encoders pass no durations on.
    last = max(packets, key=lambda packet: packet.pts or 0)
    last.duration = round(video.last_s / Fraction(last.time_base))
  return packets


def _beeps(
  container: OutputContainer, sound: Sound, flashes: list | None
) -> Iterator[av.Packet]:
  stream: Any = container.add_stream(
    sound.codec, rate=sound.rate, layout=sound.layout
  )
  channels = stream.codec_context.layout.nb_channels
  count = round(sound.duration_s * sound.rate)
  time = float(sound.start_s) + np.arange(count) / sound.rate
  if flashes is None:
    since = time % 1
  else:
    starts = np.array([float(each) for each in flashes])
    at = np.searchsorted(starts, time + 1e-9) - 1
    since = np.where(at >= 0, time - starts[np.maximum(at, 0)], 1.0)
  tone = 0.5 * np.sin(2 * np.pi * _BEEP_HZ * time) * (since < float(_BEEP_S))
  wave = np.zeros((channels, count), np.float32)
  wave[-1] = tone
  size = stream.codec_context.frame_size or 1024
  first = round(sound.start_s * sound.rate)
  for start in range(0, count, size):
    part = wave[:, start : start + size]
    if sound.sample_format.startswith("s16"):
      part = (part * 32767).astype(np.int16)
    if not sound.sample_format.endswith("p"):
      part = part.T.reshape(1, -1)
    frame = AudioFrame.from_ndarray(
      np.ascontiguousarray(part), sound.sample_format, sound.layout
    )
    frame.sample_rate = sound.rate
    frame.time_base = Fraction(1, sound.rate)
    frame.pts = first + start
    yield from stream.encode(frame)
  yield from stream.encode(None)
