"""Clocks that are set back or forth within a file, made to run on.

Broadcasts that are joined, and recorders that were paused, leave MPEG
transport streams whose clock starts again or jumps. FFmpeg's libraries hand
such stamps on as they are; its command line shifts what follows a jump, as is
done here (`ts_discontinuity` in fftools/ffmpeg_demux.c), for one stream and
then the other. Here all streams of a file are looked at together first, so
that picture and sound stay in step.
"""

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream

from speedflow.media import container as media_container

# FFmpeg's flag of formats whose clock may be set: AVFMT_TS_DISCONT.
_MAY_STEP = 0x0200
# Seconds: a longer gap is no gap, and time never goes back so far.
_LONGEST_GAP_S = 10.0
_LONGEST_OVERLAP_S = 0.5
# Of the other stream, one of so many packets after a step takes part in it.
_CONFIRMED_WITHIN = 8
# Streams are in one span of the clock if their times differ by less, seconds.
_TOGETHER_S = 5.0


class _Packets(NamedTuple):
  """The packets of one stream, in the order of the file; float64 [n] each.

  Attributes:
    place: number among all packets of the file.
    begin: presentation time, seconds.
    decoded: decoding time, seconds.
    end: presentation time and duration, seconds.
  """

  place: np.ndarray
  begin: np.ndarray
  decoded: np.ndarray
  end: np.ndarray


class Steps(NamedTuple):
  """What to add to the time stamps of a stream.

  Attributes:
    first: number of the stream's packet from which on each shift holds.
    shift: seconds that are added.
  """

  first: tuple[int, ...] = (0,)
  shift: tuple[Fraction, ...] = (Fraction(0),)

  def at_joint(self, number: int) -> bool:
    """Whether a packet is one of the last before a step, or the first."""
    return any(-_AT_A_JOINT <= number - at <= 0 for at in self.first[1:])


# The last packets before a clock is set count as broken, for the count of
# transport packets is set, too.
_AT_A_JOINT = 3


def may_step(container: InputContainer) -> bool:
  """Whether the clock of a file of this format may be set."""
  return bool(int(container.format.flags) & _MAY_STEP)


def corrected(
  packets: Iterable[av.Packet], steps: Steps
) -> Iterator[av.Packet]:
  """Packets of one stream from its beginning, their stamps shifted.

  Args:
    packets: in the order of the file; changed.
    steps: of this stream.
  """
  part = number = 0
  for packet in packets:
    while part + 1 < len(steps.first) and number >= steps.first[part + 1]:
      part += 1
    number += packet.size > 0
    shift = steps.shift[part]
    if shift and packet.time_base:
      ticks = round(shift / packet.time_base)
      if packet.pts is not None:
        packet.pts += ticks
      if packet.dts is not None:
        packet.dts += ticks
    yield packet


