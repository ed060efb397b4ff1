"""Joining videos that were written one after another, as they are."""

import functools
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from speedflow.media import container as media_container
from speedflow.media import muxer
from speedflow.media.audio import Audio


class Piece(NamedTuple):
  """A part of a video.

  Attributes:
    path: a file of `VideoWriter`, without sound, whose pictures are stored in
      the order in which they are shown: one with a `time_base` of its own.
    start: when its time 0 is in the whole, seconds.
    end: when the whole goes on after it, seconds.
  """

  path: str | os.PathLike[str]
  start: Fraction
  end: Fraction


def join(
  pieces: Iterable[Piece],
  path: str | os.PathLike[str],
  time_base: Fraction,
  audio: Audio | Iterable[Audio] | None = None,
  *,
  fps: Fraction | None = None,
  title: str = "",
) -> Iterator[Piece]:
  """Puts pieces into one file, without encoding them anew.

  Args:
    pieces: in order, all of one size, pixel format and `time_base`.
    path: as of `muxer.Muxer`.
    time_base: seconds per tick of all pieces and of the whole.
    audio: as of `muxer.Muxer`.
    fps: frames per second that the header states; None: by the first piece.
    title: as of `muxer.Muxer`.

  Yields:
    Each piece that is in the file. The file is there when all are.

  Raises:
    SpeedflowError: a piece cannot be read, or the file not be written.
  """
  pieces = iter(pieces)
  first = next(pieces)
  with (
    media_container.open_container(first.path) as container,
    muxer.Muxer(
      path,
      time_base,
      audio,
      functools.partial(
        _add_copy,
        like=container.streams.video[0],
        time_base=time_base,
        fps=fps or container.streams.video[0].average_rate,
      ),
      title,
    ) as whole,
  ):
    for piece in (first, *pieces):
      whole.mux(_packets(piece, whole.video, time_base), until=piece.end)
      yield piece


def _add_copy(
  container: OutputContainer,
  like: VideoStream,
  time_base: Fraction,
  fps: Fraction | None,
) -> VideoStream:
  stream = container.add_stream_from_template(like)
  stream.time_base = time_base
  if fps:
    # Otherwise Matroska states one tick as the duration of a frame.
    stream.codec_context.framerate = fps
  return stream


def _packets(
  piece: Piece, stream: VideoStream, time_base: Fraction
) -> Iterator[av.Packet]:
  """The packets of a piece, on the clock of the whole."""
  with media_container.open_container(piece.path) as container:
    source = container.streams.video[0]
    last = None
    for packet in media_container.packets(container, source):
      if packet.pts is None:
        continue  # The empty one at the end.
      # A file may count in finer ticks than it was told.
      time = piece.start + packet.pts * Fraction(packet.time_base)
      packet.stream = stream
      packet.time_base = time_base
      packet.pts = packet.dts = round(time / time_base)
      packet.duration = 0
      if last is not None:
        yield last
      last = packet
    if last is not None:
      last.duration = round(piece.end / time_base) - (last.pts or 0)
      yield last
