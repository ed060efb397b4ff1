"""Bodies that move by the laws of physics, in closed form at any moment.

World coordinates: metres, x to the right, y DOWN, angles in radians,
counted from the x axis towards the y axis (clockwise as seen). A motion has
`pose(time_s)`, its centre, and `anchor(time_s)`, where others hang from.
"""

import abc
import dataclasses
import math
from typing import NamedTuple

import numpy as np

GRAVITY = 9.81  # m/s^2

# Balls slower than this (m/s) after a bounce have come to rest and roll.
_REST_SPEED = 0.2
_ROLLING_FRICTION = 0.08


class Pose(NamedTuple):
  """Where a body is, and how fast it moves: m, rad, m/s, rad/s."""

  x: float
  y: float
  angle: float
  vx: float
  vy: float
  omega: float


class Motion(abc.ABC):
  """Something that is somewhere at any time."""

  @abc.abstractmethod
  def pose(self, time_s: float) -> Pose:
    """The centre."""

  def anchor(self, time_s: float) -> Pose:
    """The point that others hang from."""
    return self.pose(time_s)


@dataclasses.dataclass(frozen=True)
class Pacing(Motion):
  """Constant speed to and fro between x = -reach and x = reach.

  Attributes:
    y: height of the centre.
    speed: m/s, not negative; 0 stays at `x`.
    x: position at time 0, going right.
    reach: half the distance; beyond the picture, so that the turn is outside.
    omega: rad/s of spin, in the direction of a wheel on the ground.
  """

  x: float = 0.0
  y: float = 0.0
  speed: float = 0.0
  reach: float = 1.0
  omega: float = 0.0

  def pose(self, time_s: float) -> Pose:
    """See `Motion`."""
    if not self.speed:
      return Pose(self.x, self.y, self.omega * time_s, 0.0, 0.0, self.omega)
    place = (self.x + self.reach + self.speed * time_s) % (4 * self.reach)
    forth = place < 2 * self.reach
    x = place - self.reach if forth else 3 * self.reach - place
    sign = 1.0 if forth else -1.0
    # Distance along the path is what a wheel rolls; it unrolls going back.
    angle = self.omega / self.speed * x
    return Pose(x, self.y, angle, sign * self.speed, 0.0, sign * self.omega)


@dataclasses.dataclass(frozen=True)
class Mounted(Motion):
  """Fixed to another body, at an offset; may roll as that one goes along.

  Attributes:
    base: what it is fixed to.
    offset: from the anchor of the base, m.
    roll: radians of spin for each metre of x; 1 / radius for a wheel.
  """

  base: Motion
  offset: tuple[float, float]
  roll: float = 0.0

  def pose(self, time_s: float) -> Pose:
    """See `Motion`."""
    base = self.base.anchor(time_s)
    return Pose(
      base.x + self.offset[0],
      base.y + self.offset[1],
      self.roll * base.x,
      base.vx,
      base.vy,
      self.roll * base.vx,
    )


@dataclasses.dataclass(frozen=True)
class Swing(Motion):
  """A rod that swings harmonically about a pivot on another body.

  Attributes:
    pivot: what it hangs from.
    length: of the rod, m. Its centre is half-way, its anchor the far end.
    amplitude: rad.
    omega: angular frequency of the swing, rad/s.
    phase: rad.
    mean: angle about which it swings, 0 hangs straight down.
    offset: of the pivot from the anchor of what it hangs from, m.
  """

  pivot: Motion
  length: float
  amplitude: float
  omega: float
  phase: float = 0.0
  mean: float = 0.0
  offset: tuple[float, float] = (0.0, 0.0)

  @classmethod
  def free(cls, pivot: Motion, length: float, amplitude: float, phase: float):
    """A uniform rod under gravity (first finite-amplitude correction)."""
    omega = math.sqrt(1.5 * GRAVITY / length) * (1 - amplitude**2 / 16)
    return cls(pivot, length, amplitude, omega, phase)

  def pose(self, time_s: float) -> Pose:
    """See `Motion`."""
    return self._at(time_s, self.length / 2)

  def anchor(self, time_s: float) -> Pose:
    """See `Motion`."""
    return self._at(time_s, self.length)

  def _at(self, time_s: float, distance: float) -> Pose:
    base = self.pivot.anchor(time_s)
    swing = self.omega * time_s + self.phase
    angle = self.mean + self.amplitude * math.sin(swing)
    rate = self.amplitude * self.omega * math.cos(swing)
    across, down = distance * math.sin(angle), distance * math.cos(angle)
    return Pose(
      base.x + self.offset[0] + across,
      base.y + self.offset[1] + down,
      -angle,  # y points down: swinging to the right turns anticlockwise.
      base.vx + rate * down,
      base.vy - rate * across,
      -rate,
    )