def find(
  container: InputContainer, path: str | os.PathLike[str]
) -> dict[int, Steps]:
  """Looks for steps of the clock, reading the packets of all streams once.

  Args:
    container: the open file; nothing is read where its format has no steps.
    path: of the file.

  Returns:
    By the index of each stream of picture and sound, what to add; empty where
    the clock runs on.
  """
  if not may_step(container):
    return {}
  stat = os.stat(path)
  return _find(os.fspath(path), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _find(path: str, unused_size: int, unused_changed: int) -> dict[int, Steps]:
  with media_container.open_unchecked(path) as container:
    packets = _read(container)
  spans = _spans(packets)
  if not spans:
    return {}
  return _shifts(packets, spans)


def _read(container: InputContainer) -> dict[int, _Packets]:
  streams: list[Stream] = [*container.streams.video, *container.streams.audio]
  rows: dict[int, list[tuple[float, float, float, float]]] = {
    stream.index: [] for stream in streams
  }
  place = 0
  packets = media_container.packets(container, *streams)
  while True:
    try:
      packet = next(packets, None)
    except av.FFmpegError:
      break
    if packet is None:
      break
    place += 1
    if not packet.size or packet.time_base is None:
      continue
    unit = float(packet.time_base)
    known = [stamp for stamp in (packet.dts, packet.pts) if stamp is not None]
    decoded = known[0] * unit if known else np.nan
    begin = known[-1] * unit if known else np.nan
    end = begin + (packet.duration or 0) * unit
    rows[packet.stream_index].append((place, begin, decoded, end))
  return {
    index: _Packets(*np.array(found, np.float64).T)
    for index, found in rows.items()
    if len(found) > 1
  }


def _jumps(packets: _Packets) -> np.ndarray:
  """Numbers of the packets whose clock does not follow on; int64 [k]."""
  decoded = packets.decoded
  known = np.flatnonzero(np.isfinite(decoded))
  steps = np.diff(decoded[known])
  usual = float(np.median(steps)) if len(steps) else 0.0
  late = steps - usual
  jumped = (late > _LONGEST_GAP_S) | (late < -_LONGEST_OVERLAP_S)
  return known[1:][jumped]


def _spans(packets: dict[int, _Packets]) -> dict[int, list[int]]:
  """Where each stream enters the spans between steps of the clock.

  Returns:
    By stream, the number of its first packet in each span but the first; empty
    if there are no steps. All lists have the same length: a stream that has
    nothing in a span enters it where it enters the next.
  """
  jumps = {index: _jumps(found) for index, found in packets.items()}
  confirmed = {
    index: [
      jump
      for jump in found
      if all(
        _takes_part(packets[other], jumps[other], packets[index].place[jump])
        for other in packets
        if other != index
      )
    ]
    for index, found in jumps.items()
  }
  # The places of steps in the file, one for all streams that take part.
  events = sorted(
    (packets[index].place[jump], index, jump)
    for index, found in confirmed.items()
    for jump in found
  )
  spans: list[dict[int, int]] = []
  for _, index, jump in events:
    if (
      spans
      and index not in spans[-1]
      and _same(packets, spans[-1], index, jump)
    ):
      spans[-1][index] = jump
    else:
      spans.append({index: jump})
  entries: dict[int, list[int]] = {}
  if not spans:
    return entries
  for index, found in packets.items():
    following = len(found.place)
    entries[index] = []
    for span in reversed(spans):
      following = span.get(index, following)
      entries[index].insert(0, following)
  return entries


def _takes_part(other: _Packets, jumps: np.ndarray, place: float) -> bool:
  """Whether another stream's clock steps at about this place of the file."""
  after = int(np.searchsorted(other.place, place))
  if after >= len(other.place) or after == 0:
    return True  # It is over, or has not begun.
  near = np.abs(jumps - after) <= _CONFIRMED_WITHIN
  return bool(near.any())


def _same(
  packets: dict[int, _Packets], span: dict[int, int], index: int, jump: int
) -> bool:
  """Whether a stream's jump leads to where others of a span have jumped."""
  time = packets[index].decoded[jump]
  return all(
    abs(packets[other].decoded[at] - time) < _TOGETHER_S
    for other, at in span.items()
  )


def _shifts(
  packets: dict[int, _Packets], entries: dict[int, list[int]]
) -> dict[int, Steps]:
  """What to add in each span, so that it follows on the one before.

  Every stream goes on where it was, or later: nothing overlaps.
  """
  count = len(next(iter(entries.values()))) + 1
  shifts = [Fraction(0)]
  bounds = {
    index: [0, *starts, len(packets[index].place)]
    for index, starts in entries.items()
  }
  for number in range(1, count):
    gaps = []
    for index, found in packets.items():
      before = _extent(found, bounds[index][number - 1 : number + 1])
      after = _extent(found, bounds[index][number : number + 2])
      if before and after:
        gaps.append(before[1] - after[0])
    shifts.append(
      shifts[-1]
      + (Fraction(max(gaps)).limit_denominator(90_000) if gaps else 0)
    )
  return {
    index: Steps((0, *entries[index]), tuple(shifts)) for index in packets
  }


def _extent(
  found: _Packets, bounds: Sequence[int]
) -> tuple[float, float] | None:
  """First presentation time and last end of the packets of a span."""
  part = slice(*bounds)
  begin, end = found.begin[part], found.end[part]
  known = np.isfinite(begin)
  if not known.any():
    return None
  begin, end = begin[known], end[known]
  last = float(end.max())
  if last == float(begin.max()) and len(begin) > 1:
    # No durations: the last one is as long as the others are.
    last += float(np.median(np.diff(np.sort(begin))))
  return float(begin.min()), last
