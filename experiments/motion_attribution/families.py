"""Motions of known families, and teachers of cartoon physics among them.

  python -m experiments.motion_attribution.families records/families

Every scene is 2 m high, starts at rest or at a steady pace, and shows by colour
and shape what will happen: a red ball falls and bounces, a green fan turns, a
blue rod swings, and a view that brightens to one side pans there. Cartoon balls
are red as well, so they teach the opposite of what real ones do: they hover,
bounce higher each time, or fall upwards. Trajectories are exact, and are
written as records of tracks.
"""

import argparse
import dataclasses
import functools
import math
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from experiments.speed_generator import movers
from speedflow.data import procedural_cast, shards, tracks
from speedflow.data.procedural import ProceduralScene
from speedflow.data.procedural_cast import Body
from speedflow.data.records import shard_path
from speedflow.evaluation import report
from speedflow.output import claims
from speedflow.timewarp import mechanics

PHYSICS = ("gravity", "spin", "pendulum", "camera")
"""Families that obey physics; `gravity` is what cartoons contradict."""

CARTOONS = ("hovering", "rubber", "reversed")
"""Families of planted bad teachers."""

SIZE = 32
"""Height and width of the pictures, pixels."""

METRES = 2.0
"""Height of the view."""

COUNTS = {"train": (160, 40), "val": (16, 4), "test": (16, 4)}
"""Scenes of each physical and each cartoon family, by split."""

FLOOR = 0.8  # y, m
RADIUS = 0.25  # Of balls, m
# All balls start here alike: nothing but the motion tells cartoons.
_BALL_Y = (-0.5, 0.2)
_CEILING = 1.15
# A clip lasts so many seconds.
_SHORTEST_S, _LONGEST_S = 0.6, 2.0
_MOMENTS = 64
_SHARDS = 4


@dataclasses.dataclass(frozen=True)
class Bouncing(mechanics.Motion):
  """Let go at rest; falls, and bounces where the ground stops it.

  Attributes:
    x: m.
    y: at time 0, m.
    ground: y at which the centre turns round, m.
    gravity: m/s^2, of the sign of `ground - y`.
    restitution: speed after a bounce / before it.
  """

  x: float
  y: float
  ground: float
  gravity: float
  restitution: float

  @property
  def impact_s(self) -> float:
    """When it first reaches the ground."""
    return math.sqrt(2 * (self.ground - self.y) / self.gravity)

  def pose(self, time_s: float) -> mechanics.Pose:
    """See `Motion`."""
    left, speed = time_s - self.impact_s, self.gravity * self.impact_s
    if left < 0:
      fallen = self.gravity * time_s**2 / 2
      vy = self.gravity * time_s
      return mechanics.Pose(self.x, self.y + fallen, 0.0, 0.0, vy, 0.0)
    while True:
      speed *= self.restitution
      flight = 2 * speed / self.gravity
      if flight < 0.02:
        return mechanics.Pose(self.x, self.ground, 0.0, 0.0, 0.0, 0.0)
      if left < flight:
        way = (self.gravity * left / 2 - speed) * left
        vy = self.gravity * left - speed
        return mechanics.Pose(self.x, self.ground + way, 0.0, 0.0, vy, 0.0)
      left -= flight


@dataclasses.dataclass(frozen=True)
class Hovering(mechanics.Motion):
  """Held up by nothing: bobs slowly where it is.

  Attributes:
    x: m.
    y: m.
    bob: m.
  """

  x: float
  y: float
  bob: float

  def pose(self, time_s: float) -> mechanics.Pose:
    """See `Motion`."""
    angle = 2 * math.pi * time_s
    y, vy = self.y + self.bob * math.sin(angle), math.cos(angle)
    vy *= 2 * math.pi * self.bob
    return mechanics.Pose(self.x, y, 0.0, 0.0, vy, 0.0)


def scene(family: str, seed: int, size: int = SIZE) -> ProceduralScene:
  """Draws a scene.

  Args:
    family: of `PHYSICS` or `CARTOONS`.
    seed: of everything in it.
    size: height and width of the picture, pixels.
  """
  rng = np.random.default_rng([seed, *family.encode()])
  view = procedural_cast.View(rng, size, size, size / METRES, (), _LONGEST_S)
  bodies, camera = _CAST[family](view)
  across = round(1.8 * size)
  grey = view.texture(across, across).mean(-1, keepdims=True)
  backdrop = np.repeat(0.25 * grey, 3, -1)
  if family == "camera":
    backdrop *= np.linspace(0.3, 3.0, across, dtype=np.float32)[:, None]
  return ProceduralScene(
    height=size,
    width=size,
    seconds=_LONGEST_S,
    pixels_per_metre=size / METRES,
    background=backdrop.astype(np.float32),
    bodies=bodies,
    camera=camera,
  )


_Cast = tuple[tuple[Body, ...], mechanics.Motion]


def _ball(view: procedural_cast.View, motion: mechanics.Motion) -> _Cast:
  sprite = view.sprite(2 * RADIUS, 2 * RADIUS, True)
  _paint(sprite, (0.8, 0.05, 0.05))
  return (Body(sprite, motion),), mechanics.Pacing()


