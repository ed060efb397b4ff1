"""`speedflow estimate`: how fast does a video play?"""

import argparse
import csv
import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speedflow import arguments, batch, wording
from speedflow.output import atomic, marks
from speedflow.pages import pictures

if TYPE_CHECKING:
  from speedflow.estimate import answer as estimate_lib

DESCRIPTION = (
  "Estimates how fast videos play: 2 is twice as fast as the "
  "world, 0.25 four times slowed. Intervals hold the truth with 80 % "
  "probability."
)

_COLUMNS = (
  *("file", "start_s", "end_s", "speed", "speed_low", "speed_high"),
  *("status", "reason"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  batch.add_arguments(parser)
  parser.add_argument(
    "--csv",
    metavar="OUT",
    help="write one row per segment; a name that a spreadsheet would take for "
    "a formula (first of all =, +, - or @) gets an apostrophe before it",
  )
  parser.add_argument(
    "--plot",
    type=arguments.path_with_suffix(".png", ".html"),
    metavar="OUT.png|OUT.html",
    help="draw speed over time, as a picture or as a page with film strips",
  )
  arguments.add_ignore_metadata(parser)
  arguments.add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
  """Estimates, prints and writes.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code: 2 if a file could not be read.

  Raises:
    SpeedflowError: an output cannot be written.
  """
  from speedflow.estimate import answer as estimate_lib
  from speedflow.estimate import estimator as estimator_lib
  from speedflow.estimate import witness

  if args.plot and args.plot.lower().endswith(".png"):
    pictures.require_few(args.plot, len(args.files))
  wanted = {args.csv: marks.is_table(_COLUMNS), args.plot: marks.is_marked}
  with batch.claimed(args, "estimate", wanted):
    estimator = estimator_lib.load_estimator()
    answer = functools.partial(
      witness.estimate, estimator, ignore_metadata=args.ignore_metadata
    )
    estimates, interrupted = batch.ask(
      args, answer, estimate_lib.Estimate.failed
    )
    if not args.json:
      _print_table(estimates)
    if args.csv:
      _write_csv(estimates, args.csv)
    if args.plot:
      from speedflow.estimate import report

      report.write(estimates, args.plot)
  return batch.exit_code(estimates, interrupted)


def _print_table(estimates: Sequence["estimate_lib.Estimate"]) -> None:
  from rich import box, console, table, text

  rows = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
  rows.add_column("file", overflow="fold")
  for name in ("length", "fps", "speed", "80 % interval"):
    rows.add_column(name, justify="right", no_wrap=True)
  rows.add_column("status", no_wrap=True)
  notes = []
  for found in estimates:
    name = wording.shown(found.file)
    numbers = [""] * 4
    if found.duration_s is not None:
      numbers[0] = f"{found.duration_s:.1f} s"
    if found.fps is not None:
      numbers[1] = f"{found.fps:.5g}"
    if found.status == "ok":
      numbers[2] = f"{found.speed:.3g}x"
      numbers[3] = f"{found.speed_low:.2g}-{found.speed_high:.2g}"
      if len(found.segments) > 1:
        notes.append(f"{name}: {_spans(found.segments)}")
    elif found.status == "uncertain":
      notes.append(f"{name}: {found.in_words()}")
    notes += [f"{name}: {wording.shown(line)}" for line in _of_file(found)]
    notes += [f"{name}: {clock.in_words()}" for clock in found.clocks]
    # Text, since a file name may look like rich's markup.
    rows.add_row(text.Text(name), *numbers, found.status)
  # A pipe has no width for the names to be folded at.
  width = None if sys.stdout.isatty() else 1000
  console.Console(width=width).print(rows)
  for note in notes:
    print(note)


def _of_file(found: "estimate_lib.Estimate") -> list[str]:
  """What the file says of its speed, and whether that is believed."""
  declared = found.declared
  if found.warning:
    return [found.warning]
  if declared is None or declared.speed is None:
    return []
  words = f"the file {declared.in_words()} ({declared.source})"
  if found.decided_by == "declared":
    picture = found.picture
    seen = picture.in_words() if picture else ""
    return [f"{words}; the picture alone {seen}"]
  return [f"{words}; not trusted ({declared.trust})"]


def _spans(segments: Sequence["estimate_lib.Segment"]) -> str:
  return ", ".join(
    f"{s.start_s:.1f}-{s.end_s:.1f} s {s.speed:.2g}x" for s in segments
  )


def _write_csv(estimates: Sequence["estimate_lib.Estimate"], path: str) -> None:
  with atomic.atomic_table(path) as out:
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for found in estimates:
      answer = found.to_json()
      for segment in answer["segments"] or [{}]:
        rows.writerow(
          [wording.cell(found.file)]
          + [segment.get(k) for k in ("start_s", "end_s", "speed")]
          + [segment.get(k) for k in ("speed_low", "speed_high")]
          + [found.status, wording.cell(found.error or found.reason or "")]
        )
