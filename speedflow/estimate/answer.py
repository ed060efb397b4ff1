"""What the estimator answers about one video.

Speeds are playback speed factors: 2.0 plays twice as fast as the world, 0.25
four times slowed. Intervals hold the true speed with 80 % probability.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from speedflow import media
from speedflow.clocks.reading import Name as ClockName
from speedflow.clocks.reading import Reading as ClockReading
from speedflow.declared import Declaration

Status = Literal["ok", "uncertain", "error"]

WIDEST = 2.0
"""Octaves: with a wider interval a video's speed is not told."""

# Octaves: a span of a video still weighs against others.
_WIDEST_SPAN = 4.0


@dataclasses.dataclass(frozen=True)
class Segment:
  """A span of a video that plays at about one speed.

  Attributes:
    start_s: start of the span, in seconds of playback.
    end_s: its end.
    speed: the span's speed factor.
    speed_low: lower end of the 80 % interval.
    speed_high: upper end of the 80 % interval.
  """

  start_s: float
  end_s: float
  speed: float
  speed_low: float
  speed_high: float

  @property
  def tells(self) -> bool:
    """Whether its interval is narrow enough to be of use."""
    return math.log2(self.speed_high / self.speed_low) <= _WIDEST_SPAN


@dataclasses.dataclass(frozen=True, eq=False)
class SpeedCurve:
  """Speed over time.

  Attributes:
    time_s: float64 [n], seconds of playback, increasing.
    speed: float64 [n], speed factors.
    speed_low: float64 [n], lower ends of the 80 % intervals.
    speed_high: float64 [n], upper ends of the 80 % intervals.
  """

  time_s: np.ndarray
  speed: np.ndarray
  speed_low: np.ndarray
  speed_high: np.ndarray

  def __post_init__(self):
    shapes = {getattr(self, f.name).shape for f in dataclasses.fields(self)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
      raise ValueError(f"A curve wants four arrays of one length, not {shapes}")

  def at(self, time_s: float) -> float:
    """The speed at one time, interpolated on the logarithmic scale."""
    return float(np.exp2(np.interp(time_s, self.time_s, np.log2(self.speed))))


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
  """How fast one video plays.

  Attributes:
    file: the path as it was given, or "" for frames in memory.
    status: "ok"; "uncertain" when the picture does not tell, with `reason`;
      "error" when the file could not be read, with `error`.
    error: the one line that says what is wrong with the file, or None.
    reason: why the estimate is uncertain, as the end of a sentence that
      begins "does not tell how fast it plays:", or None.
    duration_s: length in seconds of playback, or None.
    fps: frames per second of playback by the time stamps, the mean where they
      are uneven, or None.
    fps_nominal: frames per second as the file's header states it, or None.
    variable_rate: whether the intervals between frames differ, or None.
    damage: what of the file could not be read, or None.
    info: what the file is, for who asks it more; None of frames in memory.
    speed: the one number for the whole video, or None.
    speed_low: lower end of its 80 % interval, or None.
    speed_high: upper end of its 80 % interval, or None.
    segments: spans of about constant speed, in order.
    curve: speed over time, or None.
    rounds: the summary speed from looking at every frame, then also at every
      second, fourth and eighth.
    declared: what the file declares of its capture, where it was asked and
      says anything.
    picture: what the picture says, where something else decides.
    clocks: what the clocks in the scene say, of those that speak.
    clock: the one by which the speed is known, where a clock decides.
    warning: why what is declared is not to be believed, as a sentence without
      its full stop, or None.
  """

  file: str
  status: Status
  error: str | None = None
  reason: str | None = None
  duration_s: float | None = None
  fps: float | None = None
  fps_nominal: float | None = None
  variable_rate: bool | None = None
  damage: str | None = None
  info: media.VideoInfo | None = None
  speed: float | None = None
  speed_low: float | None = None
  speed_high: float | None = None
  segments: tuple[Segment, ...] = ()
  curve: SpeedCurve | None = None
  rounds: tuple[float, ...] = ()
  declared: Declaration | None = None
  picture: "Estimate | None" = None
  warning: str | None = None
  clocks: tuple[ClockReading, ...] = ()
  clock: ClockName | None = None

  @property
  def decided_by(self) -> Literal["picture", "declared", "clock"] | None:
    """By what the speed is known; None where it is not."""
    if self.status != "ok":
      return None
    if self.clock is not None:
      return "clock"
    return "declared" if self.picture is not None else "picture"

  @property
  def changes(self) -> bool:
    """Whether the picture proves that there is more than one speed."""
    told = [each for each in self.segments if each.tells]
    return any(a.speed_high < b.speed_low for a in told for b in told)

  @classmethod
  def failed(cls, file: str, error: str) -> "Estimate":
    """The answer about a file that could not be read."""
    return cls(file=file, status="error", error=error)

  def to_json(self) -> dict[str, Any]:
    """The answer as JSON-ready values; numbers that are not known are None."""
    return {
      "file": self.file,
      "status": self.status,
      "error": self.error,
      "reason": self.reason,
      "duration_s": _seconds(self.duration_s),
      "fps": _seconds(self.fps),
      "fps_nominal": _seconds(self.fps_nominal),
      "variable_rate": self.variable_rate,
      "damage": self.damage,
      **self._speeds(),
      "decided_by": self.decided_by,
      "declared": self.declared.to_json() if self.declared else None,
      "picture": self.picture
      and {"status": self.picture.status, **self.picture._speeds()},
      "warning": self.warning,
      "clock": self.clock,
      "clocks": [clock.to_json() for clock in self.clocks],
    }

  def _speeds(self) -> dict[str, Any]:
    return {
      "speed": rounded_factor(self.speed),
      "speed_low": rounded_factor(self.speed_low),
      "speed_high": rounded_factor(self.speed_high),
      "segments": [
        {
          "start_s": _seconds(s.start_s),
          "end_s": _seconds(s.end_s),
          "speed": rounded_factor(s.speed),
          "speed_low": rounded_factor(s.speed_low),
          "speed_high": rounded_factor(s.speed_high),
        }
        for s in self.segments
      ],
    }

  def in_words(self) -> str:
    """The answer as a sentence without its subject."""
    said = self._speed_in_words()
    if self.clock is not None:
      return f"{said}, by the {self.clock}"
    if self.declared is not None and self.picture is not None:
      return f"{said}, as the file declares ({self.declared.source})"
    return said

  def _speed_in_words(self) -> str:
    if self.status == "error":
      return f"could not be read: {self.error}"
    if self.status == "uncertain" or self.speed is None:
      return (
        "does not tell how fast it plays: "
        f"{self.reason or 'it shows nothing of a known pace'}"
      )
    interval = f"{self.speed_low:.2g}-{self.speed_high:.2g}"
    speeds = [s.speed for s in self.segments]
    # Half an octave apart: a change that a viewer sees.
    if speeds and max(speeds) > min(speeds) * math.sqrt(2):
      return (
        f"changes speed, between {min(speeds):.2g}x and {max(speeds):.2g}x; "
        f"{self.speed:.2g}x over all ({interval})"
      )
    # Within a third of an octave, and not proven to differ.
    near = 0.8 < self.speed < 1.25
    if near and (self.speed_low or 0) <= 1 <= (self.speed_high or math.inf):
      return f"plays at about normal speed, {self.speed:.2g}x ({interval})"
    if self.speed > 1:
      return f"plays about {self.speed:.2g}x fast ({interval})"
    return (
      f"plays about {1 / self.speed:.2g}x slowed down, "
      f"at {self.speed:.2g}x ({interval})"
    )


def _seconds(value: float | None) -> float | None:
  """Rounded to milliseconds; JSON has no word for infinity."""
  if value is None or not math.isfinite(value):
    return None
  return round(float(value), 3)


def rounded_factor(value: float | None) -> float | None:
  """Rounded to four digits; JSON has no word for infinity."""
  if value is None or not math.isfinite(value):
    return None
  return float(f"{value:.4g}")
