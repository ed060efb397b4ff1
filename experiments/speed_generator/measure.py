"""Is the speed that was asked for the speed that one sees?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.speed_generator import dataset, movers
from speedflow.inference import generator as inference

FPS = 30
# At 4x, the last frame is 2 s after the first, and the body still in view.
FRAMES = 16


class Obedience(NamedTuple):
  """Requested against measured speed.

  Attributes:
    spearman: rank correlation; clips without a measurable speed rank lowest.
    factor_error: typical factor, 2^median|log2 measured - log2 requested|.
    mean_factor_error: 2^mean of the same, over the measurable clips.
    visible: share of clips with a measurable speed.
    slope: octaves measured per octave requested, least squares.
    log2_requested: float64 [n].
    log2_measured: float64 [n], nan where there is nothing to measure.
  """

  spearman: float
  factor_error: float
  mean_factor_error: float
  visible: float
  slope: float
  log2_requested: np.ndarray
  log2_measured: np.ndarray


def compare(requested: np.ndarray, measured: np.ndarray) -> Obedience:
  """Scores log2 speeds, float [n] each; measured may be nan."""
  seen = np.isfinite(measured)
  error = np.where(seen, np.abs(measured - requested), np.inf)
  lowest = np.nanmin(measured, initial=0.0) - 1
  ranked = np.where(seen, measured, lowest)
  moving = bool(np.ptp(ranked))
  return Obedience(
    spearman=float(stats.spearmanr(requested, ranked)[0]) if moving else 0.0,
    # More than half of the clips without a speed: no typical error.
    factor_error=float(2 ** min(np.median(error), 16.0)),
    mean_factor_error=float(2 ** error[seen].mean()) if seen.any() else np.inf,
    visible=float(seen.mean()),
    slope=float(np.polyfit(requested[seen], measured[seen], 1)[0])
    if seen.sum() > 1
    else 0.0,
    log2_requested=requested,
    log2_measured=measured,
  )


def movers_obey(
  generator: inference.SpeedGenerator,
  *,
  scenes: int,
  speeds: Sequence[float],
  steps: int,
  guidance: float = 1.0,
  exposure: float = 0.5,
) -> Obedience:
  """Generates held-out mover scenes and reads their true speed off.

  Args:
    generator: what to measure.
    scenes: how many; the same ones at every call.
    speeds: to ask for at each scene.
    steps: of the sampler.
    guidance: of the speed.
    exposure: open-shutter time / frame interval.
  """
  filmed = [dataset.World("mover", number).scene() for number in range(scenes)]
  images = np.stack([scene.frame(0.0) for scene in filmed])
  wanted = np.tile(np.asarray(speeds, float), scenes)
  clips = generator.generate_batch(
    images.repeat(len(speeds), 0),
    np.tile(np.log2(wanted)[:, None], (1, FRAMES)),
    guidance=guidance,
    exposure=exposure,
    steps=steps,
    # One noise for all speeds of a scene.
    seeds=np.arange(scenes).repeat(len(speeds)).tolist(),
  )
  measured = [
    movers.measured_log2_speed(filmed[number // len(speeds)], clip, FPS)
    for number, clip in enumerate(clips)
  ]
  return compare(np.log2(wanted), np.array(measured))
