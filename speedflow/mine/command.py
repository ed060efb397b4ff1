"""`speedflow mine`: slow motion out of any amount of video."""

import argparse
import os
import sys

from speedflow import arguments, wording
from speedflow.data import beam_runner
from speedflow.errors import SpeedflowError
from speedflow.mine.options import Options

DESCRIPTION = (
  "Finds slow motion in collections of any size: clips, training "
  "records, a report, and a stated false-positive rate. Killed and run "
  "again, it goes on where it was. A file that cannot be read is left out "
  "and named."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument(
    "sources",
    nargs="+",
    metavar="SRC",
    help="files, folders, patterns, .txt lists of them, or URLs that fsspec "
    "opens",
  )
  parser.add_argument(
    "--out",
    required=True,
    metavar="DIR",
    help="folder for clips and reports; run again with the same one, it goes "
    "on where it was",
  )
  parser.add_argument(
    "--max-speed",
    type=arguments.positive,
    default=Options.max_speed,
    metavar="X",
    help="fastest playback speed that is wanted (default: %(default)s)",
  )
  parser.add_argument(
    "--fpr",
    type=arguments.positive,
    default=Options.fpr,
    metavar="P",
    help="false-positive rate to keep on real-time scenes (default: "
    "%(default)s)",
  )
  parser.add_argument(
    "--min-seconds",
    type=arguments.positive,
    default=Options.min_seconds,
    metavar="S",
    help="shortest clip, seconds of playback (default: %(default)s)",
  )
  parser.add_argument(
    "--max-minutes",
    type=arguments.positive,
    default=Options.max_minutes,
    metavar="M",
    help="of work on one file, which is then left out (default: %(default)s)",
  )
  parser.add_argument(
    "--dense", action="store_true", help="scan every frame of every file"
  )
  parser.add_argument(
    "--changes",
    action="store_true",
    help="cut where the change detector finds changes of speed, too",
  )
  parser.add_argument(
    "--weights",
    default=Options.weights,
    metavar="NAME|FILE",
    help="shipped weights, or a file of exported ones (default: %(default)s)",
  )
  parser.add_argument(
    "--calibration",
    metavar="FILE.json",
    help="of false positives (default: the one of the weights; of a FILE, the "
    "one of the shipped weights)",
  )
  parser.add_argument(
    "--workers",
    type=int,
    default=Options.workers,
    metavar="N",
    help="threads, for the DirectRunner (default: %(default)s)",
  )
  arguments.add_ignore_metadata(parser)
  arguments.add_overwrite(parser)
  beam_runner.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
  """Mines, and prints what was found and what may be claimed.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input, or nothing of it can be read.
  """
  # Its absence is explained before anything needs it.
  beam_runner.import_beam()
  from speedflow.mine import search

  account = search.search(
    args.sources,
    args.out,
    arguments.chosen(Options, args),
  )
  for name, reason in account["unreadable"].items():
    line = f"left out: {wording.shown(name)}: {wording.shown(reason)}"
    print(line, file=sys.stderr)
  files = account["counters"].get("files", 0)
  print(
    f"{account['clips']} clips, {account['clip_seconds']:.1f} s, from "
    f"{account['video_seconds'] / 3600:.3f} hours of "
    f"{files} files: "
    f"{wording.shown(os.path.join(args.out, 'report.html'))}"
  )
  counters = ", ".join(f"{k} {v}" for k, v in account["counters"].items())
  print(counters)
  print(account["statement"])
  # Of files of the same content, only one has a reason.
  contents = files - account["counters"].get("same_content", 0)
  if not account["clips"] and len(account["unreadable"]) == contents:
    raise SpeedflowError(
      f"{args.out}: none of {files} files could be read; the reasons are above"
    )
  return 0
