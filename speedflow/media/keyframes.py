"""A few frames here and there of a file, without decoding what lies between."""

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container


class Sample(NamedTuple):
  """Consecutive frames that begin at a keyframe.

  Attributes:
    images: brightness as stored, uint8 [h, w] each; not turned by the file's
      rotation flag.
    times: presentation times in seconds on the file's clock, increasing.
  """

  images: list[np.ndarray]
  times: list[Fraction]


def sample_keyframes(
  path: str | os.PathLike[str],
  period_s: float,
  frames: int,
  size: tuple[int, int],
) -> Iterator[Sample]:
  """Takes the frames from one keyframe on, about once in every period.

  All packets are read, which costs little, but only those of the samples are
  decoded. Encoders put a keyframe at most cuts, so that a sample seldom spans
  one. Where keyframes are farther apart than the period, so are the samples.

  Args:
    path: the file.
    period_s: least time from the start of one sample to the next, seconds.
    frames: length of a sample; the last one of a file may be shorter.
    size: (width, height) in pixels to scale to.

  Yields:
    Samples in order, up to the end of the file or damage that cannot be
    passed over.

  Raises:
    SpeedflowError: the file cannot be opened, or holds no picture.
  """
  with media_container.open_container(path) as container:
    stream = media_container.video_stream(container)
    if stream is None:
      raise SpeedflowError(
        f"{os.fspath(path)}: no video stream; name a file with a picture"
      )
    # Threads by frame would decode ahead, beyond the sample.
    stream.thread_type = "SLICE"
    unit = stream.time_base or Fraction(1, 1000)
    # One for all pictures: to prepare its tables takes longer than to scale.
    reformatter = VideoReformatter()
    due: Fraction | None = None
    held: list[VideoFrame] | None = None
    packets = media_container.packets(container, stream)
    while True:
      try:
        packet = next(packets, None)
      except av.FFmpegError:
        packet = None
      if packet is None:
        break
      if held is None:
        if not packet.is_keyframe or packet.pts is None:
          continue
        if due is not None and packet.pts * unit < due:
          continue
        held, due = [], packet.pts * unit + Fraction(period_s)
        stream.codec_context.flush_buffers()
        first = packet.pts
      try:
        pictures = stream.decode(packet)
      except av.FFmpegError:
        held = None
        continue
      # Pictures before the keyframe lean on what was not decoded.
      held += [
        p
        for p in pictures
        if p.pts is not None and p.pts >= first and not p.is_corrupt
      ]
      if len(held) >= frames:
        yield _sample(held[:frames], unit, size, reformatter)
        held = None
    if held:
      yield _sample(held[:frames], unit, size, reformatter)


def _sample(
  pictures: list[VideoFrame],
  unit: Fraction,
  size: tuple[int, int],
  reformatter: VideoReformatter,
) -> Sample:
  images = [
    reformatter.reformat(
      p, *size, "gray", interpolation=Interpolation.AREA, threads=1
    ).to_ndarray()
    for p in pictures
  ]
  return Sample(images, [(p.pts or 0) * unit for p in pictures])
