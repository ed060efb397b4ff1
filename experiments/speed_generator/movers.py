"""Scenes in which one picture tells how fast things go, for measuring.

Of a ball in the air nobody can tell the speed from one picture, so a
generator may choose it. In a mover scene nothing is left to choose: a body
starts near the border of a still view and crosses it through the middle, and
all bodies go alike. So the speed of a generated clip can be read off its
frames and compared with the truth.
"""

import dataclasses
import math

import numpy as np

from speedflow.data import procedural_cast
from speedflow.data.procedural import ProceduralScene
from speedflow.timewarp import mechanics

CROSSING_SPEED = 0.47
"""Of every mover, heights of the view per second."""

# Seconds; at 4x and 30 frames per second, 12 frames last 1.5 s.
_SECONDS = 3.0
# Of what is left of grey levels when the background is taken away, parts
# below this share of the strongest are noise.
_FLOOR = 0.25


@dataclasses.dataclass(frozen=True)
class Crossing(mechanics.Motion):
  """A straight line at constant speed.

  Attributes:
    x: at time 0, m.
    y: at time 0, m.
    vx: m/s.
    vy: m/s.
  """

  x: float
  y: float
  vx: float
  vy: float

  def pose(self, time_s: float) -> mechanics.Pose:
    """See `Motion`."""
    x, y = self.x + self.vx * time_s, self.y + self.vy * time_s
    return mechanics.Pose(x, y, 0.0, self.vx, self.vy, 0.0)


def sample_mover(rng: np.random.Generator, size: int) -> ProceduralScene:
  """Draws a scene; its view is one metre high.

  Args:
    rng: source of randomness.
    size: height and width of the picture, pixels.
  """
  view = procedural_cast.View(rng, size, size, float(size), (), _SECONDS)
  angle = rng.uniform(0, 2 * math.pi)
  way = np.array([math.cos(angle), math.sin(angle)])
  across = np.array([-way[1], way[0]])
  start = -rng.uniform(0.25, 0.4) * way + rng.uniform(-0.12, 0.12) * across
  velocity = CROSSING_SPEED * way
  wide, high = rng.uniform(0.18, 0.36, 2).tolist()
  return ProceduralScene(
    height=size,
    width=size,
    seconds=_SECONDS,
    pixels_per_metre=float(size),
    background=view.backdrop(),
    bodies=(
      procedural_cast.Body(
        view.sprite(wide, high, bool(rng.integers(2))),
        Crossing(*start.tolist(), *velocity.tolist()),
      ),
    ),
    camera=mechanics.Pacing(),
  )


def progress(scene: ProceduralScene, frames: np.ndarray) -> np.ndarray:
  """How far the body has come in each frame, along its way.

  Args:
    scene: of `sample_mover`.
    frames: uint8 [t, h, w, 3], filmed or generated.

  Returns:
    float64 [t], pixels from the middle of the picture; nan where nothing is
    to be seen.
  """
  empty = dataclasses.replace(scene, bodies=()).frame(0.0)
  change = np.abs(frames.astype(np.float64) - empty).sum(-1)
  peak = change.max((1, 2), keepdims=True)
  weight = np.maximum(change - _FLOOR * peak, 0.0)
  motion = scene.bodies[0].motion.pose(0.0)
  way = np.array([motion.vx, motion.vy]) / math.hypot(motion.vx, motion.vy)
  rows, columns = np.indices(frames.shape[1:3])
  along = (columns - (scene.width - 1) / 2) * way[0]
  along = along + (rows - (scene.height - 1) / 2) * way[1]
  total = weight.sum((1, 2))
  place = (weight * along).sum((1, 2)) / np.where(total > 0, total, np.nan)
  return place


def measured_log2_speed(
  scene: ProceduralScene, frames: np.ndarray, fps: float
) -> float:
  """log2 of the speed at which a clip plays, read off its frames.

  Args:
    scene: of `sample_mover`, which the clip shows.
    frames: uint8 [t, h, w, 3].
    fps: frames per second of playback.

  Returns:
    log2 of the mean velocity over `CROSSING_SPEED`; nan if the body stands
    still, goes backwards or cannot be seen.
  """
  place = progress(scene, frames)
  seen = np.isfinite(place)
  if seen.sum() < 2:
    return float("nan")
  slope = np.polyfit(np.flatnonzero(seen), place[seen], 1)[0]
  speed = slope * fps / scene.height / CROSSING_SPEED
  return float(np.log2(speed)) if speed > 0 else float("nan")
