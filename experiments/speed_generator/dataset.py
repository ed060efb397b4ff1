"""Clips at any speed from real shots and from calculated worlds.

One source gives clips at many speeds: every n-th frame, with the light of
half of the time in between, as a camera's shutter at 180 degrees gives it.
Only the first frame, which is given to the generator, is sharp at all speeds:
else its blur would tell the speed, and the number would not be needed.
Frames are never repeated: where a source is not dense enough for a speed,
that speed is not drawn.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Protocol, SupportsIndex

import cv2
import grain
import ml_collections
import numpy as np

from experiments.speed_generator import movers
from speedflow.data import pipeline
from speedflow.data.procedural import ProceduralScene
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels, resample

KNOWN = ("known", "believed", "assumed_realtime")
"""Labels of speed that are relied on."""

# Sources denser than this many frames per second of the world can be played
# at broken speeds and through ramps without visible judder.
_DENSE_FPS = 100.0
# As high as a record's frames may be for reading them whole.
_DECODE_SIDE = 96

# The seed of every procedural scene that nothing trains on is below this.
HELD_OUT = 10_000


@dataclasses.dataclass(frozen=True)
class ClipSpec:
  """What clips are drawn.

  Attributes:
    frames: of a clip.
    size: height and width, pixels.
    low: slowest log2 step (seconds of the world between frames x 30).
    high: fastest log2 step.
    exposure: open-shutter time / frame interval.
    ramps: share of clips whose speed changes, where the source allows it.
  """

  frames: int
  size: int
  low: float = -3.5
  high: float = 2.25
  exposure: float = 0.5
  ramps: float = 0.3


class Filmable(Protocol):
  """Something that clips can be drawn from."""

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray]:
    """Draws uint8 frames [t, s, s, 3] and float64 log2 steps [t]."""
    ...


def sample_speeds(
  spec: ClipSpec, rng: np.random.Generator, low: float, high: float
) -> np.ndarray:
  """Draws the log2 step from each frame to the next, float64 [frames]."""
  if rng.uniform() >= spec.ramps:
    return np.full(spec.frames, rng.uniform(low, high))
  points = rng.uniform(low, high, 3)
  places = np.array([0.0, rng.uniform(0.3, 0.7), 1.0]) * (spec.frames - 1)
  return np.interp(np.arange(spec.frames), places, points)


def film(
  scene: ProceduralScene, log2_step: np.ndarray, exposure: float, start_s: float
) -> np.ndarray:
  """Takes a clip of a scene; the first frame is sharp.

  Args:
    scene: what to film.
    log2_step: float [t], from each frame to the next.
    exposure: open-shutter time / frame interval.
    start_s: time of the first frame.

  Returns:
    uint8 [t, h, w, 3].
  """
  steps = np.exp2(log2_step) / labels.REFERENCE_FPS
  times = start_s + np.cumsum(steps) - steps
  open_s = exposure * steps
  open_s[0] = 0.0
  return np.stack(
    [scene.frame(*shutter) for shutter in zip(times, open_s, strict=True)]
  )


@dataclasses.dataclass(frozen=True)
class Shot:
  """A real shot: its record, its true frames, and how dense they are.

  Attributes:
    encoded: a `ShotRecord`.
    kept: int64 [n], numbers of the frames that are no repeats.
    log2_step: between those.
  """

  encoded: bytes
  kept: np.ndarray
  log2_step: float

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray]:
    """See `Filmable`."""
    count = spec.frames
    # The last shutter closes `exposure` of a step, or one frame, after it
    # opens.
    densest = min(
      (len(self.kept) - 1) / (count - 1),
      len(self.kept) / (count - 1 + spec.exposure),
    )
    room = np.log2(densest) - 1e-6
    high = min(spec.high, self.log2_step + room)
    # A dense, short shot may be slower than the range; its label stays true.
    low = min(max(spec.low, self.log2_step), high)
    if labels.REFERENCE_FPS / 2**self.log2_step >= _DENSE_FPS:
      log2_step = sample_speeds(spec, rng, low, high)
    else:
      factor = np.floor(2 ** (rng.uniform(low, high) - self.log2_step) + 1e-6)
      log2_step = np.full(count, self.log2_step + np.log2(factor))
    factors = np.exp2(log2_step - self.log2_step)
    used = factors[:-1].sum() + max(spec.exposure * factors[-1], 1)
    plan = resample.ClipPlan(
      start=float(rng.integers(max(int(len(self.kept) - used), 0) + 1)),
      factor=float(factors.min()),
      length=count,
      exposure=spec.exposure,
      curve=tuple((factors / factors.min()).tolist()),
    )
    record = ShotRecord.decode(self.encoded)
    look = _Look.sample(rng, record, spec.size)
    frames = resample.render_clip(
      lambda index: look(record, int(self.kept[index])), plan
    )
    frames[0] = look(record, int(self.kept[int(plan.start)]))
    return frames, log2_step


@dataclasses.dataclass(frozen=True)
class _Look:
  """A square part of the picture, perhaps mirrored."""

  top: float
  left: float
  side: float
  flip: bool
  size: int
  reduce: int

  @classmethod
  def sample(
    cls, rng: np.random.Generator, record: ShotRecord, size: int
  ) -> "_Look":
    short = min(record.height, record.width)
    side = short * rng.uniform(0.7, 1.0)
    reduce = 1
    while short / reduce > _DECODE_SIDE and reduce < 8:
      reduce *= 2
    return cls(
      top=rng.uniform(0, record.height - side) / reduce,
      left=rng.uniform(0, record.width - side) / reduce,
      side=side / reduce,
      flip=bool(rng.integers(2)),
      size=size,
      reduce=reduce,
    )

  def __call__(self, record: ShotRecord, index: int) -> np.ndarray:
    image = record.image(index, reduce=self.reduce)
    top, left, side = int(self.top), int(self.left), int(self.side)
    part = image[top : top + side, left : left + side]
    if self.flip:
      part = part[:, ::-1]
    return cv2.resize(
      part, (self.size, self.size), interpolation=cv2.INTER_AREA
    )


class ShotSource:
  """Random access to the shots of known speed that are long enough."""

  def __init__(self, paths: Sequence[pathlib.Path], frames: int):
    """Looks through the shots for repeated frames, once.

    Args:
      paths: shards of shot records.
      frames: of a clip; shots with fewer true frames are left out.

    Raises:
      SpeedflowError: no shot is left.
    """
    self._records = RecordSource(paths)
    self._shots: list[tuple[int, np.ndarray, float]] = []
    self.ids: list[str] = []
    for index, encoded in enumerate(self._records):
      record = ShotRecord.decode(encoded)
      if record.label not in KNOWN or not record.speed:
        continue
      reduce = 8 if min(record.height, record.width) > _DECODE_SIDE else 1
      images = [
        record.image(i, gray=True, reduce=reduce)
        for i in range(record.num_frames)
      ]
      kept = labels.true_frames(images, record.times_s())
      if len(kept.indices) > frames:
        step = labels.speed_to_step(np.log2(record.speed), kept.fps)
        self._shots.append((index, kept.indices, float(step)))
        self.ids.append(record.id)
    if not self._shots:
      raise SpeedflowError(
        f"{self._records!r}: no shot of known speed has {frames} frames; add "
        "videos, or ask for shorter clips"
      )

  def __len__(self) -> int:
    return len(self._shots)

  def __getitem__(self, number: SupportsIndex, /) -> Shot:
    index, kept, log2_step = self._shots[int(number)]
    return Shot(self._records[index], kept, log2_step)

  def __repr__(self) -> str:
    return f"ShotSource({len(self)} shots of {self._records!r})"

  def fingerprint(self) -> str:
    """A digest of the records."""
    return self._records.fingerprint()


@dataclasses.dataclass(frozen=True)
class World:
  """A calculated scene.

  Attributes:
    kind: "mover" (`movers`), or "physics" (`ProceduralScene`).
    seed: of the scene.
  """

  kind: str
  seed: int

  def scene(self, size: int, seconds: float) -> ProceduralScene:
    """Makes the scene."""
    rng = np.random.default_rng([self.seed, len(self.kind)])
    if self.kind == "mover":
      return movers.sample_mover(rng, size)
    return ProceduralScene.sample(rng, (size, size), seconds)

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray]:
    """See `Filmable`."""
    log2_step = sample_speeds(spec, rng, spec.low, spec.high)
    # The scene must not depend on the speed, so it lasts for the fastest.
    longest = spec.frames * 2**spec.high / labels.REFERENCE_FPS
    scene = self.scene(spec.size, longest + 1.0)
    start_s = 0.0 if self.kind == "mover" else rng.uniform(0, 0.9)
    return film(scene, log2_step, spec.exposure, start_s), log2_step


class WorldSource:
  """Endless worlds of one kind; their seeds begin at `HELD_OUT`."""

  def __init__(self, kind: str, count: int = 1_000_000):
    self._kind = kind
    self._count = count

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, index: SupportsIndex, /) -> World:
    return World(self._kind, HELD_OUT + int(index))

  def __repr__(self) -> str:
    return f"WorldSource({self._kind!r})"


@dataclasses.dataclass(frozen=True)
class ClipSampler:
  """A transform: something to film -> arrays of one clip.

  Attributes:
    spec: what clips are drawn.
  """

  spec: ClipSpec

  def __call__(
    self, source: Filmable, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws one clip.

    Returns:
      frames: uint8 [t, s, s, 3]; log2_step: float32 [t].
    """
    frames, log2_step = source.clip(self.spec, rng)
    return {"frames": frames, "log2_step": log2_step.astype(np.float32)}


def shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
  """Finds the shot records of a split.

  Raises:
    SpeedflowError: there are none.
  """
  command = f"speedflow data build SRC {folder} --short-side 48 --quality 95"
  return split_shards(
    folder, split, "shot records", f"write them with `{command}`"
  )


def clip_spec(data: ml_collections.ConfigDict) -> ClipSpec:
  """The clips that the `data` part of the experiment's config asks for."""
  return ClipSpec(
    frames=data.frames,
    size=data.size,
    low=data.low,
    high=data.high,
    exposure=data.exposure,
    ramps=data.ramps,
  )


def training_batches(
  data: ml_collections.ConfigDict,
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches of clips, mixed in constant ratios.

  Args:
    data: the `data` part of the experiment's config.
    batch_size: clips per batch, of this process.
    seed: of order and randomness.
    process_index: this process.
    process_count: number of processes.
  """
  spec = clip_spec(data)
  sources: list[pipeline.Source] = []
  for kind in data.mix:
    if not data.mix[kind]:
      continue
    if kind == "shots":
      paths = shards(pathlib.Path(data.records), "train")
      sources.append(ShotSource(paths, spec.frames))
    else:
      sources.append(WorldSource(kind))
  return pipeline.batches(
    pipeline.mix(sources, [w for w in data.mix.values() if w], seed=seed),
    [ClipSampler(spec)],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
    num_threads=data.threads,
  )


def held_out(
  sources: Sequence[Filmable], spec: ClipSpec, seed: int
) -> dict[str, np.ndarray]:
  """The same clips at every call, stacked as in a batch."""
  sampler = ClipSampler(spec)
  clips = [
    sampler(source, np.random.default_rng([seed, number]))
    for number, source in enumerate(sources)
  ]
  return {name: np.stack([c[name] for c in clips]) for name in clips[0]}


def spread(source: pipeline.Source, count: int) -> list[Filmable]:
  """At most so many elements, evenly spread over a source."""
  chosen = np.linspace(0, len(source) - 1, min(count, len(source)))
  return [source[i] for i in np.unique(chosen.astype(int)).tolist()]
