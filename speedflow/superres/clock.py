"""When the frames of a slowed video are shown, exactly."""

import dataclasses
import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.superres import slow_audio
from speedflow.superres.options import MOST_FACTOR, Options
from speedflow.superres.rendering import Shown
from speedflow.superres.survey import Survey

# Rates are rational numbers with denominators up to this.
_FINEST_RATE = 100_000


@dataclasses.dataclass(frozen=True)
class Clock:
  """Times of a slowed video.

  Attributes:
    factor: how many times as many frames there are.
    divides: whether every interval is divided alike, rather than time.
    slowdown: how many times slower it plays.
    rate: frames per second of playback; an average if the rate varies.
    time_base: seconds per tick; every time is a multiple of it.
    origin: time of the first frame in the input, seconds.
    start: the same in the output.
    end: when the last frame has been shown, in the output.
  """

  factor: Fraction
  divides: bool
  slowdown: Fraction
  rate: Fraction
  time_base: Fraction
  origin: Fraction
  start: Fraction
  end: Fraction

  @classmethod
  def of(
    cls,
    found: Survey,
    options: Options,
  ) -> Self:
    """Sets the clock.

    Args:
      found: the input.
      options: their `factor`, `fps` and `slow`.

    Raises:
      SpeedflowError: more than `MOST_FACTOR` times as many frames are wanted.
    """
    info = found.info
    ratio = Fraction(options.factor or 2)
    if options.fps is not None:
      wanted = Fraction(options.fps).limit_denominator(_FINEST_RATE)
      ratio = wanted / found.fps
      if ratio > MOST_FACTOR:
        raise SpeedflowError(
          f"{info.path}: {float(wanted):g} frames per second are"
          f" {float(ratio):.4g} times its own; at most {MOST_FACTOR} times are"
          " made"
        )
    slowdown = ratio if options.slow else Fraction(1)
    rate = found.fps * ratio / slowdown
    if options.fps is None and not found.even:
      time_base = info.time_base * slowdown / ratio
    else:
      time_base = media.fine_time_base(rate)
    origin = found.times[0]
    start = beginning(info.path, origin, time_base)
    length = (found.end - origin) * slowdown
    if options.fps is not None:
      # The last frame, too, is shown for a whole interval.
      length = -(-length * rate // 1) / rate
    return cls(
      factor=ratio,
      divides=options.fps is None,
      slowdown=slowdown,
      rate=rate,
      time_base=time_base,
      origin=origin,
      start=start,
      end=start + length,
    )

  @property
  def frames(self) -> int:
    """About how many there are."""
    return max(round((self.end - self.start) * self.rate), 1)

  def shown(self, found: Survey) -> Iterator[Shown]:
    """All frames, each of one moment; see `rendering.Timing`."""
    for moment in self.moments(found):
      time = self.start + (moment - self.origin) * self.slowdown
      yield Shown(time, (moment,))

  def moments(self, found: Survey) -> Iterator[Fraction]:
    """Times of the input at which the output has frames, rising."""
    if self.divides:
      return _divided(found, int(self.factor))
    return _even(found, found.fps * self.factor)


def beginning(
  path: str | os.PathLike[str], origin: Fraction, time_base: Fraction
) -> Fraction:
  """When the first picture is shown, if time begins with picture or sound.

  What sound has before time 0 is its codec's run-up, unless pictures are there
  before it, too, as where a clock has wrapped.

  Args:
    path: the input.
    origin: time of its first picture, seconds.
    time_base: seconds per tick; the answer is whole ticks, so that no time is
      rounded.
  """
  sound = slow_audio.start_s(path)
  first = origin if sound is None else min(origin, Fraction(sound))
  start = origin - max(first, min(origin, Fraction(0)))
  return round(start / time_base) * time_base


def _divided(found: Survey, factor: int) -> Iterator[Fraction]:
  """Times at every 1 / factor of every interval, and of one after the last.

  A last frame that is shown for longer is then held, as it was.
  """
  ends = itertools.chain(found.times[1:], [found.times[-1] + found.interval])
  for start, end in zip(found.times, ends, strict=True):
    for part in range(factor):
      yield start + (end - start) * Fraction(part, factor)


def _even(found: Survey, fps: Fraction) -> Iterator[Fraction]:
  """Times at an even rate, from the first frame to the end of the last."""
  for number in itertools.count():
    time = found.times[0] + number / fps
    if time >= found.end:
      return
    yield time
