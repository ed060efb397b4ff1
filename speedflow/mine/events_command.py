"""`speedflow events`: changes of speed in a collection, found by sound."""

import argparse
import dataclasses
import os
import pathlib

from speedflow import arguments
from speedflow.data import beam_runner

DESCRIPTION = (
  "Listens to a folder of videos for changes of playback speed, "
  "and writes what it finds as records, with how sure it is."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument("source", metavar="SRC", help="folder of videos")
  parser.add_argument("out", metavar="OUT", help="folder for the events")
  parser.add_argument(
    "--csv",
    metavar="FILE",
    help="what is known about the videos (default: SRC/clips.csv, if any)",
  )
  parser.add_argument(
    "--records",
    metavar="FOLDER",
    type=pathlib.Path,
    help="records of the same videos: events name the shots they fall in",
  )
  parser.add_argument(
    "--least-probability",
    type=arguments.share,
    metavar="P",
    default=0.5,
    help="of the events that are written (default: 0.5)",
  )
  parser.add_argument(
    "--shards",
    type=int,
    metavar="N",
    default=1,
    help="files to write (default: 1)",
  )
  parser.add_argument(
    "--workers",
    type=int,
    metavar="N",
    default=os.cpu_count(),
    help="threads (default: %(default)s)",
  )
  arguments.add_overwrite(parser)
  beam_runner.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
  """Mines the collection.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow.mine import events

  shot_records = (
    sorted(args.records.glob("*.tfrecord-?????-of-?????"))
    if args.records
    else []
  )
  report = events.mine(
    args.source,
    args.out,
    csv_file=args.csv,
    shot_records=shot_records,
    least_probability=args.least_probability,
    shards=args.shards,
    runner=args.runner,
    workers=args.workers,
    beam_options=args.beam_options,
    overwrite=args.overwrite,
  )
  counts = dataclasses.asdict(report)
  print(", ".join(f"{count} {name}" for name, count in counts.items()))
  return 0
