"""What may be asked for of a slowed video, and of all whose frames are made."""

import abc
import dataclasses
from fractions import Fraction
from typing import Literal

from speedflow.errors import SpeedflowError

MOST_FACTOR = 64
"""Largest number of output frames for each input frame."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(abc.ABC):
  """What is asked for of every video whose frames are made.

  Attributes:
    exposure: open-shutter time / frame interval of the input, 0 (sharp) to 1;
      "auto": judged from the picture, shot by shot.
    crf: quality of the picture, 0 (lossless) to 51 (worst).
    mark: whether to write on every frame that was not observed what it is.
    weights: shipped weights, a .safetensors file of exported ones, or a folder
      of Wan as the library diffusers keeps it.
    resume: whether to go on from the pieces of a run that was killed.
    overwrite: whether to replace files that speedflow did not make.
  """

  exposure: float | Literal["auto"] = "auto"
  crf: int = 14
  mark: bool = False
  weights: str = "tiny"
  resume: bool = False
  overwrite: bool = False

  @property
  @abc.abstractmethod
  def sound(self) -> str:
    """What is done with the sound; "drop": there is none."""

  def check(self) -> None:
    """Raises SpeedflowError if these settings do not go together."""
    if self.exposure != "auto" and not 0 <= self.exposure <= 1:
      raise SpeedflowError(
        f"--exposure is {self.exposure}; wanted auto, or 0 to 1"
      )
    if not 0 <= self.crf <= 51:
      raise SpeedflowError(f"--crf is {self.crf}; wanted 0 (lossless) to 51")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Settings):
  """How a video is slowed; see `Settings` for the others.

  Attributes:
    factor: frames for each input frame, 2 to `MOST_FACTOR`; 2 if neither this
      nor `fps` is given.
    fps: frames per second (of the scene) instead.
    slow: play at the input's rate, so much slower, instead of at a higher
      rate for as long as the input.
    audio: "keep" as it is; "stretch" to the new length, at its old pitch; or
      "drop". By default it is kept, or stretched if `slow`.
  """

  factor: int | None = None
  fps: Fraction | float | None = None
  slow: bool = False
  audio: Literal["keep", "stretch", "drop"] | None = None

  @property
  def sound(self) -> str:
    """What is done with the sound."""
    return self.audio or ("stretch" if self.slow else "keep")

  def check(self) -> None:
    """Raises SpeedflowError if these settings do not go together."""
    factor, fps = self.factor, self.fps
    if factor is not None and fps is not None:
      raise SpeedflowError("give --factor or --fps, not both")
    if factor is not None and not 2 <= factor <= MOST_FACTOR:
      raise SpeedflowError(f"--factor is {factor}; wanted 2 to {MOST_FACTOR}")
    if fps is not None and not 0 < fps < float("inf"):
      raise SpeedflowError(f"--fps is {fps}; wanted frames per second above 0")
    if self.audio not in (None, "keep", "stretch", "drop"):
      raise SpeedflowError(
        f"--audio is {self.audio}; wanted keep, stretch or drop"
      )
    super().check()
