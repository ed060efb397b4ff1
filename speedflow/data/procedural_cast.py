"""What a procedural scene is made of: textures, balls, carts, walkers."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from speedflow.timewarp import light, mechanics

# Walkers need a view of at least this height, m.
_ROOM_TO_WALK = 1.6


@dataclasses.dataclass(frozen=True, eq=False)
class Body:
  """A picture that moves.

  Attributes:
    sprite: float32 [h, w, 4] of linear light, premultiplied by the coverage
      in the last channel; empty at its border.
    motion: of its centre.
  """

  sprite: np.ndarray
  motion: mechanics.Motion


class View:
  """What the parts of a scene are drawn from, and the room they have.

  World coordinates are metres from the middle of the view.

  Attributes:
    rng: source of randomness.
    scale: pixels per metre.
    seconds: how long the scene lasts.
    half_height: of the view, m.
    half_width: of the view, m.
    floor: y of the floor, m.
  """

  def __init__(
    self,
    rng: np.random.Generator,
    height: int,
    width: int,
    scale: float,
    images: Sequence[np.ndarray],
    seconds: float,
  ):
    self.rng = rng
    self.scale = scale
    self.seconds = seconds
    self.half_height = height / scale / 2
    self.half_width = width / scale / 2
    self.floor = self.half_height * rng.uniform(0.5, 0.95)
    self._images = images
    self._size = height, width

  def texture(self, rows: int, columns: int) -> np.ndarray:
    """Linear light, float32 [rows, columns, 3]."""
    if not len(self._images):
      return light.to_linear(_generated_texture(self.rng, rows, columns))
    image = self._images[int(self.rng.integers(len(self._images)))]
    zoom = min(image.shape[0] / rows, image.shape[1] / columns)
    zoom *= self.rng.uniform(0.3, 1.0)
    cut = max(int(rows * zoom), 1), max(int(columns * zoom), 1)
    top = self.rng.integers(image.shape[0] - cut[0] + 1)
    left = self.rng.integers(image.shape[1] - cut[1] + 1)
    patch = image[top : top + cut[0], left : left + cut[1]]
    method = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
    return cv2.resize(
      light.to_linear(patch), (columns, rows), interpolation=method
    )

  def backdrop(self) -> np.ndarray:
    """A wall and a floor, larger than the view by the camera's sway."""
    height, width = self._size
    rows, columns = round(height * 1.8), round(width * 1.8)
    picture = self.texture(rows, columns)
    floor = round(rows / 2 + self.floor * self.scale)
    if self.rng.uniform() < 0.7 and floor < rows:
      picture[floor:] = self.texture(rows - floor, columns)
    return picture * np.float32(self.rng.uniform(0.4, 1.0))

  def sprite(self, width_m: float, height_m: float, round_: bool) -> np.ndarray:
    """A textured ellipse or box."""
    columns = max(round(width_m * self.scale), 2)
    rows = max(round(height_m * self.scale), 2)
    fine = np.zeros((rows * 4, columns * 4), np.float32)
    if round_:
      middle = columns * 2, rows * 2
      cv2.ellipse(fine, middle, middle, 0, 0, 360, 1.0, cv2.FILLED)
    else:
      fine[:] = 1
    cover = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
    sprite = np.zeros((rows + 2, columns + 2, 4), np.float32)
    sprite[1:-1, 1:-1, :3] = self.texture(rows, columns) * cover[:, :, None]
    sprite[1:-1, 1:-1, 3] = cover
    return sprite


def _generated_texture(
  rng: np.random.Generator, rows: int, columns: int
) -> np.ndarray:
  """uint8 RGB noise of many scales, now and then with stripes."""
  picture = np.zeros((rows, columns, 3), np.float32)
  for level in range(1, 6):
    grid = rng.normal(size=(2**level, 2**level, 3)).astype(np.float32)
    picture += cv2.resize(grid, (columns, rows)) * rng.uniform(0.2, 1) / level
  if rng.uniform() < 0.5:
    direction = rng.uniform(0, np.pi)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    along = np.cos(direction) * x + np.sin(direction) * y
    waves = np.sin(along * (2 * np.pi / rng.uniform(4, 24)))
    picture += waves[:, :, None] * rng.normal(size=3)
  picture = rng.uniform(60, 200, 3) + picture * rng.uniform(25, 60)
  return np.clip(picture, 0, 255).astype(np.uint8)


def _ball(view: View) -> list[Body]:
  radius = view.half_height * view.rng.uniform(0.06, 0.25)
  motion = mechanics.bouncing_ball(
    view.rng,
    view.seconds,
    radius,
    floor=view.floor,
    # Off-screen now and then, so that the ball leaves and comes back.
    wall=view.half_width * view.rng.uniform(0.8, 1.5),
    highest=(view.floor + view.half_height) * view.rng.uniform(0.5, 1.1),
  )
  round_ = bool(view.rng.uniform() < 0.7)
  return [Body(view.sprite(2 * radius, 2 * radius, round_), motion)]


