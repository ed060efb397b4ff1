"""Scenes in which one picture tells how fast things go, for measuring.

Of a ball in the air nobody can tell the speed from one picture, so a
generator may choose it. In a mover scene nothing is left to choose: a body
starts near the border of a still view and crosses it through the middle, and
all bodies go alike. So the speed of a generated clip can be read off its
frames and compared with the truth.
"""

import dataclasses
import math

import cv2
import numpy as np

from speedflow.data import procedural_cast, tracks
from speedflow.data.procedural import ProceduralScene
from speedflow.timewarp import labels, mechanics

CROSSING_SPEED = 0.47
"""Of every mover, heights of the view per second."""

SECONDS = 3.0
"""How long a scene lasts; 16 knots at 4x and 30 per second take 2.1 s."""

# Seconds; about a pixel of way apart at 64 pixels.
_MOMENTS = np.linspace(-0.2, 2.2, 73)
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
  view = procedural_cast.View(rng, size, size, float(size), (), SECONDS)
  angle = rng.uniform(0, 2 * math.pi)
  way = np.array([math.cos(angle), math.sin(angle)])
  across = np.array([-way[1], way[0]])
  start = -rng.uniform(0.25, 0.4) * way + rng.uniform(-0.12, 0.12) * across
  velocity = CROSSING_SPEED * way
  wide, high = rng.uniform(0.18, 0.36, 2).tolist()
  return ProceduralScene(
    height=size,
    width=size,
    seconds=SECONDS,
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


def film(
  scene: ProceduralScene, log2_step: np.ndarray, exposure: float
) -> np.ndarray:
  """Takes a clip of a scene, from its start; the first frame is sharp.

  Args:
    scene: what to film.
    log2_step: float [t], from each frame to the next.
    exposure: open-shutter time / frame interval.

  Returns:
    uint8 [t, h, w, 3].
  """
  steps = np.exp2(log2_step) / labels.REFERENCE_FPS
  times = np.cumsum(steps) - steps
  open_s = exposure * steps
  open_s[0] = 0.0
  return np.stack(
    [scene.frame(*shutter) for shutter in zip(times, open_s, strict=True)]
  )


def trajectories(
  scene: ProceduralScene, start_s: float, times_s: np.ndarray
) -> np.ndarray:
  """Where the points of a picture of any scene really go.

  Args:
    scene: rigid bodies before a moving camera.
    start_s: time of the picture.
    times_s: [t], of the scene.

  Returns:
    float32 [t, g, g, 2], displacement in sides of the picture, of the points
    of `tracks.grid_points`; hidden or out of the picture, they go on.
  """
  size = scene.height
  points = tracks.grid_points() * size - 0.5
  eye = scene.camera.pose(start_s)
  pan = np.array(
    [(p.x - eye.x, p.y - eye.y) for p in map(scene.camera.pose, times_s)]
  )
  gone = np.empty((len(times_s), *points.shape))
  gone[:] = -pan[:, None, None] * scene.pixels_per_metre
  at, then = scene.truth(start_s), [scene.truth(time) for time in times_s]
  for number, body in enumerate(scene.bodies):
    # In the body's own frame, as the sprite is stored.
    place = _turn(points - at.positions[number], -at.angles[number])
    rows, columns = body.sprite.shape[:2]
    middle = np.array([columns - 1, rows - 1]) / 2
    on_sprite = (place + middle).astype(np.float32)
    x, y = np.moveaxis(on_sprite, -1, 0)
    cover = cv2.remap(body.sprite[..., 3], x, y, cv2.INTER_NEAREST)
    on = cover > 0.5
    for moment, truth in enumerate(then):
      to = _turn(place, truth.angles[number]) + truth.positions[number]
      gone[moment][on] = (to - points)[on]
  return (gone / size).astype(np.float32)


def _turn(points: np.ndarray, angle: float) -> np.ndarray:
  cos, sin = math.cos(angle), math.sin(angle)
  return points @ np.array([[cos, sin], [-sin, cos]])


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
