"""Which frames a slowed video has: when, of what kind, made from which."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from speedflow.inference.survey import Survey

Kind = Literal["observed", "restored", "synthesised", "held"]
"""As it was; deblurred; made between two; or the last of a shot, repeated."""


class Planned(NamedTuple):
  """A frame that is to be made.

  Attributes:
    time: seconds on the clock of the input, exact.
    kind: what it will be.
    sources: numbers of the input frames that it is made from.
    share: its place between two sources, 0..1.
    exposure: of the sources, as in `Survey.exposure`.
  """

  time: Fraction
  kind: Kind
  sources: tuple[int, ...]
  share: float
  exposure: float | None


def plan(found: Survey, moments: Iterator[Fraction]) -> Iterator[Planned]:
  """Plans the frames at some times, which rise from that of the first frame.

  Frames that only repeat the one before are replaced. Between two shots
  nothing is made up: the last frame of a shot is held.
  """
  kept = np.flatnonzero(found.true).tolist()
  pending = next(moments, None)
  neighbours = zip([None, *kept], kept, [*kept[1:], None], strict=False)
  for before, first, after in neighbours:
    start = found.times[first]
    end = found.end if after is None else found.times[after]
    exposure = found.exposure[found.shot[first]]
    last = _is_cut(found, first, after)
    kind: Kind = "restored"
    sources: tuple[int, ...] = (first,)
    place = 0.0
    if exposure == 0 or (last and _is_cut(found, first, before)):
      kind = "observed"
    # A frame is deblurred with the help of the next one; the last of a shot,
    # with that of the one before.
    elif before is not None and last:
      sources, place = (before, first), 1.0
    elif after is not None:
      sources = (first, after)
    while pending is not None and pending < end:
      if pending == start:
        yield Planned(pending, kind, sources, place, exposure)
      elif last or after is None:
        yield Planned(pending, "held", sources, place, exposure)
      else:
        share = float((pending - start) / (end - start))
        yield Planned(pending, "synthesised", (first, after), share, exposure)
      pending = next(moments, None)


def _is_cut(found: Survey, frame: int, other: int | None) -> bool:
  return other is None or found.shot[frame] != found.shot[other]
