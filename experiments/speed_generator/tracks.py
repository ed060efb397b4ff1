"""Where the points of a picture go: what the generator learns to say.

From a frame of a shot, a grid of points is followed by dense optical flow (DIS,
Kroeger et al., ECCV 2016), frame by frame, so that large ways are sums of small
ones. Flow is computed at full resolution, unsmoothed: of a small body that
crosses a textured scene, so 96 % of the way is found, and 60 % with OpenCV's
medium preset. A way is a smooth function of world time: one following gives
clips at all speeds, and is done once.

  python -m experiments.speed_generator.tracks records/clips records/tracks
"""

import argparse
import dataclasses
import functools
import itertools
import pathlib
import sys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from rich import progress

from speedflow.data import example, shards
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels

SIZE = 64
"""Height and width of the stored first frame, pixels."""

GRID = 16
"""Points along each side."""

KNOWN = ("known", "believed", "assumed_realtime")
"""Labels of speed that are relied on."""

_LONGEST_S = 2.6
# Moments that are kept of each following, closer at its start.
_MOMENTS = 64
# A following of fewer frames tells nothing.
_FEWEST = 8
# Short side of the pictures that are followed, pixels.
_FLOW_SIDE = 96
# Of a longer shot, so many frames in a row are used.
_MOST_FRAMES = 150
# Ways below this, in sides of the picture per second, are a camera on a
# tripod before nothing: they would teach the generator to stand still.
_STILL = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrackRecord:
  """Where the points of one picture went.

  Attributes:
    id: of the shot, and the number of the first frame in it.
    scene_group: of the shot.
    image: uint8 [SIZE, SIZE, 3], the first frame.
    times_s: float32 [n], seconds of the world since then, increasing.
    ways: float16 [n, GRID, GRID, 2], x and y displacement of the points since
      then, in sides of the picture. Points that were lost go on as before.
  """

  id: str
  scene_group: str
  image: np.ndarray
  times_s: np.ndarray
  ways: np.ndarray

  def encode(self) -> bytes:
    """Serialises the record as a `tf.train.Example`."""
    image = cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)
    return example.encode(
      {
        "id": [self.id.encode()],
        "scene_group": [self.scene_group.encode()],
        "image/png": [cv2.imencode(".png", image)[1].tobytes()],
        "times_s": self.times_s,
        "ways": [self.ways.astype("<f2").tobytes()],
      }
    )

  @classmethod
  def decode(cls, record: bytes) -> "TrackRecord":
    """Parses a record.

    Raises:
      SpeedflowError: when the record holds something else.
    """
    try:
      stored = example.decode(record)
      png = np.frombuffer(stored["image/png"][0], np.uint8)
      image = cv2.imdecode(png, cv2.IMREAD_COLOR_RGB)
      if image is None:
        raise ValueError("no picture")
      return cls(
        id=str(stored["id"][0], "utf-8"),
        scene_group=str(stored["scene_group"][0], "utf-8"),
        image=image,
        times_s=stored["times_s"],
        ways=np.frombuffer(stored["ways"][0], "<f2").reshape(
          len(stored["times_s"]), GRID, GRID, 2
        ),
      )
    except (KeyError, IndexError, TypeError, ValueError, cv2.error) as error:
      raise SpeedflowError(
        f"not a record of tracks ({error!r}); wanted a folder written by "
        "`python -m experiments.speed_generator.tracks`: build it again"
      ) from error


def grid_points() -> np.ndarray:
  """The points that are followed, float32 [GRID, GRID, 2], x and y, 0..1."""
  centres = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
  return np.stack(np.meshgrid(centres, centres), -1)


