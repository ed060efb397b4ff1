"""What a clock says of the speed: a few exact speeds, one of which is true.

A clock is exact up to its ambiguities: mains are of 50 or 60 Hz, a lamp that
is filmed too seldom has aliases. So it gives modes, each with its share of
belief, and a share that the clock is no clock at all.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np

Name = Literal["hum", "flicker", "cadence"]

LOWEST, HIGHEST = -6.0, 4.0
"""Log2 speeds within which a clock that is wrong may read anything."""


@dataclasses.dataclass(frozen=True)
class Mode:
  """One speed that a clock can mean.

  Attributes:
    speed: playback speed factor.
    spread: standard deviation of its log2, octaves.
    share: of belief among the modes of the reading.
    words: what it would mean, such as "50 Hz mains at 0.25x".
  """

  speed: float
  spread: float
  share: float
  words: str


@dataclasses.dataclass(frozen=True)
class Reading:
  """What one clock says.

  Attributes:
    clock: which one.
    modality: where it is found; hum is evidence about the sound alone.
    modes: the likeliest first; their shares sum to 1.
    wrong: probability that none of the modes is true, where it speaks.
    words: what was found, such as "lines at multiples of 100.02 Hz".
    jumps_s: times at which the clock jumps: something was cut out or put in.
  """

  clock: Name
  modality: Literal["picture", "sound"]
  modes: tuple[Mode, ...]
  wrong: float
  words: str
  jumps_s: tuple[float, ...] = ()

  def log_likelihood(self, log2_speeds: np.ndarray) -> np.ndarray:
    """Log likelihood at each point of an even grid.

    Args:
      log2_speeds: float [n], ascending in even steps.

    Returns:
      float64 [n], up to a constant. A mode narrower than a step is as wide as
      half of one, so that none falls between two points.
    """
    grid = np.asarray(log2_speeds, np.float64)
    step = float(grid[1] - grid[0])
    density = np.full(len(grid), self.wrong / (HIGHEST - LOWEST))
    for mode in self.modes:
      width = max(mode.spread, step / 2)
      offset = (grid - math.log2(mode.speed)) / width
      scale = width * math.sqrt(2 * math.pi)
      density += (
        (1 - self.wrong) * mode.share * np.exp(-0.5 * offset**2) / scale
      )
    return np.log(density)

  def in_words(self) -> str:
    """The line of evidence."""
    told = " or ".join(mode.words for mode in self.modes[:2])
    more = len(self.modes) - 2
    rest = f" or {more} other{'s' if more > 1 else ''}" if more > 0 else ""
    jumps = ""
    if self.jumps_s:
      times = ", ".join(f"{time:.1f}" for time in self.jumps_s)
      jumps = f"; it jumps at {times} s"
    return f"{self.words}: {told}{rest}{jumps}"

  def to_json(self) -> dict[str, Any]:
    """All of it as JSON-ready values."""
    return {
      "clock": self.clock,
      "modality": self.modality,
      "wrong": float(f"{self.wrong:.3g}"),
      "modes": [
        {
          "speed": float(f"{mode.speed:.5g}"),
          "spread": float(f"{mode.spread:.3g}"),
          "share": float(f"{mode.share:.4g}"),
          "words": mode.words,
        }
        for mode in self.modes
      ],
      "jumps_s": [round(time, 3) for time in self.jumps_s],
      "words": self.in_words(),
    }


def modes_of(
  found: list[tuple[float, float, float, str]], most: int = 12
) -> tuple[Mode, ...]:
  """Modes of (speed, spread, weight, words), merged, sorted and normalised.

  Args:
    found: at least one, weights positive. Speeds within a spread are one
      mode, told by the heavier's words.
    most: modes that are kept.
  """
  kept: list[list[Any]] = []
  for speed, spread, weight, words in sorted(found, key=lambda m: -m[2]):
    for other in kept:
      if abs(math.log2(speed / other[0])) < max(spread, other[1]):
        other[2] += weight
        break
    else:
      kept.append([speed, spread, weight, words])
  kept = sorted(kept, key=lambda m: -m[2])[:most]
  total = sum(m[2] for m in kept)
  return tuple(Mode(s, d, w / total, words) for s, d, w, words in kept)
