"""The rate at which pictures are stored, by their time stamps alone."""

import contextlib
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

# Enough to tell a rate; the rest of a long film costs time and says no more.
_MOST_PACKETS = 100_000
# Of the packet's beginning: encoders sign within the first hundreds of bytes.
_FIRST_BYTES = 8192
# Phones' stamps scatter by a tenth, a dropped picture doubles an interval, and
# the first and last are sometimes held: the pace of the others is the pace.
_NEAR = (0.5, 1.5)
_MOST_ARE_NEAR = 0.8


class Stamps(NamedTuple):
  """What the time stamps of the picture say.

  Attributes:
    fps: frames per second, by the mean of the intervals that are about as long
      as the median one: pictures that were dropped or held do not change the
      pace of what is shown. None of fewer than two pictures.
    steady: whether nearly all intervals are such.
    first_packet: the beginning of the first packet.
  """

  fps: float | None
  steady: bool
  first_packet: bytes


def read(container: InputContainer, stream: VideoStream) -> Stamps:
  """Reads packets, without decoding them, up to the first damage."""
  ticks: list[int] = []
  first = b""
  with contextlib.suppress(av.FFmpegError):
    for packet in container.demux(stream):
      if packet.pts is not None:
        first = first or bytes(packet)[:_FIRST_BYTES]
        ticks.append(packet.pts)
      if len(ticks) == _MOST_PACKETS:
        break
  # Of packets in the order of decoding, the last shown may be still to come.
  times_s = np.unique(ticks) * float(stream.time_base or 0)
  if len(times_s) < 2 or times_s[-1] <= times_s[0]:
    return Stamps(None, True, first)
  intervals = np.diff(times_s)
  # One that occurs: of two, the mean may be near to neither.
  middle = np.percentile(intervals, 50, method="lower")
  low, high = (share * middle for share in _NEAR)
  near = (intervals >= low) & (intervals <= high)
  fps = 1 / float(np.mean(intervals[near]))
  return Stamps(fps, bool(near.mean() >= _MOST_ARE_NEAR), first)
