"""Speed over the input's time, and the two clocks that it ties together."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class SpeedCurve:
  """Speed over time: straight in log2 between points, constant beyond.

  A straight line in octaves is a ramp that looks even. The output's time is
  the integral of 1 / speed over the input's, which such lines have in closed
  form.

  Attributes:
    times_s: of the points, seconds of the input from its first frame, float64
      [n], increasing.
    speeds: factors there, float64 [n].
  """

  times_s: np.ndarray
  speeds: np.ndarray

  @classmethod
  def constant(cls, speed: float) -> "SpeedCurve":
    """One speed all the time."""
    return cls(np.zeros(1), np.array([float(speed)]))

  @classmethod
  def steps(cls, ends_s: np.ndarray, speeds: np.ndarray) -> "SpeedCurve":
    """Speeds that change at once.

    Args:
      ends_s: when each ends, seconds, float64 [n], increasing.
      speeds: float64 [n].
    """
    # A step is a ramp within a microsecond.
    times = np.repeat(ends_s[:-1], 2) + np.tile([0.0, 1e-6], len(ends_s) - 1)
    if not len(times):
      return cls.constant(float(speeds[0]))
    values = np.repeat(speeds, 2)[1:-1]
    return cls(times, values)

  def speed(self, time_s: np.ndarray) -> np.ndarray:
    """The speed at times of the input, float64 of any shape."""
    return np.exp2(np.interp(time_s, self.times_s, np.log2(self.speeds)))

  def output_s(self, time_s: np.ndarray) -> np.ndarray:
    """When the output shows what is at times of the input.

    Args:
      time_s: seconds of the input from its first frame, float64 [...].

    Returns:
      Seconds of the output from its first frame, float64 [...].
    """
    time_s = np.asarray(time_s, np.float64)
    begin, slope, speed, shown = self._spans
    number = np.searchsorted(begin, time_s, "right") - 1
    since = time_s - begin[number]
    turn = slope[number] * since
    # (1 - exp(-x)) / x goes to 1 where the speed is constant.
    share = np.ones_like(turn)
    bent = np.abs(turn) > 1e-12
    share[bent] = -np.expm1(-turn[bent]) / turn[bent]
    return shown[number] + since / speed[number] * share

  def input_s(self, time_s: np.ndarray) -> np.ndarray:
    """What of the input the output shows at its times: `output_s` undone."""
    time_s = np.asarray(time_s, np.float64)
    begin, slope, speed, shown = self._spans
    number = np.searchsorted(shown, time_s, "right") - 1
    since = (time_s - shown[number]) * speed[number]
    turn = slope[number] * since
    share = np.ones_like(turn)
    bent = np.abs(turn) > 1e-12
    share[bent] = -np.log1p(-turn[bent]) / turn[bent]
    return begin[number] + since * share

  @property
  def _spans(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each stretch: begin, slope of log speed, first speed, output time."""
    inside = self.times_s > 0
    knots = np.concatenate([[0.0], self.times_s[inside]])
    speeds = self.speed(knots)
    logs = np.log(speeds)
    lengths = np.diff(knots)
    slopes = np.append(np.diff(logs) / lengths, 0.0)
    turns = slopes[:-1] * lengths
    share = np.ones_like(turns)
    bent = np.abs(turns) > 1e-12
    share[bent] = -np.expm1(-turns[bent]) / turns[bent]
    taken = lengths / speeds[:-1] * share
    return knots, slopes, speeds, np.concatenate([[0.0], np.cumsum(taken)])
