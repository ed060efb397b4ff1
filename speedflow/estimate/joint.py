"""The picture's answer multiplied by what the clocks of the scene say.

Clocks are exact but ambiguous, and the picture is vague but whole: it tells
which of a clock's modes is meant. Curve and segments stay the picture's, for a
clock is read over all of a shot.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence

import numpy as np

from speedflow.clocks import reading as clock_lib
from speedflow.clocks import usual, witnesses
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import belief
from speedflow.estimate import estimator as estimator_lib
from speedflow.evaluation.speed import Z80

DECIDES = 0.7
"""Probability from which on a mode of a clock is the answer."""

# That what is heard is not about the picture.
_SOUND_APART = 0.15
# Octaves by which the picture's reading is off at least, where the truth is
# slower and where it is faster: slow motion is read as too fast, by far.
_OFF_SLOWER, _OFF_FASTER = 1.2, 0.5
# The picture is to tell rather than what is usual: that counts by its root.
_FACTORS = {factor: weight**0.5 for factor, weight in usual.FACTORS.items()}
# Octaves: clocks are no better than what is known of mains and cameras.
_EXACT = 0.006
# Relative: how near to a usual factor counts as it; weight of any other.
_NEAR, _ANY_FACTOR = 0.01, 0.02


def estimate(
  estimator: estimator_lib.SpeedEstimator,
  path: str | os.PathLike[str],
  on_progress: Callable[[float], None] | None = None,
) -> estimate_lib.Estimate:
  """The speed of a file by its picture and its clocks.

  Args:
    estimator: of the picture's speed.
    path: a video file.
    on_progress: called now and then with the share that is done, 0..1.

  Raises:
    SpeedflowError: the picture cannot be read.
  """
  video = witnesses.WatchedPicture(path)
  found = estimator.estimate(video, on_progress=on_progress)
  return weigh(found, (*video.clocks.readings(), *witnesses.of_sound(path)))


def weigh(
  found: estimate_lib.Estimate, readings: Sequence[clock_lib.Reading]
) -> estimate_lib.Estimate:
  """Multiplies the likelihoods of clocks into the answer.

  Args:
    found: the picture's answer.
    readings: of the clocks that speak.

  Returns:
    The answer, with the readings. Where one of a clock's modes becomes likely
    enough it decides: `clock` is that clock, `picture` what the picture says.
  """
  if found.status == "error" or not readings:
    return found
  found = dataclasses.replace(found, clocks=tuple(readings))
  exact = [r for r in readings if r.clock != "cadence"]
  if not exact or found.changes:
    return found
  # Flicker is about the picture itself.
  clock = min(exact, key=lambda r: r.modality == "sound")
  middle, spread = 0.0, 10.0
  if found.speed_low and found.speed_high and found.speed:
    middle = math.log2(found.speed)
    spread = math.log2(found.speed_high / found.speed_low) / (2 * Z80)
  at = np.array([math.log2(mode.speed) for mode in clock.modes])
  log_odds = np.log(
    [
      mode.share * usual.prior(mode.speed, _FACTORS, _NEAR, _ANY_FACTOR)
      for mode in clock.modes
    ]
  )
  off = np.where(at < middle, _OFF_SLOWER, _OFF_FASTER)
  log_odds += -0.5 * ((at - middle) / np.maximum(spread, off)) ** 2
  for other in readings:
    if other is not clock:
      seen = other.log_likelihood(belief.GRID)
      log_odds += np.interp(at, belief.GRID, seen)
      log_odds -= np.log(np.mean(np.exp(seen)))
  wrong = clock.wrong
  if clock.modality == "sound":
    wrong += _SOUND_APART
  # By a clock that is none, any speed of the range was as likely.
  span = clock_lib.HIGHEST - clock_lib.LOWEST
  none = math.log(wrong / (1 - wrong) / span * _ANY_FACTOR)
  total = float(np.logaddexp.reduce([*log_odds, none]))
  best = int(log_odds.argmax())
  if math.exp(log_odds[best] - total) < DECIDES:
    return found
  mode = clock.modes[best]
  half = Z80 * max(mode.spread, _EXACT)
  return dataclasses.replace(
    found,
    status="ok",
    reason=None,
    speed=mode.speed,
    speed_low=mode.speed * 2.0**-half,
    speed_high=mode.speed * 2.0**half,
    clock=clock.clock,
    picture=found,
  )
