"""`speedflow data`: build and inspect training records."""

import argparse
import json
import os
import pathlib
import sys
from typing import Any

from speedflow import arguments, progress, wording
from speedflow.data import beam_runner
from speedflow.output import claims, marks

DESCRIPTION = "Builds training records, and shows what is in them."


def add_arguments(parser: argparse.ArgumentParser) -> Any:
  """Declares the subcommands and their arguments.

  Returns:
    What others add subcommands of their own to; see `cli`.
  """
  data_commands = parser.add_subparsers(metavar="COMMAND", required=True)
  build = data_commands.add_parser(
    "build",
    help="turn a folder of videos into records",
    description="Turns a folder of videos into sharded records. Killed and run "
    "again, it goes on where it was. A file that cannot be read is left out "
    "and named.",
  )
  build.add_argument("source", metavar="SRC", help="folder of videos")
  build.add_argument("out", metavar="OUT", help="folder for the records")
  build.add_argument(
    "--csv",
    metavar="FILE",
    help="what is known about the videos (default: SRC/clips.csv, if any)",
  )
  for flag, default, text in (
    ("--short-side", 256, "pixels of the stored frames' short side"),
    ("--quality", 90, "JPEG quality, 1 to 100"),
    ("--shards", 8, "files per split"),
    ("--workers", os.cpu_count(), "processes"),
  ):
    build.add_argument(
      flag,
      type=int,
      metavar="N",
      default=default,
      help=f"{text} (default: {default})",
    )
  build.add_argument(
    "--keep-cuts", action="store_true", help="do not split videos at cuts"
  )
  build.add_argument(
    "--format", choices=["tfrecord", "array_record"], default="tfrecord"
  )
  arguments.add_ignore_metadata(build)
  arguments.add_overwrite(build)
  beam_runner.add_arguments(build)
  build.set_defaults(run_data=_build)
  motion = data_commands.add_parser(
    "motion",
    help="turn records of shots into records of their motion",
    description="Computes what the speed networks see of each shot. Killed "
    "and run again, it goes on where it was; what is there already is kept, "
    "whatever its appearances and seed.",
  )
  motion.add_argument("records", metavar="RECORDS", help="records of shots")
  motion.add_argument("out", metavar="OUT", help="folder for the motion")
  motion.add_argument(
    "--looks",
    type=int,
    metavar="N",
    default=4,
    help="appearances of each training shot (default: 4)",
  )
  motion.set_defaults(run_data=_motion)
  procedural = data_commands.add_parser(
    "procedural",
    help="make records of scenes that are calculated",
    description="Films scenes of known physics, for where there is no video "
    "at hand.",
  )
  procedural.add_argument("out", metavar="OUT", help="folder for the records")
  procedural.add_argument(
    "--scenes",
    type=int,
    metavar="N",
    default=64,
    help="how many (default: 64)",
  )
  procedural.set_defaults(run_data=_procedural)
  for command in (motion, procedural):
    arguments.add_overwrite(command)
    command.add_argument("--seed", type=int, metavar="S", default=0)
    command.add_argument(
      "--workers",
      type=int,
      metavar="N",
      default=os.cpu_count(),
      help=f"processes (default: {os.cpu_count()})",
    )
  inspect = data_commands.add_parser(
    "inspect", help="show what a folder of records holds"
  )
  inspect.add_argument("out", metavar="OUT", help="folder of records")
  inspect.add_argument("--json", action="store_true", help="print JSON")
  inspect.add_argument(
    "--sheet",
    metavar="PICTURE",
    help="contact sheet, .jpg or .png (default: OUT/contact_sheet.jpg)",
  )
  arguments.add_overwrite(inspect)
  inspect.set_defaults(run_data=_inspect)
  return data_commands


def run(args: argparse.Namespace) -> int:
  """Runs the subcommand that was chosen, and returns its exit code."""
  return args.run_data(args)


def _build(args: argparse.Namespace) -> int:
  from rich import box, console, table

  from speedflow.data import build as build_lib

  with progress.progress_bar(1) as begin:
    advance = begin("building")
    report = build_lib.build(
      args.source,
      args.out,
      csv_file=args.csv,
      short_side=args.short_side,
      quality=args.quality,
      find_cuts=not args.keep_cuts,
      ignore_metadata=args.ignore_metadata,
      shards_per_split=args.shards,
      file_format=args.format,
      runner=args.runner,
      num_workers=args.workers,
      beam_options=args.beam_options,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / max(total, 1)),
    )
  rows = table.Table(
    "split",
    *(
      table.Column(name, justify="right")
      for name in ("records", "frames", "hours")
    ),
    box=box.SIMPLE_HEAD,
    pad_edge=False,
  )
  for split, records in report.records.items():
    rows.add_row(
      split,
      f"{records}",
      f"{report.frames[split]}",
      f"{report.hours[split]:.3f}",
    )
  console.Console().print(rows)
  print(
    f"{report.clips} videos, {len(report.failures)} left out: "
    f"{wording.shown(args.out)}"
  )
  return 0


def _motion(args: argparse.Namespace) -> int:
  from speedflow.data import motion

  with progress.progress_bar(1) as begin:
    advance = begin("motion")
    written = motion.build_motion(
      pathlib.Path(args.records),
      pathlib.Path(args.out),
      appearances=args.looks,
      seed=args.seed,
      workers=args.workers,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / total),
    )
  print(f"{written} new records: {wording.shown(args.out)}")
  return 0


def _procedural(args: argparse.Namespace) -> int:
  from speedflow.data import procedural

  with progress.progress_bar(1) as begin:
    advance = begin("filming")
    written = procedural.build(
      pathlib.Path(args.out),
      args.scenes,
      seed=args.seed,
      workers=args.workers,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / total),
    )
  print(f"{written} new records: {wording.shown(args.out)}")
  return 0


def _show(found: dict[str, Any], as_json: bool) -> None:
  from speedflow.data import inspect as inspect_lib

  print(json.dumps(found) if as_json else inspect_lib.table(found))


def _inspect(args: argparse.Namespace) -> int:
  from speedflow.data import inspect as inspect_lib

  sheet = args.sheet or str(pathlib.Path(args.out) / "contact_sheet.jpg")
  files = inspect_lib.record_files(args.out)
  if not (args.sheet or os.access(args.out, os.W_OK)):
    # Who may only read the records wants to know what is in them all the same.
    _show(inspect_lib.inspect(args.out), args.json)
    print(
      f"no pictures: {wording.shown(args.out)} is read-only; name --sheet",
      file=sys.stderr,
    )
    return 0
  with claims.claim(
    "data inspect",
    files={sheet: marks.is_marked},
    inputs=files,
    overwrite=args.overwrite,
  ):
    _show(inspect_lib.inspect(args.out), args.json)
    inspect_lib.contact_sheet(args.out, sheet)
  print(f"pictures: {wording.shown(sheet)}", file=sys.stderr)
  return 0