def flow_both_ways(grey: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Flow between consecutive pictures uint8 [h, w], there and back.

  Returns:
    float16 [2, h, w, 2] for each pair, pixels.
  """
  algorithm = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  algorithm.setFinestScale(0)
  algorithm.setVariationalRefinementIterations(0)
  return [
    np.stack(
      [
        algorithm.calc(*pair, np.empty(0, np.float32))
        for pair in ((one, two), (two, one))
      ]
    ).astype(np.float16)
    for one, two in itertools.pairwise(grey)
  ]


def follow(points: np.ndarray, flows: Sequence[np.ndarray]) -> np.ndarray:
  """Adds up optical flow along the ways of points.

  A point is lost when flow there and back does not return (Sundaram et al.,
  ECCV 2010, section 4), or where it leaves the picture. It keeps its mean
  velocity from then on.

  Args:
    points: float32 [g, g, 2], pixels.
    flows: between consecutive frames, there and back, float [2, h, w, 2].

  Returns:
    float32 [n + 1, g, g, 2], pixels from where they were.
  """
  height, width = flows[0].shape[1:3]
  ways = [np.zeros_like(points)]
  seen = np.ones(points.shape[:2], bool)
  for count, (there, back) in enumerate(flows, 1):
    place = points + ways[-1]
    step = _fetch(there, place)
    undo = _fetch(back, place + step)
    gap = np.square(step + undo).sum(-1)
    size = np.square(step).sum(-1) + np.square(undo).sum(-1)
    inside = np.all((place >= 0) & (place <= (width - 1, height - 1)), -1)
    seen &= inside & (gap <= 0.01 * size + 0.5)
    # Lost at the first step, a point is taken to rest.
    held = ways[-1] * (count / max(count - 1, 1))
    ways.append(np.where(seen[..., None], ways[-1] + step, held))
  return np.stack(ways)


def _fetch(flow: np.ndarray, place: np.ndarray) -> np.ndarray:
  x, y = np.moveaxis(place.astype(np.float32), -1, 0)
  return cv2.remap(
    flow.astype(np.float32),
    x,
    y,
    cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )


def track_shot(
  shot: ShotRecord, rng: np.random.Generator
) -> Iterator[TrackRecord]:
  """Follows several views of a shot of known speed from several frames.

  Args:
    shot: the shot.
    rng: chooses frames and views.
  """
  if shot.label not in KNOWN or not shot.speed:
    return
  reduce = 2 if min(shot.height, shot.width) >= 2 * SIZE else 1
  pictures = [shot.image(i, reduce=reduce) for i in range(shot.num_frames)]
  scale = _FLOW_SIDE / min(pictures[0].shape[:2])
  grey = [
    cv2.resize(
      cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
      None,
      fx=scale,
      fy=scale,
      interpolation=cv2.INTER_AREA,
    )
    for picture in pictures
  ]
  kept = labels.true_frames(grey, shot.times_s())
  if len(kept.indices) <= _FEWEST:
    return
  first = int(rng.integers(max(len(kept.indices) - _MOST_FRAMES, 0) + 1))
  used = kept.indices[first : first + _MOST_FRAMES]
  flows = flow_both_ways([grey[index] for index in used])
  step_s = shot.speed / kept.fps
  starts = max(len(flows) - _FEWEST, 1)
  for _ in range(int(np.clip(len(flows) * step_s * 3, 4, 24))):
    start = int(rng.integers(starts))
    record = _track_view(
      shot, pictures, int(used[start]), flows[start:], step_s, rng
    )
    if record is not None:
      yield record


def _track_view(
  shot: ShotRecord,
  pictures: Sequence[np.ndarray],
  first: int,
  flows: Sequence[np.ndarray],
  step_s: float,
  rng: np.random.Generator,
) -> TrackRecord | None:
  """Follows a square part of the picture; None where it hardly moves."""
  image = pictures[first]
  height, width = image.shape[:2]
  side = round(min(height, width) * rng.uniform(0.7, 1.0))
  corner = rng.integers((width - side + 1, height - side + 1))
  scale = flows[0].shape[1] / height
  points = (corner + grid_points() * side) * scale - 0.5
  ways = follow(points.astype(np.float32), flows[: round(_LONGEST_S / step_s)])
  ways /= side * scale
  seconds = (len(ways) - 1) * step_s
  if np.sqrt(np.square(ways[-1]).sum(-1).mean()) < _STILL * seconds:
    return None
  chosen = np.unique(
    np.rint(np.linspace(0, 1, _MOMENTS) ** 1.5 * (len(ways) - 1)).astype(int)
  )
  left, top = corner.tolist()
  return TrackRecord(
    id=f"{shot.id}@{first}",
    scene_group=shot.scene_group,
    image=cv2.resize(
      image[top : top + side, left : left + side],
      (SIZE, SIZE),
      interpolation=cv2.INTER_AREA,
    ),
    times_s=(chosen * step_s).astype(np.float32),
    ways=ways[chosen].astype(np.float16),
  )


def build(
  records: pathlib.Path, out: pathlib.Path, *, seed: int = 0, workers: int = 1
) -> int:
  """Writes the tracks of every shard of shot records.

  Args:
    records: folder that `speedflow data build` wrote.
    out: folder for the tracks; shards keep their names.
    seed: of the frames and views.
    workers: processes.

  Returns:
    The number of records written; files that are there are kept.
  """
  paths = [
    path
    for split in ("train", "val", "test")
    for path in split_shards(
      records, split, "shot records", "write them with `speedflow data build`"
    )
  ]
  with progress.Progress() as bar:
    task = bar.add_task("following", total=len(paths))
    return shards.write_missing(
      {
        out / path.name: functools.partial(_tracks_of, path, seed)
        for path in paths
      },
      workers=workers,
      on_progress=lambda done, total: bar.update(task, completed=done),
    )


def _tracks_of(path: pathlib.Path, seed: int) -> Iterator[bytes]:
  for encoded in RecordSource(path):
    shot = ShotRecord.decode(encoded)
    rng = np.random.default_rng([seed, *shot.id.encode()])
    for record in track_shot(shot, rng):
      yield record.encode()


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the tracks."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("records", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  count = build(args.records, args.out, seed=args.seed, workers=args.workers)
  print(f"{count} new records: {args.out}")
  return 0


if __name__ == "__main__":
  sys.exit(main())