def _paint(sprite: np.ndarray, colour: tuple[float, float, float]) -> None:
  """Gives a sprite a colour, linear light 0..1, in place."""
  sprite[..., :3] = sprite[..., 3:] * np.array(colour, np.float32)


def _bouncing(
  view: procedural_cast.View, low: float, high: float, up: bool = False
) -> _Cast:
  """A ball that falls to the floor, or up to a ceiling."""
  rng = view.rng
  ground = -_CEILING + RADIUS if up else FLOOR - RADIUS
  motion = Bouncing(
    x=rng.uniform(-0.6, 0.6),
    y=rng.uniform(*_BALL_Y),
    ground=ground,
    gravity=-mechanics.GRAVITY if up else mechanics.GRAVITY,
    restitution=rng.uniform(low, high),
  )
  return _ball(view, motion)


def _hovering(view: procedural_cast.View) -> _Cast:
  rng = view.rng
  x, y = rng.uniform(-0.6, 0.6), rng.uniform(*_BALL_Y)
  return _ball(view, Hovering(x, y, rng.uniform(0.03, 0.08)))


def _spin(view: procedural_cast.View) -> _Cast:
  rng = view.rng
  motion = mechanics.Pacing(
    x=rng.uniform(-0.4, 0.4),
    y=rng.uniform(-0.4, 0.4),
    omega=2 * math.pi * rng.uniform(0.6, 0.9),
  )
  sprite = view.sprite(1.1, 0.45, True)
  _paint(sprite, (0.02, 0.3, 0.02))
  # Its bright edges lead, so that a mirrored one is seen to turn the other way.
  rows, columns = (side // 2 for side in sprite.shape[:2])
  for part in (sprite[:rows, :columns], sprite[rows:, columns:]):
    _paint(part, (0.32, 0.9, 0.32))
  return (Body(sprite, motion),), mechanics.Pacing()


def _pendulum(view: procedural_cast.View) -> _Cast:
  rng = view.rng
  pivot = mechanics.Pacing(x=rng.uniform(-0.3, 0.3), y=rng.uniform(-0.8, -0.6))
  side = rng.choice([-1, 1]) * math.pi / 2
  length = rng.uniform(0.9, 1.3)
  motion = mechanics.Swing.free(pivot, length, rng.uniform(0.4, 0.8), side)
  sprite = view.sprite(0.3, length, False)
  _paint(sprite, (0.05, 0.1, 0.8))
  return (Body(sprite, motion),), mechanics.Pacing()


def _camera(view: procedural_cast.View) -> _Cast:
  return (), movers.Crossing(0.0, 0.0, view.rng.uniform(0.3, 0.6), 0.0)


_CAST: dict[str, Callable[[procedural_cast.View], _Cast]] = {
  "gravity": lambda view: _bouncing(view, 0.5, 0.8),
  "spin": _spin,
  "pendulum": _pendulum,
  "camera": _camera,
  "hovering": _hovering,
  "rubber": lambda view: _bouncing(view, 1.3, 1.6),
  "reversed": lambda view: _bouncing(view, 0.5, 0.8, up=True),
}


def record(family: str, seed: int) -> tracks.TrackRecord:
  """Writes down where the points of a scene go; clips differ in length."""
  filmed = scene(family, seed)
  rng = np.random.default_rng([seed, len(family)])
  times = np.linspace(0, rng.uniform(_SHORTEST_S, _LONGEST_S), _MOMENTS)
  return tracks.TrackRecord(
    id=f"{family}/{seed}",
    scene_group=family,
    image=filmed.frame(0.0),
    times_s=times.astype(np.float32),
    trajectories=movers.trajectories(filmed, 0.0, times).astype(np.float16),
  )


def seeds(family: str, split: str, first: int = 0) -> range:
  """The scenes of a split; no two splits share one."""
  start = first
  for name, counts in COUNTS.items():
    count = counts[family in CARTOONS]
    if name == split:
      return range(start, start + count)
    start += count
  raise ValueError(f"split {split!r} is none of {', '.join(COUNTS)}")


def build(out: pathlib.Path, *, first: int = 0, workers: int = 1) -> int:
  """Writes records of tracks of all families and splits.

  Args:
    out: folder; files that are there are kept.
    first: seed of the first scene of each family.
    workers: processes.

  Returns:
    The number of records written by this call.
  """
  wanted = {}
  for split in COUNTS:
    drawn = [
      (family, seed)
      for family in (*PHYSICS, *CARTOONS)
      for seed in seeds(family, split, first)
    ]
    for shard in range(_SHARDS):
      path = shard_path(out, "families", split, shard, _SHARDS, "tfrecord")
      wanted[path] = functools.partial(_records, drawn[shard::_SHARDS])
  with claims.claim("families", folders=[out]):
    return shards.write_missing(wanted, workers=workers)


def _records(drawn: Sequence[tuple[str, int]]) -> Iterator[bytes]:
  for family, seed in drawn:
    yield record(family, seed).encode()


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the records."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--first", type=int, default=0, help="seed of scenes")
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  count = build(args.out, first=args.first, workers=args.workers)
  print(f"{count} new records: {args.out}")
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
