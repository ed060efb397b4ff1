"""Reading sound, and keeping a span of it as FLAC."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from speedflow.errors import SpeedflowError
from speedflow.media import clock_steps
from speedflow.media import container as media_container

# Time stamps are rounded; only a longer gap or overlap is a real one.
_STAMP_TOLERANCE_S = 0.02
# A longer jump is a broken stamp, not silence.
_LONGEST_GAP_S = 60.0


@dataclasses.dataclass(frozen=True, eq=False)
class Audio:
  """A span of sound.

  Attributes:
    samples: float32 [samples, channels], full scale -1..1.
    rate: samples per second (Hz).
    start_s: time of the first sample, seconds on the file's clock (the same
      clock as `Frame.time`).
    layout: FFmpeg's name of where the channels are heard, such as "quad"; ""
      where it is not known.
  """

  samples: np.ndarray
  rate: int
  start_s: float = 0.0
  layout: str = ""

  @property
  def duration_s(self) -> float:
    """Seconds from the first sample to the end of the last."""
    return len(self.samples) / self.rate


def read_audio(
  path: str | os.PathLike[str],
  start_s: float | None = None,
  end_s: float | None = None,
  mono: bool = False,
) -> Audio | None:
  """Reads the sound of a file, or of a span of it, at its own rate.

  Args:
    path: a video or sound file.
    start_s: seconds on the file's clock to start at; None for the beginning.
    end_s: seconds on the file's clock to stop before; None for the end.
    mono: whether to average the channels into one.

  Returns:
    The sound; samples is [0, channels] where the span holds none. None where
    the file has no sound track.

  Raises:
    SpeedflowError: the file cannot be opened, or it has a sound track of
      which nothing can be decoded.
  """
  blocks = list(audio_blocks(path, start_s=start_s, end_s=end_s))
  if not blocks:
    return None
  samples = np.concatenate([block.samples for block in blocks])
  if mono:
    samples = samples.mean(axis=1, keepdims=True)
  layout = "mono" if mono else blocks[0].layout
  return Audio(samples, blocks[0].rate, blocks[0].start_s, layout)


def audio_blocks(
  path: str | os.PathLike[str],
  seconds: float = 10.0,
  *,
  start_s: float | None = None,
  end_s: float | None = None,
) -> Iterator[Audio]:
  """Reads sound block by block; memory does not grow with its length.

  The blocks join without a seam. Where time stamps leave a gap, or a part
  cannot be decoded, there is silence, so a sample's place tells its time.

  Args:
    path: a video or sound file.
    seconds: length of a block; the last one may be shorter.
    start_s: as in `read_audio`.
    end_s: as in `read_audio`.

  Yields:
    Blocks in order, all of the same rate and channels. Nothing at all for a
    file without a sound track; one empty block for a span without sound.

  Raises:
    SpeedflowError: as in `read_audio`.
  """
  with contextlib.ExitStack() as stack:
    container = stack.enter_context(media_container.open_container(path))
    stream = _best(container)
    if stream is None:
      return
    steps = clock_steps.find(container, path).get(stream.index)
    if (
      start_s is not None
      and steps is None
      and not _seek_before(container, stream, start_s)
    ):
      # Where it is now is anywhere: it is read from its beginning.
      stack.close()
      container = stack.enter_context(media_container.open_container(path))
      stream = _best(container)
      assert stream is not None  # As a moment ago.
    spans = _seamless(
      _decoded(
        container,
        stream,
        steps or clock_steps.Steps(),
        seeking=start_s is not None,
      )
    )
    empty = True
    for block in _in_blocks(_cut(spans, start_s, end_s), seconds):
      empty = False
      yield block
    if empty:
      nothing = np.zeros((0, stream.codec_context.channels), np.float32)
      yield Audio(nothing, stream.codec_context.sample_rate, start_s or 0.0)


def encode_flac(audio: Audio) -> bytes:
  """Keeps sound as 16-bit FLAC; louder than full scale is clipped.

  Args:
    audio: at most 8 channels. `start_s` is not kept: FLAC has no place for it.

  Raises:
    SpeedflowError: FLAC cannot hold this many channels or this rate.
  """
  file = io.BytesIO()
  try:
    soundfile.write(
      file, audio.samples, audio.rate, format="FLAC", subtype="PCM_16"
    )
  except (soundfile.SoundFileError, ValueError) as error:
    raise SpeedflowError(
      f"sound of {audio.samples.shape[1]} channels at {audio.rate} Hz does not"
      " fit FLAC, which holds 1 to 8 channels at up to 655350 Hz; mix it down"
    ) from error
  return file.getvalue()


def decode_flac(data: bytes) -> Audio:
  """Reads sound from FLAC bytes; its `start_s` is 0.

  Raises:
    SpeedflowError: the bytes are not whole FLAC.
  """
  try:
    samples, rate = soundfile.read(
      io.BytesIO(data), dtype="float32", always_2d=True
    )
  except soundfile.SoundFileError as error:
    raise SpeedflowError(
      f"{len(data)} bytes of sound are not FLAC ({error}); build the record"
      " again"
    ) from error
  return Audio(samples, rate)


def _best(container: InputContainer) -> AudioStream | None:
  """The main sound of a file, if there is a decoder for it."""
  stream = container.streams.best("audio")
  if isinstance(stream, AudioStream) and stream.codec_context is not None:
    return stream
  return None


def _seek_before(
  container: InputContainer, stream: AudioStream, start_s: float
) -> bool:
  """Goes to somewhat before a time; says whether the format could."""
  # A second early: codecs need a run-up before their output is exact.
  target = int((start_s - 1.0) / float(stream.time_base or 1))
  # To before the beginning, some formats seek to anywhere.
  if target > (stream.start_time or 0):
    try:
      container.seek(target, stream=stream)
    except av.FFmpegError:
      return False
  return True


def _decoded(
  container: InputContainer,
  stream: AudioStream,
  steps: clock_steps.Steps,
  *,
  seeking: bool,
) -> Iterator[AudioFrame]:
  """Frames as packed float of one rate and layout; passes over damage."""
  # PyAV 18 cannot make arrays of eight planes.
  resampler, taken = AudioResampler("flt"), None
  packets = frames = 0
  # Damage of the file itself ends the sound, as the end of the file would.
  with contextlib.suppress(av.FFmpegError):
    demuxed = media_container.packets(container, stream)
    for packet in clock_steps.corrected(demuxed, steps):
      packets += packet.size > 0
      try:
        decoded = stream.decode(packet)
      except av.FFmpegError:
        continue
      for frame in decoded:
        frames += 1
        given = (frame.format.name, frame.layout.name, frame.sample_rate)
        if taken is not None and given != taken:
          # The stream changed its rate or layout: keep giving the first one.
          resampler = AudioResampler("flt", resampler.layout, resampler.rate)
        taken = given
        yield from resampler.resample(frame)
  if frames == 0 and (packets or not seeking):
    raise SpeedflowError(
      f"{container.name.removeprefix('file:')}: has a sound track of which"
      " nothing can be decoded; convert the file, or remove its sound"
    )


def _seamless(frames: Iterator[AudioFrame]) -> Iterator[Audio]:
  """Frames as spans that join exactly: gaps filled, overlaps cut."""
  end = None
  for frame in frames:
    channels, rate = frame.layout.nb_channels, frame.sample_rate
    samples = frame.to_ndarray().reshape(-1, channels)
    begin = end
    if frame.pts is not None and frame.time_base is not None:
      begin = round(frame.pts * frame.time_base * rate)
    if begin is None:
      begin = 0
    if end is not None:
      late = (begin - end) / rate
      if _STAMP_TOLERANCE_S < late < _LONGEST_GAP_S:
        silence = np.zeros((begin - end, samples.shape[1]), np.float32)
        samples = np.concatenate([silence, samples])
      elif -_LONGEST_GAP_S < late < -_STAMP_TOLERANCE_S:
        samples = samples[end - begin :]
      begin = end
    end = begin + len(samples)
    yield Audio(samples, rate, begin / rate, frame.layout.name)


def _cut(
  spans: Iterator[Audio], start_s: float | None, end_s: float | None
) -> Iterator[Audio]:
  """What of the spans lies in start_s..end_s."""
  for span in spans:
    first, rate = round(span.start_s * span.rate), span.rate
    low, high = 0, len(span.samples)
    if start_s is not None:
      low = max(low, round(start_s * rate) - first)
    if end_s is not None:
      high = min(high, round(end_s * rate) - first)
      if high < 0:
        return
    if low < high:
      yield dataclasses.replace(
        span, samples=span.samples[low:high], start_s=(first + low) / rate
      )


def _in_blocks(spans: Iterator[Audio], seconds: float) -> Iterator[Audio]:
  """Joins seamless spans to blocks of one length; the last may be shorter."""
  held: list[Audio] = []
  count = 0
  for span in spans:
    held.append(span)
    count += len(span.samples)
    block = max(1, round(seconds * span.rate))
    while count >= block:
      whole = _joined(held)
      yield dataclasses.replace(whole, samples=whole.samples[:block])
      count -= block
      rest_s = whole.start_s + block / whole.rate
      held = [
        dataclasses.replace(
          whole, samples=whole.samples[block:], start_s=rest_s
        )
      ]
  if count:
    yield _joined(held)


def _joined(spans: list[Audio]) -> Audio:
  return dataclasses.replace(
    spans[0], samples=np.concatenate([span.samples for span in spans])
  )
