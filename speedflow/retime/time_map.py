"""When the frames of a retimed video are shown, and what each shows."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import numpy as np

from speedflow import media
from speedflow.retime.curve import SpeedCurve
from speedflow.retime.options import Options
from speedflow.superres import clock
from speedflow.superres.rendering import Shown
from speedflow.superres.survey import Survey

# Rates are rational numbers with denominators up to this.
_FINEST_RATE = 100_000
# What is this near to a frame of the input, in its intervals, shows that frame.
_NEAR = Fraction(1, 500)
# Moments for each interval of the input while the shutter is open, and at most.
_DENSE, _MOST = 4, 32
# Where the output does not pass over more than this many of the input's
# intervals from frame to frame, these have all the blur there should be.
_STEP = 1.02
# Open for a smaller share of an interval, a shutter changes nothing to be seen.
_SHORT = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class TimeMap:
  """Times of a retimed video; see `rendering.Timing`.

  Attributes:
    curve: speed over the input's time.
    rate: frames per second of playback.
    time_base: seconds per tick; every time is a multiple of it.
    origin: time of the first frame in the input, seconds.
    start: the same in the output.
    end: when the last frame has been shown, in the output.
    open: share of the output's frame interval for which its shutter is open.
  """

  curve: SpeedCurve
  rate: Fraction
  time_base: Fraction
  origin: Fraction
  start: Fraction
  end: Fraction
  open: float

  @classmethod
  def of(cls, found: Survey, curve: SpeedCurve, options: Options) -> Self:
    """Lays the output's frames out.

    Args:
      found: the input.
      curve: speed over its time.
      options: their `fps` and `shutter`.
    """
    rate = found.fps
    if options.fps is not None:
      rate = Fraction(options.fps).limit_denominator(_FINEST_RATE)
    time_base = media.fine_time_base(rate)
    origin = found.times[0]
    start = clock.beginning(found.info.path, origin, time_base)
    length = float(curve.output_s(np.array(float(found.end - origin))))
    # A rest that is less than a hundredth of a frame is a rounding.
    frames = max(math.ceil(length * float(rate) - 0.01), 1)
    return cls(
      curve=curve,
      rate=rate,
      time_base=time_base,
      origin=origin,
      start=start,
      end=start + frames / rate,
      open=options.shutter / 360,
    )

  @property
  def frames(self) -> int:
    """How many there are."""
    return round((self.end - self.start) * self.rate)

  def shown(self, found: Survey) -> Iterator[Shown]:
    """All frames, in order."""
    snapped = _Snapped(found)
    for number in range(self.frames):
      around = np.array([number, number + self.open, number + 1])
      first, last, after = self.curve.input_s(around / float(self.rate))
      if after - first <= _STEP * float(found.interval):
        last = first
      yield Shown(
        self.start + number / self.rate,
        tuple(snapped.moments(self.origin, float(first), float(last))),
      )


class _Snapped:
  """Moments that are frames of the input where they are near to one."""

  def __init__(self, found: Survey):
    self._times = found.times
    self._end = found.end
    self._interval = found.interval
    self._at = 0
    cuts = np.flatnonzero(np.diff(found.shot)) + 1
    self._cuts = [found.times[number] for number in cuts]
    self._before = Fraction(-1)

  def moments(
    self, origin: Fraction, first: float, last: float
  ) -> Iterator[Fraction]:
    """Moments from one to another, which never lie on both sides of a cut.

    Args:
      origin: of the input, seconds.
      first: when the shutter opens, seconds after it.
      last: when it closes.
    """
    begin = self._near(origin + Fraction(first).limit_denominator(10**9))
    span = last - first
    intervals = span / float(self._interval)
    limit = next((cut for cut in self._cuts if cut > begin), self._end)
    span = min(span, float(limit - begin))
    if intervals < _SHORT or span <= 0:
      yield begin
      return
    count = min(max(round(intervals * _DENSE), 2), _MOST)
    step = Fraction(span / count).limit_denominator(10**9)
    yield begin
    for number in range(1, count):
      yield min(begin + number * step, limit - Fraction(1, 10**9))

  def _near(self, moment: Fraction) -> Fraction:
    """The frame that is near, or the moment; never before the last one."""
    while (
      self._at + 1 < len(self._times) and self._times[self._at + 1] <= moment
    ):
      self._at += 1
    for number in itertools.islice(itertools.count(self._at), 2):
      if number < len(self._times):
        time = self._times[number]
        if abs(time - moment) <= _NEAR * self._interval:
          return time
    last = self._end - Fraction(1, 10**9)
    return min(max(moment, self._times[0]), last)
