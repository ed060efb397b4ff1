"""When the pictures of a file are shown, by their stamps and not its header.

A header's frame rate is often that of a container's clock, of an editor's
project, or an average that a pause has spoilt: the stamps decide.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

_STANDARD = tuple(
  Fraction(rate * 1000, 1001) if dropped else Fraction(rate)
  for rate in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240, 480, 960)
  for dropped in (False, True)
)
# Of an interval, so much may a stamp be off an even rate by rounding.
_ROUNDING = Fraction(1, 4)
# Rates are rational numbers with denominators up to this.
_FINEST_RATE = 1_001_000


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
  """The times of all pictures of a file.

  Attributes:
    times: when each is shown, rising, seconds on the file's clock.
    time_base: seconds per tick, to which the times are rounded.
    declared: rates that the header states, frames per second; those that the
      stamps contradict count for nothing.
    last_s: how long the last picture is shown as the file says, seconds; 0
      where it does not.
    keyframes: numbers of the pictures that stand by themselves, rising; none
      where the stamps do not tell the pictures apart.
  """

  times: tuple[Fraction, ...]
  time_base: Fraction
  declared: tuple[Fraction, ...] = ()
  last_s: Fraction = Fraction(0)
  keyframes: tuple[int, ...] = ()

  @property
  def interval(self) -> Fraction | None:
    """Mean time from picture to picture, seconds; None of a single one."""
    if len(self.times) < 2:
      return None
    return (self.times[-1] - self.times[0]) / (len(self.times) - 1)

  @property
  def _since(self) -> Iterator[tuple[int, int]]:
    """Seconds since the first picture, as numerators and denominators.

    Long files have many, and fractions are slow.
    """
    first, under = self.times[0].as_integer_ratio()
    for time in self.times:
      part, whole = time.as_integer_ratio()
      yield part * under - first * whole, whole * under

  @functools.cached_property
  def tick(self) -> Fraction:
    """To what the times are rounded, seconds: whole numbers of it.

    It is coarser than `time_base` in files that were copied from another
    container, such as Matroska, whose times are whole milliseconds.
    """
    base, below = self.time_base.as_integer_ratio()
    ticks = [part * below // (whole * base) for part, whole in self._since]
    return self.time_base * max(1, math.gcd(*ticks))

  @functools.cached_property
  def even(self) -> bool:
    """Whether all intervals are the same, but for rounding to `tick`."""
    mean = self.interval
    if mean is None:
      return True
    seconds = np.array([part / whole for part, whole in self._since])
    off = np.abs(seconds - np.arange(len(seconds)) * float(mean)).max()
    # Sums of floating-point numbers are off by far less.
    most = min(self.tick, mean * _ROUNDING) + mean / 10_000
    return bool(off <= float(most))

  @functools.cached_property
  def rate(self) -> Fraction:
    """Frames per second: the exact one if even, the mean one otherwise.

    (last - first) / (n - 1) is the mean interval. Of an even rate, the stamps'
    rounding leaves a choice, which a declared rate, or else a standard one
    decides.

    Raises:
      ValueError: there are fewer than two times and no declared rate.
    """
    mean = self.interval
    if mean is None:
      if not self.declared:
        raise ValueError("one picture, and no rate")
      return self.declared[0]
    if self.even:
      nearest = sorted(_STANDARD, key=lambda rate: abs(1 / rate - mean))
      for rate in (*self.declared, *nearest[:2]):
        drift = abs(1 / rate - mean) * (len(self.times) - 1)
        if drift <= min(self.tick, mean * _ROUNDING):
          return rate
    return (1 / mean).limit_denominator(_FINEST_RATE)

  @property
  def end(self) -> Fraction:
    """When the last picture has been shown, seconds on the file's clock.

    It is shown as long as the others are on average, or longer where the file
    says so, as screen recordings do.
    """
    usual = self.interval or (1 / self.declared[0] if self.declared else 0)
    return self.times[-1] + max(Fraction(usual), self.last_s)

  @property
  def evened(self) -> tuple[Fraction, ...]:
    """The times without their rounding where the rate is even."""
    if not self.even:
      return self.times
    step = 1 / self.rate
    return tuple(self.times[0] + n * step for n in range(len(self.times)))
