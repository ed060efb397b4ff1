"""Packets that need not be decoded, since nobody looks at what they show."""

import bisect
import collections
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import av

# Frames before those that are looked at again, which are decoded as well: by
# them cuts are found, dissolves among them.
_BEFORE = 18
# Fewer are not worth an interruption of the decoder.
_FEWEST = 8
# Packets that are remembered: the orders of decoding and showing differ by less
# than half as many.
_LATEST = 64


class Gap(NamedTuple):
  """Takes the place of packets that are not to be decoded.

  The decoder is to be emptied, and to begin anew with the next packet, a
  keyframe.

  Attributes:
    stamps: of the frames that are left out, ticks, rising. Those that the
      decoder still gives are, too, before and after.
  """

  stamps: Sequence[int]


class Damage(NamedTuple):
  """Takes the place of packets that are broken.

  Attributes:
    what: is wrong, as a phrase.
  """

  what: str


Item = av.Packet | Gap | Damage | None
"""None comes last."""


class Skipper:
  """Leaves out packets of one stream, up to keyframes.

  Nothing is left out any more once something is damaged.
  """

  def __init__(self) -> None:
    self._enabled = True
    # Of what was passed on last, in the order of decoding.
    self._latest: collections.deque[int] = collections.deque(maxlen=_LATEST)
    self._last_key = 0
    self._stamps: Sequence[int] = ()
    # Number of the keyframe that is gone on from.
    self._resume: int | None = None
    self._shown = 0

  @property
  def enabled(self) -> bool:
    """Whether anything may be left out."""
    return self._enabled

  def stop(self) -> None:
    """Leaves nothing out any more."""
    self._enabled = False

  def leave_out(
    self, until: int, stamps: Sequence[int], keyframes: Sequence[int]
  ) -> None:
    """Says that frames up to one of them are not looked at.

    Args:
      until: number of a frame.
      stamps: of all frames of the file, ticks, rising.
      keyframes: their numbers, rising.
    """
    self._shown = until - _BEFORE
    place = bisect.bisect_right(keyframes, self._shown) - 1
    self._stamps = stamps
    self._resume = keyframes[place] if place >= 0 else None

  def passed(self, items: Iterator[Item]) -> Iterator[Item]:
    """Yields what is to be decoded, and gaps."""
    dropped_to: int | None = None
    for item in items:
      if not isinstance(item, av.Packet):
        yield item
        continue
      if dropped_to is not None:
        if not item.is_keyframe or item.pts is None or item.pts < dropped_to:
          continue
        dropped_to = None
      gap = self._gap()
      if gap:
        dropped_to = self._stamps[cast(int, self._resume)]
        self._resume = None
        yield gap
        continue
      if item.pts is None:
        self.stop()
      elif not item.is_discard:
        self._latest.append(item.pts)
        if item.is_keyframe:
          self._last_key = item.pts
      yield item

  def _gap(self) -> Gap | None:
    """What is left out from now on, if anything."""
    stamps, resume = self._stamps, self._resume
    if not self._enabled or resume is None or not self._latest:
      return None
    if stamps[resume] <= self._last_key:
      return None
    known = set(self._latest)
    # Some of those around the earliest were passed on before these.
    begin = sorted(known)[len(known) // 2 if len(known) == _LATEST else 0]
    first = bisect.bisect_left(stamps, begin)
    while first < resume and stamps[first] in known:
      first += 1
    if resume - first < _FEWEST:
      return None
    self._latest.clear()
    return Gap(stamps[first : self._shown])
