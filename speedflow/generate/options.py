"""What may be asked for of a generated video."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from fractions import Fraction

from speedflow.errors import SpeedflowError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How a picture is set in motion.

  Attributes:
    speeds: one clip each, from the same seed; factors: 0.25 plays four times
      slowed.
    curve: a file for `video.read_curve`, instead of the speeds.
    frames: length of the clips; as trained by default.
    fps: frames per second of playback.
    size: height and width of a clip, pixels; 256 by default. Wan has a size of
      its own, and keeps the shape of the picture.
    seed: the same seed gives the same motion.
    text: what happens in the clip; Wan alone reads it, and wants it.
    against: what should not happen in it.
    text_guidance: 1 follows the text as trained, more exaggerates it.
    guidance: 1 follows the speed as trained, 2 exaggerates it.
    image_guidance: the same for the first frame.
    steps: of the sampler; 30 by default, Wan 50.
    exposure: open-shutter time / frame interval, for motion blur.
    weights: a shipped generator, a file of an exported one, or a folder of Wan
      as the library diffusers keeps it.
    overwrite: whether to replace a file that speedflow did not make.
  """

  speeds: Sequence[float] = (1.0,)
  curve: str | os.PathLike[str] | None = None
  frames: int | None = None
  fps: Fraction = Fraction(30)
  size: int | None = None
  seed: int = 0
  text: str = ""
  against: str = ""
  text_guidance: float = 5.0
  guidance: float = 1.0
  image_guidance: float = 1.0
  steps: int | None = None
  exposure: float = 0.5
  weights: str | pathlib.Path = "tiny"
  overwrite: bool = False

  def check(self) -> None:
    """Raises SpeedflowError if a number is out of range."""
    by_wan = pathlib.Path(self.weights).is_dir()
    for flag, value, usual, wanted in (
      ("--text", self.text, "", True),
      ("--against", self.against, "", True),
      ("--size", self.size, None, False),
      ("--image-guidance", self.image_guidance, 1.0, False),
      ("--exposure", self.exposure, 0.5, False),
    ):
      if value == usual or wanted == by_wan:
        continue
      if wanted:
        raise SpeedflowError(
          f"{flag} is read by Wan alone, and {self.weights} is no folder; name "
          "Wan's as --weights"
        )
      raise SpeedflowError(
        f"{flag} is not read by Wan, which {self.weights} is; leave it out"
      )
    if self.seed < 0:
      raise SpeedflowError(f"the seed is {self.seed}; wanted 0 or more")
    if not 0 < self.fps <= 1000:
      raise SpeedflowError(
        f"--fps is {self.fps}; wanted more than 0, 1000 at most"
      )
