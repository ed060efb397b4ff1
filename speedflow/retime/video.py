"""From a video to one that plays at the speed that is set."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.estimate import estimator, witness
from speedflow.estimate.answer import Estimate, Segment
from speedflow.retime import sound
from speedflow.retime.curve import SpeedCurve
from speedflow.retime.options import FASTEST, SLOWEST, Options
from speedflow.retime.time_map import TimeMap
from speedflow.superres import production
from speedflow.superres.survey import Survey
from speedflow.timewarp import curve_file

# Share of the work that looking at the speed is.
_LOOK_SHARE = 0.15
# Sound that goes on for so long after the picture is missed: encoders fill
# their last block with less.
_LONG_S = 0.1


@dataclasses.dataclass(frozen=True)
class Output:
  """What was written.

  Attributes:
    path: the video.
    provenance: the JSON file beside it.
    fps: frames per second of playback.
    duration_s: how long it lasts, seconds.
    counts: number of frames of each kind.
    damage: what of the input could not be read; None if all could.
    left_out: what else was in the input, and is not in the output, in words.
    undone: what was found of the input's speed, where that was to be undone.
  """

  path: str
  provenance: str
  fps: Fraction
  duration_s: float
  counts: dict[str, int]
  damage: str | None
  left_out: tuple[str, ...]
  undone: Estimate | None = None


def retime(
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
  options: Options,
  on_progress: Callable[[float], None] = lambda done: None,
) -> Output:
  """Makes a video that plays at the wanted speed; see `production.produce`.

  Where it is slower, frames are made; where it is faster, what passes while the
  shutter is open is averaged in linear light. Sound follows.

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv.
    options: which speed, and how.
    on_progress: called now and then with the share that is done, 0..1.

  Returns:
    What was written.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written,
      these settings do not go together, or the speed that is to be undone
      cannot be told.
  """
  options.check()
  undone = None
  share = _LOOK_SHARE if options.real_time else 0.0
  if options.real_time:
    undone = witness.estimate(
      estimator.load_estimator(),
      os.fspath(path_in),
      on_progress=lambda done: on_progress(share * done),
    )

  def timing(found: Survey) -> TimeMap:
    return TimeMap.of(found, _curve(found, options, undone), options)

  track: sound.Retimed | None = None

  def heard(timing: TimeMap) -> Iterator[media.Audio] | None:
    nonlocal track
    track = sound.retimed(
      path_in,
      timing.curve,
      options.audio,
      timing.origin,
      timing.start,
      timing.end,
    )
    return None if track is None else iter(track)

  made = production.produce(
    production.Order(
      "retime",
      path_in,
      path_out,
      options,
      timing=timing,
      sound=heard,
      facts=_facts,
      inputs=() if options.curve is None else (options.curve,),
    ),
    lambda done: on_progress(share + (1 - share) * done),
  )
  times: TimeMap = made.timing
  return Output(
    path=os.fspath(path_out),
    provenance=made.provenance,
    fps=times.rate,
    duration_s=float(times.end - times.start),
    counts=made.counts,
    damage=made.found.damage,
    left_out=(*made.found.info.others, *_unheard(track)),
    undone=undone,
  )


def _unheard(track: sound.Retimed | None) -> list[str]:
  """What of the sound goes on after the picture, if it is to be noticed."""
  if track is None or track.beyond_s < _LONG_S:
    return []
  return [f"{track.beyond_s:.2g} s of sound after the last frame"]


def _curve(
  found: Survey, options: Options, undone: Estimate | None
) -> SpeedCurve:
  """The speed over the input's time."""
  length = float(found.end - found.times[0])
  if options.speed is not None:
    return SpeedCurve.constant(options.speed)
  if options.duration is not None:
    return _allowed(
      SpeedCurve.constant(length / options.duration),
      f"--duration {options.duration:g} of {length:.4g} s",
    )
  if options.curve is not None:
    times, speeds = curve_file.read(options.curve)
    return _allowed(SpeedCurve(times, speeds), os.fspath(options.curve))
  assert undone is not None
  return _allowed(
    _undoing(found.info.path, undone), f"{found.info.path}: to undo its speed"
  )


def _undoing(name: str, found: Estimate) -> SpeedCurve:
  """The speeds at which a video plays as the world went.

  Spans of their own speed only where these cannot be one: what decides for
  the whole video, as a clock does, is surer than what is seen of a part.
  """
  low, high = found.speed_low, found.speed_high
  if found.status != "ok" or not (found.speed and low and high):
    raise SpeedflowError(
      f"{name}: its speed cannot be told ({found.in_words()}); give --speed"
    )
  parts = [Segment(0.0, math.inf, found.speed, low, high)]
  if found.changes and found.clock is None:
    parts = list(found.segments)
  if all(part.speed_low <= 1 <= part.speed_high for part in parts):
    raise SpeedflowError(
      f"{name}: plays in real time, as far as can be told "
      f"({found.in_words()}); give --speed to change that"
    )
  return SpeedCurve.steps(
    np.array([part.end_s for part in parts]),
    1 / np.array([part.speed for part in parts]),
  )


def _allowed(curve: SpeedCurve, what: str) -> SpeedCurve:
  low, high = curve.speeds.min(), curve.speeds.max()
  if low < SLOWEST or high > FASTEST:
    raise SpeedflowError(
      f"{what} wants speeds of {low:.3g} to {high:.3g}; wanted {SLOWEST:g} to"
      f" {FASTEST:g}"
    )
  return curve


def _facts(timing: TimeMap) -> dict[str, Any]:
  """What is noted of the times, for the JSON."""
  length = float(timing.end - timing.start)
  taken = float(timing.curve.input_s(np.array(length)))
  return {
    "factor": str(Fraction(1)),
    "slowdown": str(Fraction(length / taken).limit_denominator(1000)),
    "end": str(timing.end),
    "speed": {
      "time_s": [round(float(time), 6) for time in timing.curve.times_s],
      "speed": [float(f"{speed:.6g}") for speed in timing.curve.speeds],
    },
    "shutter": timing.open * 360,
  }