@dataclasses.dataclass(frozen=True)
class Flight(Motion):
  """Parabolas between impacts: thrown, bouncing, rolling, kicked again.

  Attributes:
    arcs: float64 [n, 9] of time, x, y, angle, vx, vy, omega, ax, ay: each
      holds from its time to that of the next.
    impacts: float64 [m, 2] of time (s) and speed of impact (m/s).
  """

  arcs: np.ndarray
  impacts: np.ndarray

  def pose(self, time_s: float) -> Pose:
    """See `Motion`."""
    arc = max(int(np.searchsorted(self.arcs[:, 0], time_s, "right")) - 1, 0)
    start, x, y, angle, vx, vy, omega, ax, ay = self.arcs[arc].tolist()
    t = time_s - start
    return Pose(
      x + (vx + ax * t / 2) * t,
      y + (vy + ay * t / 2) * t,
      angle + omega * t,
      vx + ax * t,
      vy + ay * t,
      omega,
    )


def bouncing_ball(
  rng: np.random.Generator,
  seconds: float,
  radius: float,
  floor: float,
  wall: float,
  highest: float,
) -> Flight:
  """A ball that bounces until it rests, and is then kicked up again.

  Args:
    rng: draws the throws, kicks and the ball's restitution.
    seconds: how long.
    radius: m.
    floor: y of the floor.
    wall: elastic walls stand at x = -wall and x = wall.
    highest: m, greatest height of a throw above the floor.
  """
  ground = floor - radius
  restitution = rng.uniform(0.5, 0.9)

  def throw(height: float) -> tuple[float, float, float]:
    up = -math.sqrt(2 * GRAVITY * height)
    sideways = rng.uniform(-1, 1) * wall * GRAVITY / (4 * abs(up))
    return sideways, up, rng.uniform(-12, 12)

  time, angle = 0.0, 0.0
  x, y = rng.uniform(-0.7, 0.7) * wall, ground - rng.uniform(0, 0.8) * highest
  vx, vy, omega = throw(rng.uniform(0.1, 0.5) * highest)
  arcs, impacts = [], []
  while time < seconds:
    arcs.append((time, x, y, angle, vx, vy, omega, 0.0, GRAVITY))
    drop = max(ground - y, 0.0)
    fall = (math.sqrt(vy**2 + 2 * GRAVITY * drop) - vy) / GRAVITY
    side = (math.copysign(wall, vx) - x) / vx if vx else math.inf
    step = min(fall, max(side, 0.0))
    time, angle = time + step, angle + omega * step
    x, y = x + vx * step, y + (vy + GRAVITY * step / 2) * step
    vy += GRAVITY * step
    if side <= fall:
      vx = -vx
      continue
    y = ground
    impacts.append((time, vy))
    vy, omega = -restitution * vy, vx / radius
    if -vy > _REST_SPEED:
      continue
    # Rolls until it stops, at a wall at the latest.
    brake = -math.copysign(_ROLLING_FRICTION * GRAVITY, vx)
    distance = min(
      vx**2 / (2 * abs(brake)), max(wall - math.copysign(1.0, vx) * x, 0.0)
    )
    roll = (
      abs(vx) - math.sqrt(max(vx**2 - 2 * abs(brake) * distance, 0.0))
    ) / abs(brake)
    arcs.append((time, x, y, angle, vx, 0.0, omega, brake, 0.0))
    time, angle = time + roll, angle + omega * roll
    x += (vx + brake * roll / 2) * roll
    arcs.append((time, x, y, angle, 0.0, 0.0, 0.0, 0.0, 0.0))
    time += rng.uniform(0.1, 0.8)
    vx, vy, omega = throw(rng.uniform(0.3, 1.0) * highest)
    impacts.append((time, -vy))
  return Flight(np.array(arcs), np.array(impacts).reshape(-1, 2))


@dataclasses.dataclass(frozen=True)
class Sway(Motion):
  """A camera that pans and shakes: a sum of sines in x and y.

  Attributes:
    amplitude: float64 [k, 2] in metres.
    omega: float64 [k, 2] in rad/s.
    phase: float64 [k, 2] in rad.
  """

  amplitude: np.ndarray
  omega: np.ndarray
  phase: np.ndarray

  @classmethod
  def sample(cls, rng: np.random.Generator, pan: float, shake: float):
    """A slow pan of up to `pan` metres and a hand's tremor of `shake`."""
    hertz = np.concatenate([rng.uniform(0.05, 0.3, 1), rng.uniform(1, 9, 4)])
    size = np.array([pan, *shake / np.arange(1, 5)])
    return cls(
      size[:, None] * rng.uniform(0, 1, (5, 2)),
      2 * np.pi * np.repeat(np.sort(hertz)[:, None], 2, axis=1),
      rng.uniform(0, 2 * np.pi, (5, 2)),
    )

  def pose(self, time_s: float) -> Pose:
    """See `Motion`."""
    swing = self.omega * time_s + self.phase
    x, y = (self.amplitude * np.sin(swing)).sum(axis=0).tolist()
    vx, vy = (self.amplitude * self.omega * np.cos(swing)).sum(axis=0).tolist()
    return Pose(x, y, 0.0, vx, vy, 0.0)
