"""What may be asked for of a retimed video, and what goes together."""

import dataclasses
import math
import os
from fractions import Fraction
from typing import Literal

from speedflow.errors import SpeedflowError
from speedflow.superres.options import Settings

SLOWEST, FASTEST = 1 / 64, 64.0
"""Speeds that may be asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Settings):
  """How a video is retimed: by one of the first four; see `Settings`, too.

  Attributes:
    speed: factor; 0.25 plays four times slower than the input.
    curve: a CSV file, see `curve_file.read`; times are seconds of the input,
      from its first frame.
    duration: seconds that the output lasts.
    real_time: undo the speed that the file declares or its picture and clocks
      show, so that it plays as the world went.
    fps: frames per second of the output; by default, those of the input.
    shutter: degrees for which the shutter of the output is open, 0 to 360, of
      its frame interval; what the input's frames do not hold is averaged.
    audio: "stretch": at its old pitch; "resample": higher where faster; or
      "drop".
  """

  speed: float | None = None
  curve: str | os.PathLike[str] | None = None
  duration: float | None = None
  real_time: bool = False
  fps: Fraction | float | None = None
  shutter: float = 180.0
  audio: Literal["stretch", "resample", "drop"] = "stretch"

  @property
  def sound(self) -> str:
    """What is done with the sound."""
    return self.audio

  def check(self) -> None:
    """Raises SpeedflowError if these settings do not go together."""
    ways = [self.speed, self.curve, self.duration, self.real_time or None]
    if sum(way is not None for way in ways) != 1:
      raise SpeedflowError(
        "give one of --speed, --curve, --duration and --real-time"
      )
    if self.speed is not None and not SLOWEST <= self.speed <= FASTEST:
      raise SpeedflowError(
        f"--speed is {self.speed:g}; wanted {SLOWEST:g} to {FASTEST:g}"
      )
    if self.duration is not None and not 0 < self.duration < math.inf:
      raise SpeedflowError(
        f"--duration is {self.duration:g}; wanted seconds above 0"
      )
    if self.fps is not None and not 1 <= self.fps <= 1000:
      raise SpeedflowError(
        f"--fps is {self.fps}; wanted 1 to 1000 frames per second"
      )
    if not 0 <= self.shutter <= 360:
      raise SpeedflowError(
        f"--shutter is {self.shutter:g}; wanted 0 to 360 degrees"
      )
    if self.audio not in ("stretch", "resample", "drop"):
      raise SpeedflowError(
        f"--audio is {self.audio}; wanted stretch, resample or drop"
      )
    super().check()
