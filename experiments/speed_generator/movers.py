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
# Seconds; about half a pixel of way apart at 32 pixels.
_MOMENTS = np.linspace(-0.2, 2.0, 67)
# Below this speed a body stands still.
_SLOWEST = 1 / 64


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


def world_times(scene: ProceduralScene, frames: np.ndarray) -> np.ndarray:
  """Which moment of the scene each frame shows.

  Frames are compared with pictures of all moments, so that a blemish
  elsewhere does not count as motion.

  Args:
    scene: of `sample_mover`.
    frames: uint8 [t, h, w, 3], filmed or generated.

  Returns:
    float64 [t], seconds of the world.
  """
  film = np.stack([scene.frame(time_s) for time_s in _MOMENTS])
  difference = frames[:, None].astype(np.float32) - film
  error = np.square(difference).mean((2, 3, 4))  # [t, moments]
  best = np.clip(error.argmin(1), 1, len(_MOMENTS) - 2)
  before, at, after = (
    error[np.arange(len(frames)), best + shift] for shift in (-1, 0, 1)
  )
  # The bottom of the parabola through the three best.
  curvature = np.maximum(before - 2 * at + after, 1e-9)
  shift = np.clip((before - after) / (2 * curvature), -1, 1)
  return _MOMENTS[best] + shift * (_MOMENTS[1] - _MOMENTS[0])


def measured_log2_speed(
  scene: ProceduralScene, frames: np.ndarray, fps: float
) -> float:
  """log2 of the speed at which a clip plays, read off its frames.

  Args:
    scene: of `sample_mover`, which the clip shows.
    frames: uint8 [t, h, w, 3].
    fps: frames per second of playback.

  Returns:
    log2 of the world's seconds per second of playback, least squares; nan if
    the body stands still or goes backwards.
  """
  times = world_times(scene, frames)
  speed = np.polyfit(np.arange(len(times)), times, 1)[0] * fps
  return float(np.log2(speed)) if speed > _SLOWEST else float("nan")
