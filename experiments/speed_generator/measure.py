"""Is the speed that was asked for the speed that one sees?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.speed_generator import dataset, movers
from speedflow.generate import generator as inference

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


def foreseen(generator: inference.SpeedGenerator, scenes: int) -> float:
  """How much of the movers' motion the picture alone tells the network.

  One step of the sampler from pure noise gives the motion to be expected.

  Args:
    generator: what to measure.
    scenes: how many; none of them trained on.

  Returns:
    1 - squared error / squared motion: 0 if it says that nothing moves, 1 if
    it foresees all.
  """
  knots = generator.facts.knots
  clips = dataset.held_out(
    [dataset.World("mover", number) for number in range(scenes)],
    dataset.ClipSpec(knots, 0.0, 0.0, ramps=0.0),
    seed=0,
  )
  expected = generator.trajectories(
    clips["image"], clips["log2_step"], range(scenes), steps=1, together=False
  )[:, 1:]
  error = np.square(expected - clips["trajectories"]).sum()
  return float(1 - error / np.square(clips["trajectories"]).sum())


def torn(trajectories: np.ndarray) -> float:
  """How much of a picture its trajectories tear apart.

  Args:
    trajectories: float [..., g, g, 2], in sides of the picture.

  Returns:
    The share of neighbouring points that part by more than the gap between
    them. At the outlines of bodies they must.
  """
  gap = 1 / trajectories.shape[-2]
  parts = [
    np.linalg.norm(np.diff(trajectories, axis=a), axis=-1) for a in (-3, -2)
  ]
  return float(np.mean([(part > gap).mean() for part in parts]))


def energy_score(said: np.ndarray, true: np.ndarray) -> float:
  """How well samples foretell what is true, the less the better.

  Args:
    said: float [m, n, f], m samples of each of n things.
    true: float [n, f].

  Returns:
    The mean over things of the root-mean-square gap between samples and truth,
    less half of the gap among different samples.
  """

  def gap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(one - other).mean(-1))

  count = len(said)
  among = sum(gap(said, one).sum(0) for one in said) / (count * (count - 1))
  return float((gap(said, true).mean(0) - among / 2).mean())


def movers_obey(
  generator: inference.SpeedGenerator,
  *,
  scenes: int,
  speeds: Sequence[float],
  steps: int,
  guidance: float = 1.0,
  exposure: float = 0.5,
  together: bool = True,
) -> Obedience:
  """Generates held-out mover scenes and reads their true speed off.

  Args:
    generator: what to measure.
    scenes: how many; the same ones at every call.
    speeds: to ask for at each scene.
    steps: of the sampler.
    guidance: of the speed.
    exposure: open-shutter time / frame interval.
    together: whether points of one body are brought into line.
  """
  filmed = [dataset.World("mover", number).scene() for number in range(scenes)]
  images = np.stack([scene.frame(0.0) for scene in filmed])
  wanted = np.tile(np.asarray(speeds, float), scenes)
  clips = generator.generate_batch(
    images.repeat(len(speeds), 0),
    np.tile(np.log2(wanted)[:, None], (1, FRAMES)),
    guidance=guidance,
    exposure=exposure,
    together=together,
    steps=steps,
    # One noise for all speeds of a scene.
    seeds=np.arange(scenes).repeat(len(speeds)).tolist(),
  )
  measured = [
    movers.measured_log2_speed(filmed[number // len(speeds)], clip, FPS)
    for number, clip in enumerate(clips)
  ]
  return compare(np.log2(wanted), np.array(measured))
