"""Which frames a slowed video has: when, of what kind, made from which."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from speedflow.superres.survey import Survey

Kind = Literal["observed", "restored", "synthesised", "held", "averaged"]
"""As it was; deblurred; made between two; the last of a shot, repeated; or the
mean of several such over the time that a shutter is open."""


# A frame beside the two that is further from the nearer one, in intervals
# between the two, or nearer to it than the inverse, tells too little.
_FURTHEST = Fraction(3)


class Beside(NamedTuple):
  """A frame of the same shot, next to the two that another is made from.

  Attributes:
    number: of the input frame.
    distance: to the nearer of the two in time, in intervals between these.
  """

  number: int
  distance: float


class Planned(NamedTuple):
  """A frame that is to be made.

  Attributes:
    time: seconds on the clock of the input, exact.
    kind: what it will be.
    sources: numbers of the input frames that it is made from.
    share: its place between two sources, 0..1.
    exposure: of the sources, as in `Survey.exposure`.
    beside: the frames before the first source and after the one that follows
      it, which tell how things accelerate from that to this; None where there
      is none.
  """

  time: Fraction
  kind: Kind
  sources: tuple[int, ...]
  share: float
  exposure: float
  beside: tuple[Beside | None, Beside | None] = (None, None)

  @property
  def numbers(self) -> list[int]:
    """Of all input frames that are needed, rising."""
    before, after = self.beside
    early = [] if before is None else [before.number]
    late = [] if after is None else [after.number]
    return [*early, *self.sources, *late]


def plan(found: Survey, moments: Iterator[Fraction]) -> Iterator[Planned]:
  """Plans the frames at some times, which rise from that of the first frame.

  Frames that only repeat the one before are replaced. Between two shots
  nothing is made up: the last frame of a shot is held.
  """
  kept = np.flatnonzero(found.true).tolist()
  pending = next(moments, None)
  row = [None, *kept, None, None]
  neighbours = zip(row, row[1:], row[2:], row[3:], strict=False)
  for before, first, after, beyond in neighbours:
    assert first is not None
    start = found.times[first]
    end = found.end if after is None else found.times[after]
    exposure = found.exposure[found.shot[first]]
    last = _is_cut(found, first, after)
    beside = _beside(found, before, first, after, beyond)
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
        yield Planned(pending, kind, sources, place, exposure, beside)
      elif last or after is None:
        yield Planned(pending, "held", sources, place, exposure)
      else:
        share = float((pending - start) / (end - start))
        pair = (first, after)
        yield Planned(pending, "synthesised", pair, share, exposure, beside)
      pending = next(moments, None)


def _beside(
  found: Survey,
  before: int | None,
  first: int,
  after: int | None,
  beyond: int | None,
) -> tuple[Beside | None, Beside | None]:
  """What is next to two frames, where no cut and no long pause is between."""
  if after is None or _is_cut(found, first, after):
    return None, None
  length = found.times[after] - found.times[first]

  def side(near: int, far: int | None) -> Beside | None:
    if far is None or _is_cut(found, near, far):
      return None
    distance = abs(found.times[far] - found.times[near]) / length
    fits = 1 / _FURTHEST <= distance <= _FURTHEST
    return Beside(far, float(distance)) if fits else None

  return side(first, before), side(after, beyond)


def _is_cut(found: Survey, frame: int, other: int | None) -> bool:
  return other is None or found.shot[frame] != found.shot[other]
