"""`speedflow probe`: what is a file, and how does it say it was filmed?"""

import argparse
import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speedflow import arguments, batch, wording
from speedflow.output import atomic, marks

if TYPE_CHECKING:
  from speedflow.probe import answer as probe_lib

DESCRIPTION = (
  "Shows what videos are, and what they declare of their capture: the rate at "
  "which they were filmed, who says so, and how far to trust it. The pictures "
  "are not looked at: see `speedflow estimate`."
)

_COLUMNS = (
  *("file", "status", "container", "codec", "width", "height", "fps"),
  *("duration_s", "rotation", "capture_fps", "play_fps", "speed"),
  *("source", "trust"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  batch.add_arguments(parser)
  parser.add_argument(
    "--csv",
    metavar="OUT",
    help="write one row per file; a name that a spreadsheet would take for a "
    "formula (first of all =, +, - or @) gets an apostrophe before it",
  )
  arguments.add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
  """Reads, prints and writes.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code: 2 if a file could not be read.

  Raises:
    SpeedflowError: an output cannot be written.
  """
  from speedflow.probe import answer as probe_lib
  from speedflow.probe import examine

  with batch.claimed(args, "probe", {args.csv: marks.is_table(_COLUMNS)}):
    found, interrupted = batch.ask(
      args, examine.examine, probe_lib.Probe.failed
    )
    if not args.json:
      _print(found)
    if args.csv:
      _write_csv(found, args.csv)
  return batch.exit_code(found, interrupted)


def _print(found: Sequence["probe_lib.Probe"]) -> None:
  for each in found:
    print(wording.shown(each.file))
    for line in each.in_words():
      print(f"  {wording.shown(line)}")


def _write_csv(found: Sequence["probe_lib.Probe"], path: str) -> None:
  with atomic.atomic_table(path) as out:
    rows = csv.DictWriter(out, _COLUMNS, extrasaction="ignore")
    rows.writeheader()
    for each in found:
      answer = each.to_json()
      row = {
        **answer,
        **(answer["video"] or {}),
        **(answer["declared"] or {}),
        "file": wording.cell(each.file),
      }
      rows.writerow(row)