def _pendulum(view: View) -> list[Body]:
  rng = view.rng
  length = view.half_height * rng.uniform(0.5, 1.8)
  pivot = mechanics.Pacing(
    x=view.half_width * rng.uniform(-0.7, 0.7),
    y=view.half_height * rng.uniform(-1.1, -0.4),
  )
  amplitude, phase = rng.uniform(0.15, 0.9), rng.uniform(0, 2 * np.pi)
  motion = mechanics.Swing.free(pivot, length, amplitude, phase)
  thickness = length * rng.uniform(0.05, 0.3)
  return [Body(view.sprite(thickness, length, False), motion)]


def _fan(view: View) -> list[Body]:
  rng = view.rng
  radius = view.half_height * rng.uniform(0.2, 0.6)
  motion = mechanics.Pacing(
    x=view.half_width * rng.uniform(-0.8, 0.8),
    y=view.half_height * rng.uniform(-0.8, 0.8),
    omega=rng.choice([-1, 1]) * 2 * np.pi * np.exp2(rng.uniform(-2, 2)),
  )
  return [Body(view.sprite(2 * radius, radius * 0.6, True), motion)]


def _cart(view: View) -> list[Body]:
  """A cart on two rolling wheels, about as fast as its size suggests."""
  rng = view.rng
  length = view.half_height * rng.uniform(0.5, 1.2)
  radius = length * rng.uniform(0.1, 0.2)
  speed = rng.uniform(0.3, 1.5) * math.sqrt(mechanics.GRAVITY * length)
  cart = mechanics.Pacing(
    x=view.half_width * rng.uniform(-1, 1),
    y=view.floor - 2 * radius - length * 0.15,
    speed=speed,
    reach=view.half_width + length,
  )
  bodies = [Body(view.sprite(length, length * 0.4, False), cart)]
  for offset in (-0.3, 0.3):
    wheel = mechanics.Mounted(
      cart, (offset * length, radius + length * 0.15), roll=1 / radius
    )
    bodies.append(Body(view.sprite(2 * radius, 2 * radius, True), wheel))
  return bodies


def _walker(view: View) -> list[Body]:
  """A person's gait: legs and arms swing as the pace demands.

  A stride is about 1.4 m long at 1.3 m/s for legs of 0.9 m; walks of other
  sizes are alike at the same Froude number, v^2 / (g x leg).
  """
  rng = view.rng
  leg = min(rng.uniform(0.7, 1.0), 0.8 * view.half_height)
  speed = math.sqrt(rng.uniform(0.1, 0.35) * mechanics.GRAVITY * leg)
  # Stride length grows with the root of speed (Alexander, 1989).
  stride = 1.55 * leg * math.sqrt(speed / math.sqrt(0.19 * leg * 9.81))
  omega = 2 * math.pi * speed / stride
  hip = mechanics.Pacing(
    x=view.half_width * rng.uniform(-1, 1),
    y=view.floor - leg,
    speed=speed,
    reach=view.half_width + leg,
  )
  swing = math.asin(min(stride / 4 / leg, 0.9))
  limbs: list[Body] = []

  def limb(pivot, length, thickness, amplitude, phase, up=0.0):
    motion = mechanics.Swing(
      pivot, length, amplitude, omega, phase, offset=(0.0, -up)
    )
    limbs.append(Body(view.sprite(thickness, length, False), motion))
    return motion

  for phase in (0.0, math.pi):
    thigh = limb(hip, leg * 0.52, leg * 0.18, swing, phase)
    limb(thigh, leg * 0.5, leg * 0.14, swing * 1.2, phase - 0.6)
    limb(hip, leg * 0.65, leg * 0.1, swing * 0.8, phase + math.pi, leg * 0.6)
  torso = mechanics.Mounted(hip, (0.0, -leg * 0.35))
  head = mechanics.Mounted(hip, (0.0, -leg * 0.87))
  return [
    *limbs[:3],
    Body(view.sprite(leg * 0.3, leg * 0.75, False), torso),
    Body(view.sprite(leg * 0.25, leg * 0.28, True), head),
    *limbs[3:],
  ]


def sample_bodies(view: View) -> tuple[Body, ...]:
  """Draws one to four things that move, in the order of painting."""
  kinds: list[Callable[[View], list[Body]]] = [_ball, _ball, _pendulum]
  kinds += [_fan, _cart]
  if 2 * view.half_height > _ROOM_TO_WALK:
    kinds += [_walker, _walker]
  drawn = view.rng.choice(len(kinds), size=view.rng.integers(1, 5))
  return tuple(body for kind in drawn for body in kinds[kind](view))
