"""Records of where the points of shots go, for the generator to learn from.

python -m experiments.speed_generator.tracks records/clips records/tracks
"""

import argparse
import functools
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from rich import progress

from speedflow.data import shards
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.data.tracks import track_shot


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
