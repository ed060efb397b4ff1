"""Records of where the points of shots go, for the generator to learn from.

  python -m experiments.speed_generator.tracks records/clips records/tracks

Of what `speedflow mine SRC --out MINED` found, the speed is an estimate with an
interval, and the tracks know how sure it is:

  python -m experiments.speed_generator.tracks --mined MINED records/mined
"""

import argparse
import csv
import functools
import math
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich import progress

from speedflow import wording
from speedflow.data import shards
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.data.tracks import track_shot
from speedflow.errors import SpeedflowError
from speedflow.evaluation import report
from speedflow.evaluation.speed import Z80
from speedflow.output import claims

_NONE_MINED = "write it with `speedflow mine`"


def doubts(path: pathlib.Path) -> dict[str, float]:
  """How sure mined speeds are: their standard deviations, octaves, by clip.

  Args:
    path: the `clips.csv` of `speedflow mine`, with 80 % intervals.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  try:
    with path.open(newline="", encoding="utf-8") as file:
      return {
        wording.from_cell(row["id"]): math.log2(
          float(row["speed_high"]) / float(row["speed_low"])
        )
        / (2 * Z80)
        for row in csv.DictReader(file)
      }
  except OSError as error:
    raise SpeedflowError(
      f"{path}: cannot be read ({error.strerror}); {_NONE_MINED}"
    ) from error
  except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
    raise SpeedflowError(
      f"{path}: not a table of mined clips ({error!r}); {_NONE_MINED}"
    ) from error


def build(
  records: pathlib.Path,
  out: pathlib.Path,
  *,
  mined: bool = False,
  seed: int = 0,
  workers: int = 1,
) -> int:
  """Writes the tracks of every shard of shot records.

  Args:
    records: folder that `speedflow data build` wrote, or `speedflow mine`.
    out: folder for the tracks; shards keep their names.
    mined: whether it was `speedflow mine`, which finds training clips alone.
    seed: of the frames and views.
    workers: processes.

  Returns:
    The number of records written; files that are there are kept.

  Raises:
    SpeedflowError: no records, or not of that kind.
  """
  of_clip = doubts(records / "clips.csv") if mined else {}
  paths = [
    path
    for split in (("train",) if mined else ("train", "val", "test"))
    for path in split_shards(
      records, split, "shot records", "write them with `speedflow data build`"
    )
  ]
  wanted = {
    out / path.name: functools.partial(_tracks_of, path, seed, of_clip)
    for path in paths
  }
  with (
    claims.claim("tracks", folders=[out], inputs=[records]),
    progress.Progress() as bar,
  ):
    task = bar.add_task("following", total=len(paths))
    return shards.write_missing(
      wanted,
      workers=workers,
      on_progress=lambda done, total: bar.update(task, completed=done),
    )


def _tracks_of(
  path: pathlib.Path, seed: int, of_clip: Mapping[str, float]
) -> Iterator[bytes]:
  for encoded in RecordSource(path):
    shot = ShotRecord.decode(encoded)
    rng = np.random.default_rng([seed, *shot.id.encode()])
    clip, *_ = shot.id.rsplit("/", 2)
    for record in track_shot(shot, rng, of_clip.get(clip, 0.0)):
      yield record.encode()


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the tracks."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("records", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument(
    "--mined", action="store_true", help="RECORDS are from `speedflow mine`"
  )
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  count = build(
    args.records,
    args.out,
    mined=args.mined,
    seed=args.seed,
    workers=args.workers,
  )
  print(f"{count} new records: {args.out}")
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
