"""What the detector answers about one video: where its speed was changed.

Speeds are playback speed factors: 2.0 plays twice as fast as the world, 0.25
four times slowed. Intervals hold the true value with 80 % probability. Times
are seconds on the file's clock, that of its pictures and of its sound.
"""

import dataclasses
import math
from typing import Any, Literal, NamedTuple

import numpy as np

from speedflow import media
from speedflow.clocks.reading import Reading as ClockReading
from speedflow.declared import Declaration
from speedflow.estimate import answer as estimate_lib
from speedflow.evaluation.speed import Z80

Modality = Literal["picture", "sound"]
SoundStatus = Literal["ok", "silent", "missing", "music"]
Verdict = Literal[
  "untouched", "sped_up", "slowed_down", "mixed", "conflict", "uncertain"
]


class Reading(NamedTuple):
  """A speed, or a ratio of speeds, by one modality.

  Attributes:
    middle: the factor.
    low: lower end of its 80 % interval.
    high: upper end of its 80 % interval.
  """

  middle: float
  low: float
  high: float

  @property
  def log2(self) -> float:
    """The factor in octaves."""
    return math.log2(self.middle)

  @property
  def spread(self) -> float:
    """Standard deviation, octaves."""
    return math.log2(self.high / self.low) / (2 * Z80)


@dataclasses.dataclass(frozen=True)
class Stretch:
  """A span between changes that may have been made.

  Attributes:
    start_s: its start.
    end_s: its end.
    speeds: its speed by each modality that shows it.
  """

  start_s: float
  end_s: float
  speeds: dict[Modality, Reading]


@dataclasses.dataclass(frozen=True)
class Change:
  """A time at which the speed changes within a shot.

  Attributes:
    time_s: when.
    probability: that the change is there.
    ratio: speed after / speed before: 2.0 goes on twice as fast.
    ratio_low: lower end of its 80 % interval.
    ratio_high: upper end of its 80 % interval.
    seen_by: the modalities in which it was found.
  """

  time_s: float
  probability: float
  ratio: float
  ratio_low: float
  ratio_high: float
  seen_by: tuple[Modality, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
  """Changes over the frames of the picture.

  Attributes:
    time_s: float64 [n], presentation times of frames.
    probability: float64 [n], that the speed changes there.
  """

  time_s: np.ndarray
  probability: np.ndarray


@dataclasses.dataclass(frozen=True)
class Sound:
  """The sound of the whole file.

  Attributes:
    status: "ok"; "silent"; "missing", also where nothing of it can be
      decoded; "music", whose speed cannot be known.
    speed: the speed factor it plays at, or None where it cannot be known.
    speed_low: lower end of the 80 % interval, or None.
    speed_high: upper end of the 80 % interval, or None.
  """

  status: SoundStatus
  speed: float | None = None
  speed_low: float | None = None
  speed_high: float | None = None

  @property
  def reading(self) -> Reading | None:
    """The speed with its interval; None where it cannot be known."""
    if self.speed is None or self.speed_low is None or self.speed_high is None:
      return None
    return Reading(self.speed, self.speed_low, self.speed_high)


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
  """Where one video's speed was changed, and what was done to it.

  Attributes:
    file: the path as it was given.
    status: "ok", or "error" when the file could not be read.
    error: the one line that says what is wrong with the file, or None.
    changes: in order of time.
    curve: changes over the frames of the picture, or None.
    sound: status and speed of the sound, or None.
    verdict: "conflict" when picture and sound were not changed alike: speed
      changed at the old pitch, or sound replaced or shifted. "uncertain" when
      every verdict is too likely to be wrong.
    why: the evidence in plain words, or None.
    probabilities: of each verdict, by a prior at which none is far ahead.
    stretches: the spans between changes within the picture, in order.
    cuts_s: times of the first frames after cuts.
    clocks: what the clocks in the scene say, of those that speak.
    damage: what of the file could not be read, or None.
    info: what the file is, for who asks it more; None of frames in memory.
    declared: what the file declares of its capture, where it was asked and
      says anything.
    findings: what is declared and cannot be so, or does not come from a
      camera, as sentences. They change no verdict.
  """

  file: str
  status: Literal["ok", "error"]
  error: str | None = None
  changes: tuple[Change, ...] = ()
  curve: Curve | None = None
  sound: Sound | None = None
  verdict: Verdict | None = None
  why: str | None = None
  probabilities: dict[Verdict, float] = dataclasses.field(default_factory=dict)
  stretches: tuple[Stretch, ...] = ()
  cuts_s: tuple[float, ...] = ()
  clocks: tuple[ClockReading, ...] = ()
  damage: str | None = None
  info: media.VideoInfo | None = None
  declared: Declaration | None = None
  findings: tuple[str, ...] = ()

  @classmethod
  def failed(cls, file: str, error: str) -> "Detection":
    """The answer about a file that could not be read."""
    return cls(file=file, status="error", error=error)

  def to_json(self) -> dict[str, Any]:
    """The answer as JSON-ready values; what is not known is None."""
    return {
      "file": self.file,
      "status": self.status,
      "error": self.error,
      "damage": self.damage,
      "changes": [
        {
          "time_s": round(change.time_s, 3),
          "probability": round(change.probability, 4),
          "ratio": estimate_lib.rounded_factor(change.ratio),
          "ratio_low": estimate_lib.rounded_factor(change.ratio_low),
          "ratio_high": estimate_lib.rounded_factor(change.ratio_high),
          "seen_by": list(change.seen_by),
        }
        for change in self.changes
      ],
      "curve": self.curve
      and {
        "time_s": np.round(self.curve.time_s, 3).tolist(),
        "probability": np.round(self.curve.probability, 4).tolist(),
      },
      "sound": self.sound
      and {
        "status": self.sound.status,
        "speed": estimate_lib.rounded_factor(self.sound.speed),
        "speed_low": estimate_lib.rounded_factor(self.sound.speed_low),
        "speed_high": estimate_lib.rounded_factor(self.sound.speed_high),
      },
      "verdict": self.verdict,
      "why": self.why,
      "declared": self.declared.to_json() if self.declared else None,
      "findings": list(self.findings),
      "clocks": [clock.to_json() for clock in self.clocks],
    }
