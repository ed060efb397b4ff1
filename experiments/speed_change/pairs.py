r"""Motion between any two frames of a shot that lie a few frames apart.

  python -m experiments.speed_change.pairs records/clips records/changes

Playing a shot at changing speed is choosing frames, so with the motion maps
of all pairs (t, t + s) at hand, any splice or ramp is a matter of looking up.
Maps across cuts and flashes are kept beside them, as hard negatives.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from speedflow import errors
from speedflow.data import example, motion, shards
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report
from speedflow.output import claims
from speedflow.timewarp import augment, labels, resample

MAX_SPEED = 8
"""Strides 1, 2, ... up to this are kept."""

# A longer shot is cut: the data of a few would outweigh all others.
_MAX_FRAMES = 256
# Fewer frames have no room for two speeds.
_MIN_FRAMES = 24
# An interval is regular when it is within this share of the typical one.
_REGULAR = 0.25
# Cuts and flashes kept of each shot.
_INTERRUPTIONS = 4
_MAP_SHAPE = (*motion.MAP_SIZE, len(motion.CHANNELS))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PairRecord(motion.MotionRecord):
  """The motion of one shot in one appearance, between all pairs of near frames.

  `maps` holds, by stride s, float16 [n, 12, 16, 8]; the t-th is the motion
  from frame t to frame t + s.

  Attributes:
    flashes: float16 [k, 2, 12, 16, 8]: into a flash, and out of it.
    cuts: float16 [k, 12, 16, 8]: across a cut to another scene.
  """

  flashes: np.ndarray
  cuts: np.ndarray

  @property
  def num_frames(self) -> int:
    """Frames of the shot that maps of every stride reach.

    A shutter that stays open needs frames beyond the last one.
    """
    return min(stride + len(maps) for stride, maps in self.maps.items())

  def features(self) -> dict[str, example.Value]:
    """Returns the stored features by name, each a list or an array."""
    return super().features() | {
      "flashes": [self.flashes.tobytes()],
      "cuts": [self.cuts.tobytes()],
    }

  @classmethod
  def decode(cls, record: bytes) -> "PairRecord":
    """Parses a record; the maps are not copied.

    Raises:
      SpeedflowError: when the record holds something else.
    """
    fields = vars(motion.MotionRecord.decode(record))
    stored = example.decode(record)
    try:
      arrays = {
        name: np.frombuffer(stored[name][0], np.float16)
        for name in ("flashes", "cuts")
      }
    except KeyError as error:
      raise errors.SpeedflowError(
        f"not a record of pairs (no {error}); wanted a data set written by "
        "`make changes`: build it again"
      ) from error
    return cls(
      flashes=arrays["flashes"].reshape(-1, 2, *_MAP_SHAPE),
      cuts=arrays["cuts"].reshape(-1, *_MAP_SHAPE),
      **fields,
    )


def regular_frames(shot: ShotRecord) -> tuple[np.ndarray, float]:
  """The longest run of evenly timed, unrepeated frames of a shot.

  Returns:
    uint8 [n, h, w], grey, at most 256 frames, and frames per second.
  """
  images = motion.gray_frames(shot)
  kept = labels.true_frames(images, shot.times_s()).indices
  if len(kept) < 2:
    return np.stack(images[:1]), float(shot.fps)
  intervals = np.diff(shot.times_s()[kept])
  typical = float(np.median(intervals))
  odd = np.abs(intervals / typical - 1) > _REGULAR
  bounds = np.concatenate([[-1], np.flatnonzero(odd), [len(intervals)]])
  longest = int(np.diff(bounds).argmax())
  chosen = kept[bounds[longest] + 1 : bounds[longest + 1] + 1]
  return np.stack([images[i] for i in chosen[:_MAX_FRAMES]]), 1 / typical


def describe(
  shot: ShotRecord, appearance: int, seed: int, other: np.ndarray | None = None
) -> tuple[PairRecord, np.ndarray] | None:
  """Computes the pair record of a shot.

  In every appearance but the first the picture is augmented by
  `timewarp.augment`, and the shutter may be open for a part of each stride.

  Args:
    shot: the shot.
    appearance: number of the appearance.
    seed: of the appearances.
    other: frames of another shot, uint8 [n, 96, 128], to cut to; without, the
      cut is to this shot, mirrored.

  Returns:
    The record and its frames, uint8 [n, 96, 128]; None when it is too short.
  """
  rng = np.random.default_rng([seed, appearance, *shot.id.encode()])
  clip, fps = regular_frames(shot)
  if len(clip) < _MIN_FRAMES:
    return None
  exposure = 0.0
  if appearance:
    clip = augment.augment(clip, augment.Appearance.sample(rng))
    exposure = float(rng.uniform(0.3, 1.0) * rng.integers(2))
  small = np.stack([motion.to_flow_size(image) for image in clip])
  mapper = motion.MotionMapper()
  strides = range(1, MAX_SPEED + 1)
  maps = {s: _all_pairs(mapper, small, s, exposure) for s in strides}
  if other is None:
    other = np.ascontiguousarray(small[:, :, ::-1])
  record = PairRecord(
    id=shot.id,
    appearance=appearance,
    source=shot.source,
    category=shot.category,
    scene_group=shot.scene_group,
    split=shot.split,
    label=shot.label,
    speed=shot.speed,
    fps=fps,
    maps=maps,
    flashes=_flashes(mapper, small, rng),
    cuts=np.stack(
      [
        mapper.between(small[i], other[rng.integers(len(other))])
        for i in rng.integers(0, len(small), _INTERRUPTIONS)
      ]
    ),
  )
  return record, small


def _all_pairs(
  mapper: motion.MotionMapper, frames: np.ndarray, stride: int, exposure: float
) -> np.ndarray:
  """Maps of all pairs (t, t + stride), float16 [n, 12, 16, 8]."""
  shutter = max(1.0, exposure * stride)
  count = max(int(len(frames) - stride - shutter) + 1, 0)
  maps = np.zeros((count, *_MAP_SHAPE), np.float16)
  for phase in range(min(stride, count)):
    rows = maps[phase::stride]
    plan = resample.ClipPlan(
      start=float(phase),
      factor=float(stride),
      length=len(rows) + 1,
      exposure=exposure,
    )
    rows[:] = mapper.along(resample.render_clip(frames, plan))
  return maps


def _flashes(
  mapper: motion.MotionMapper, frames: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
  found = []
  for i in rng.integers(1, len(frames) - 1, _INTERRUPTIONS):
    gain, lift = rng.uniform(1.2, 3.0), rng.uniform(10, 120)
    lit = np.clip(frames[i] * gain + lift, 0, 255).astype(np.uint8)
    found.append(mapper.along([frames[i - 1], lit, frames[i + 1]]))
  return np.stack(found)


def build(
  records: pathlib.Path,
  out: pathlib.Path,
  *,
  splits: Sequence[str] = ("train", "val"),
  appearances: int = 1,
  seed: int = 0,
  workers: int = 1,
  on_progress: shards.Progress | None = None,
) -> int:
  """Writes pair records for every shard of shot records; keeps those there.

  Args:
    records: folder that `speedflow data build` wrote.
    out: folder for the pair records; shards keep their names.
    splits: to work on; the test split is rendered by the protocol instead.
    appearances: of each training shot.
    seed: of the appearances.
    workers: processes.
    on_progress: called with the number of shards done, and of all.

  Returns:
    The number of records written by this call.

  Raises:
    SpeedflowError: there are no records of shots.
  """
  paths = [
    path
    for split in splits
    for path in split_shards(
      records, split, "records of shots", "`speedflow data build` writes them"
    )
  ]
  wanted = {
    out / p.name: functools.partial(_pairs_of, p, appearances, seed)
    for p in paths
  }
  with claims.claim("pairs", folders=[out], inputs=[records]):
    return shards.write_missing(
      wanted, workers=workers, on_progress=on_progress
    )


def _pairs_of(
  path: pathlib.Path, appearances: int, seed: int
) -> Iterator[bytes]:
  other = None
  for encoded in RecordSource(path):
    shot = ShotRecord.decode(encoded)
    for appearance in range(appearances if shot.split == "train" else 1):
      described = describe(shot, appearance, seed, other)
      if described is not None:
        record, frames = described
        yield record.encode()
    if described is not None:
      other = frames


def main(argv: Sequence[str] | None = None) -> int:
  """Builds the data set; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("records", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--looks", type=int, default=1)
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  written = build(
    args.records,
    args.out,
    appearances=args.looks,
    workers=args.workers,
    on_progress=lambda done, total: print(f"{done} of {total}", flush=True),
  )
  print(f"{args.out}: {written} records written")
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
