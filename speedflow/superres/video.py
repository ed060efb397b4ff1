"""From a video to one with more frames a second, sharp if it was blurred."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from speedflow import media
from speedflow.superres import production, slow_audio
from speedflow.superres.clock import Clock
from speedflow.superres.options import Options


@dataclasses.dataclass(frozen=True)
class Output:
  """What was written.

  Attributes:
    path: the video.
    provenance: the JSON file beside it.
    fps: frames per second of playback; an average if the rate varies.
    factor: how many times as many frames there are.
    slowdown: how many times slower it plays.
    exposure: open-shutter time / frame interval that was assumed of each
      shot; None: blurred by an unknown amount.
    counts: number of frames of each kind.
    damage: what of the input could not be read; None if all could.
    left_out: what else was in the input, and is not in the output, in words.
  """

  path: str
  provenance: str
  fps: Fraction
  factor: Fraction
  slowdown: Fraction
  exposure: list[float]
  counts: dict[str, int]
  damage: str | None
  left_out: tuple[str, ...]


def superres(
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
  options: Options,
  on_progress: Callable[[float], None] = lambda done: None,
) -> Output:
  """Makes a video of more frames a second, or one that plays slower.

  Time begins with the first picture or sound. See `production.produce`.

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv.
    options: how it is slowed.
    on_progress: called now and then with the share that is done, 0..1.

  Returns:
    What was written.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written, or
      these settings do not go together.
  """
  options.check()

  def sound(clock: Clock) -> Iterator[media.Audio] | None:
    return slow_audio.sound(
      path_in, options.sound, clock.origin, clock.start, clock.slowdown
    )

  made = production.produce(
    production.Order(
      "superres",
      path_in,
      path_out,
      options,
      timing=lambda found: Clock.of(found, options),
      sound=sound,
      facts=_facts,
    ),
    on_progress,
  )
  clock: Clock = made.timing
  return Output(
    path=os.fspath(path_out),
    provenance=made.provenance,
    fps=clock.rate,
    factor=clock.factor,
    slowdown=clock.slowdown,
    exposure=made.found.exposure,
    counts=made.counts,
    damage=made.found.damage,
    left_out=made.found.info.others,
  )


def _facts(clock: Clock) -> dict[str, Any]:
  """What is noted of the clock, for the JSON."""
  return {
    "factor": str(clock.factor),
    "slowdown": str(clock.slowdown),
    "end": str(clock.end),
  }
