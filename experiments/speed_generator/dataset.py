"""First frames and where their points go, at any speed.

Trajectories are smooth functions of world time, so points tracked once give
clips at every speed and on every ramp: they are interpolated at the moments
that the speed asks for. Of calculated worlds they are known exactly.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Protocol, SupportsIndex

import grain
import ml_collections
import numpy as np

from experiments.speed_generator import movers
from speedflow.data import pipeline, selection, tracks
from speedflow.data.procedural import ProceduralScene
from speedflow.data.records import RecordSource, split_shards
from speedflow.timewarp import labels

# The seed of every procedural scene that nothing trains on is below this.
HELD_OUT = 10_000

FOLLOWED = {"shots": "records", "mined": "mined"}
"""Of each kind of clip that was followed, the field of its records' folder."""


@dataclasses.dataclass(frozen=True)
class ClipSpec:
  """What clips are drawn.

  Attributes:
    knots: moments after the first frame, at which trajectories are sampled.
    low: slowest log2 step (seconds of the world between knots x 30).
    high: fastest log2 step.
    ramps: share of clips whose speed changes.
  """

  knots: int
  low: float = -4.0
  high: float = 2.25
  ramps: float = 0.3


class Filmable(Protocol):
  """Something that clips can be drawn from."""

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws a clip.

    Returns:
      The first frame, uint8 [s, s, 3]; trajectories, float [t, g, g, 2], in
      sides of the picture; log2 steps, float64 [t].
    """
    ...


def sample_speeds(
  spec: ClipSpec, rng: np.random.Generator, longest_s: float
) -> np.ndarray:
  """Draws the log2 step that leads to each knot, float64 [knots].

  Args:
    spec: range of steps.
    rng: source of randomness.
    longest_s: the clip ends before this, seconds of the world.
  """
  room = np.log2(longest_s * labels.REFERENCE_FPS / spec.knots)
  high = min(spec.high, room)
  low = min(spec.low, high)
  if rng.uniform() >= spec.ramps:
    return np.full(spec.knots, rng.uniform(low, high))
  points = rng.uniform(low, high, 3)
  places = np.array([0.0, rng.uniform(0.3, 0.7), 1.0]) * (spec.knots - 1)
  return np.interp(np.arange(spec.knots), places, points)


def world_times(log2_step: np.ndarray) -> np.ndarray:
  """Seconds of the world from the first frame to each knot."""
  return np.cumsum(np.exp2(log2_step)) / labels.REFERENCE_FPS


@dataclasses.dataclass(frozen=True)
class Followed:
  """A real picture whose points were followed.

  Attributes:
    encoded: a `tracks.TrackRecord`.
  """

  encoded: bytes

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `Filmable`; mirrored every second time.

    Where the shot's speed is an estimate, each drawing supposes another one,
    as often as it is likely: so every speed that it may have had counts by its
    probability, and a wide interval says little of each.
    """
    record = tracks.TrackRecord.decode(self.encoded)
    times_s = record.times_s
    if record.doubt:
      times_s = times_s * np.exp2(rng.normal(0, record.doubt))
    log2_step = sample_speeds(spec, rng, float(times_s[-1]))
    trajectories = tracks.between(
      times_s, record.trajectories, world_times(log2_step)
    )
    if rng.integers(2):
      return (
        record.image[:, ::-1],
        trajectories[:, :, ::-1] * (-1, 1),
        log2_step,
      )
    return record.image, trajectories, log2_step


@dataclasses.dataclass(frozen=True)
class World:
  """A calculated scene.

  Attributes:
    kind: "mover" (`movers`), or "physics" (`ProceduralScene`).
    seed: of the scene.
  """

  kind: str
  seed: int

  def scene(self, size: int = tracks.SIZE) -> ProceduralScene:
    """Makes the scene."""
    rng = np.random.default_rng([self.seed, len(self.kind)])
    if self.kind == "mover":
      return movers.sample_mover(rng, size)
    return ProceduralScene.sample(rng, (size, size), movers.SECONDS + 1)

  def clip(
    self, spec: ClipSpec, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `Filmable`."""
    log2_step = sample_speeds(spec, rng, movers.SECONDS)
    scene = self.scene()
    start_s = 0.0 if self.kind == "mover" else rng.uniform(0, 0.9)
    trajectories = movers.trajectories(
      scene, start_s, start_s + world_times(log2_step)
    )
    return scene.frame(start_s), trajectories, log2_step


class FollowedSource:
  """Random access to pictures that were followed."""

  def __init__(self, paths: Sequence[pathlib.Path]):
    self._records = RecordSource(paths)

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, number: SupportsIndex, /) -> Followed:
    return Followed(self._records[number])

  def __repr__(self) -> str:
    return f"FollowedSource({self._records!r})"

  def ids(self) -> list[str]:
    """The id of each record."""
    return [tracks.record_id(record) for record in self._records]

  def fingerprint(self) -> str:
    """A digest of the records."""
    return self._records.fingerprint()


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
      image: uint8 [s, s, 3]; trajectories: float32 [t, g, g, 2]; log2_step:
      float32 [t].
    """
    image, trajectories, log2_step = source.clip(self.spec, rng)
    return {
      "image": np.ascontiguousarray(image),
      "trajectories": trajectories.astype(np.float32),
      "log2_step": log2_step.astype(np.float32),
    }


def shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
  """Finds the records of tracks of a split.

  Raises:
    SpeedflowError: there are none.
  """
  command = f"python -m experiments.speed_generator.tracks RECORDS {folder}"
  return split_shards(folder, split, "tracks", f"write them with `{command}`")


def clip_spec(data: ml_collections.ConfigDict) -> ClipSpec:
  """The clips that the `data` part of the experiment's config asks for."""
  return ClipSpec(
    knots=data.knots, low=data.low, high=data.high, ramps=data.ramps
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
  sources: list[pipeline.Source] = []
  weights: list[float] = []
  for kind, weight in data.mix.items():
    if not weight:
      continue
    if kind in FOLLOWED:
      folder = pathlib.Path(data[FOLLOWED[kind]])
      source = FollowedSource(shards(folder, "train"))
      parts: list[tuple[pipeline.Source, float]] = [(source, 1.0)]
      if data.selection and kind == "shots":
        parts = selection.parts(source, source.ids(), data.selection)
    else:
      parts = [(WorldSource(kind), 1.0)]
    for part, share in parts:
      sources.append(part)
      weights.append(weight * share)
  return pipeline.batches(
    pipeline.mix(sources, weights, seed=seed),
    [ClipSampler(clip_spec(data))],
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
