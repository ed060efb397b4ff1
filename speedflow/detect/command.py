"""`speedflow detect`: where was the speed changed, and how?"""

import argparse
import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speedflow import arguments, batch, wording
from speedflow.output import marks
from speedflow.pages import pictures

if TYPE_CHECKING:
  from speedflow.detect import answer as detect_lib

DESCRIPTION = (
  "Finds where the speed of videos was changed, by picture and "
  "sound, and says what was done: untouched, sped up, slowed down, mixed, or "
  "in conflict, where picture and sound were not changed alike."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments."""
  batch.add_arguments(parser)
  parser.add_argument(
    "--plot",
    type=arguments.path_with_suffix(".png"),
    metavar="OUT.png",
    help="draw the evidence over time",
  )
  parser.add_argument(
    "--report",
    type=arguments.path_with_suffix(".html"),
    metavar="OUT.html",
    help="write a page: evidence, film strips, and what it cannot know",
  )
  arguments.add_ignore_metadata(parser)
  arguments.add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
  """Detects, prints and writes.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code: 2 if a file could not be read.

  Raises:
    SpeedflowError: an output cannot be written.
  """
  from speedflow.detect import answer as detect_lib
  from speedflow.detect import detector as detector_lib
  from speedflow.detect import witness

  if args.plot:
    pictures.require_few(args.plot, len(args.files))
  wanted = dict.fromkeys((args.plot, args.report), marks.is_marked)
  with batch.claimed(args, "detect", wanted):
    detector = detector_lib.load_detector()
    answer = functools.partial(
      witness.detect, detector, ignore_metadata=args.ignore_metadata
    )
    detections, interrupted = batch.ask(
      args, answer, detect_lib.Detection.failed
    )
    _show(args, detections)
  return batch.exit_code(detections, interrupted)


def _show(
  args: argparse.Namespace, detections: Sequence["detect_lib.Detection"]
) -> None:
  """Prints and writes what was asked for, but no JSON.

  Args:
    args: parsed by what `add_arguments` declares.
    detections: the answers about `args.files`.
  """
  if not args.json:
    print_table(detections)
  if args.plot:
    from speedflow.detect import plot

    plot.write_picture(args.plot, detections)
  if args.report:
    from speedflow.detect import report

    report.write(args.report, detections)


def print_table(detections: Sequence["detect_lib.Detection"]) -> None:
  """Prints a row for each file, and below them why."""
  from rich import box, console, table, text

  rows = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
  rows.add_column("file", overflow="fold")
  rows.add_column("verdict", no_wrap=True)
  for name in ("sure", "changes"):
    rows.add_column(name, justify="right", no_wrap=True)
  rows.add_column("sound", no_wrap=True)
  notes = []
  for found in detections:
    cells = ["error", "", "", ""]
    if found.verdict is not None and found.sound is not None:
      cells = [
        found.verdict.replace("_", " "),
        f"{max(found.probabilities.values()):.0%}",
        str(len(found.changes)),
        found.sound.status,
      ]
      notes.append(wording.shown(f"{found.file}: {found.why}"))
    # Text, since a file name may look like rich's markup.
    rows.add_row(text.Text(wording.shown(found.file)), *cells)
  # A pipe has no width for the names to be folded at.
  width = None if sys.stdout.isatty() else 1000
  console.Console(width=width).print(rows)
  for note in notes:
    print(note)
