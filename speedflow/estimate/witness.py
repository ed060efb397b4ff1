"""The file as a witness of its speed, beside the picture.

The picture's answer is made without it. A rate of filming that a camera wrote,
in a file that nobody seems to have touched, is exact where the picture is not,
so it decides, unless the picture contradicts it grossly: then one of the two is
wrong, and the answer says so.
"""

import dataclasses
import math
import os
from collections.abc import Callable

import numpy as np

from speedflow import declared as declared_lib
from speedflow.declared import Declaration
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import joint

GROSS = 2.0
"""Octaves beyond the picture's interval; slow motion below 1/2 is read as two
to four times too fast."""

EXACT = 0.01
"""How far a declared speed may be off: rates are rounded to 239.76 or 240."""


def estimate(
  estimator: estimator_lib.SpeedEstimator,
  path: str | os.PathLike[str],
  ignore_metadata: bool = False,
  on_progress: Callable[[float], None] | None = None,
) -> estimate_lib.Estimate:
  """The speed of a file by its picture, its clocks, and what it declares.

  Args:
    estimator: of the picture's speed.
    path: a video file.
    ignore_metadata: whether not to ask what it declares.
    on_progress: called now and then with the share that is done, 0..1.

  Raises:
    SpeedflowError: the picture cannot be read.
  """
  found = joint.estimate(estimator, path, on_progress)
  return weigh(found, declared_lib.ask(path, ignore_metadata, found.info))


def weigh(
  found: estimate_lib.Estimate, declared: Declaration | None
) -> estimate_lib.Estimate:
  """Adds what a file declares to what its picture says.

  Args:
    found: the picture's answer.
    declared: of the same file; None where it is not to be asked.

  Returns:
    The answer. Where the declared speed decides it, `picture` is what the
    picture says.
  """
  if declared is None or not declared.says_anything or found.status == "error":
    return found
  found = dataclasses.replace(found, declared=declared)
  speed = declared.speed
  if speed is None:
    return found
  told = found.status == "ok" and found.speed is not None
  if told and contradicts(speed, found.speed_low, found.speed_high):
    return dataclasses.replace(found, warning=_warning(found, declared))
  if not declared.decides or found.duration_s is None:
    return found
  low, high = speed / (1 + EXACT), speed * (1 + EXACT)
  segment = estimate_lib.Segment(0.0, found.duration_s, speed, low, high)
  ends = np.array([0.0, found.duration_s])
  return dataclasses.replace(
    found,
    status="ok",
    reason=None,
    speed=speed,
    speed_low=low,
    speed_high=high,
    segments=(segment,),
    curve=estimate_lib.SpeedCurve(
      ends, *(np.full(2, value) for value in (speed, low, high))
    ),
    picture=found.picture or found,
    clock=None,
  )


def contradicts(speed: float, low: float | None, high: float | None) -> bool:
  """Whether a speed lies grossly outside what the picture says.

  Args:
    speed: the declared speed factor.
    low: lower end of the picture's 80 % interval, or None.
    high: its upper end, or None.
  """
  if not (low and high):
    return False
  outside = max(math.log2(low / speed), math.log2(speed / high))
  return outside > GROSS


def _warning(found: estimate_lib.Estimate, declared: Declaration) -> str:
  return (
    f"the file {declared.in_words()} ({declared.source}), but the picture "
    f"shows {found.speed_low:.2g}-{found.speed_high:.2g}x: one of them is wrong"
  )
