"""Do generated balls fall as they should, and as fast as was asked for?"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.motion_attribution import families
from speedflow.data import tracks
from speedflow.generate.generator import SpeedGenerator
from speedflow.timewarp import labels, mechanics

SPEEDS = (0.5, 1.0, 2.0)
# Frames per second of playback.
_FPS = labels.REFERENCE_FPS
# What does not fall, or rises, counts as falling with so little of gravity.
_LEAST = 0.01


class Falls(NamedTuple):
  """How balls fell, n scenes and draws at each speed.

  Attributes:
    acceleration: float64 [speeds, n], m/s^2, downwards.
  """

  acceleration: np.ndarray

  @property
  def physical_error(self) -> float:
    """Mean error of the acceleration, relative to that of gravity."""
    error = np.abs(self.acceleration - mechanics.GRAVITY)
    return float(error.mean() / mechanics.GRAVITY)

  @property
  def speed_factor_error(self) -> float:
    """Typical factor by which speed is missed, relative to the clip at 1x.

    A ball that falls with a of the world falls with a * speed^2 on the screen:
    the root of what is measured there, over that at 1x, is the speed.
    """
    fall = np.maximum(self.acceleration, _LEAST * mechanics.GRAVITY)
    at_1x = fall[SPEEDS.index(1.0)]
    others = np.delete(fall, SPEEDS.index(1.0), axis=0)
    return float(2 ** np.abs(np.log2(others / at_1x) / 2).mean())

  @property
  def speed_spearman(self) -> float:
    """Rank correlation of requested and measured speed."""
    fall = np.maximum(self.acceleration, _LEAST * mechanics.GRAVITY)
    requested = np.broadcast_to(np.array(SPEEDS)[:, None], fall.shape)
    measured = requested * np.sqrt(fall / mechanics.GRAVITY)
    return float(stats.spearmanr(requested.ravel(), measured.ravel())[0])


def measure(
  generator: SpeedGenerator,
  seeds: range,
  *,
  draws: int = 4,
  steps: int = 10,
) -> Falls:
  """Generates scenes of the gravity family, and reads their falls off.

  Args:
    generator: what to measure.
    seeds: of the scenes.
    draws: of noise for each scene.
    steps: of the sampler.
  """
  scenes = [families.scene("gravity", seed) for seed in seeds]
  images = np.stack([scene.frame(0.0) for scene in scenes]).repeat(draws, 0)
  noise = list(range(len(images)))
  rows = []
  for speed in SPEEDS:
    log2_step = np.full((len(images), generator.facts.knots), np.log2(speed))
    trajectories = generator.trajectories(images, log2_step, noise, steps=steps)
    times = np.arange(trajectories.shape[1]) * speed / _FPS
    rows.append(
      [
        acceleration(scenes[number // draws], trajectories[number], times)
        for number in range(len(images))
      ]
    )
  return Falls(np.array(rows))


def acceleration(scene, trajectories: np.ndarray, times_s: np.ndarray) -> float:
  """How fast the ball of a scene gains speed, m/s^2 downwards.

  Least squares of a t^2 / 2, until it should reach the ground.

  Args:
    scene: of the gravity family.
    trajectories: float [t, g, g, 2], sides of the picture.
    times_s: [t], of the world.
  """
  (ball,) = scene.bodies
  assert isinstance(ball.motion, families.Bouncing)
  centre = scene.truth(0.0).positions[0] + 0.5
  gap = tracks.grid_points() - centre / scene.height
  on = np.linalg.norm(gap, axis=-1) < 0.8 * families.RADIUS / families.METRES
  falling = times_s < ball.motion.impact_s
  down = trajectories[falling][:, on, 1].mean(1) * families.METRES
  squares = times_s[falling] ** 2
  return float(2 * (down @ squares) / (squares @ squares))
