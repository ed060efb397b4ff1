"""What the commands share that make the frames of a video."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, TypeVar

from speedflow import arguments, progress, wording
from speedflow.output import claims, marks
from speedflow.superres.options import Settings


class Made(Protocol):
  """What was written."""

  @property
  def path(self) -> str:
    """The video."""
    ...

  @property
  def provenance(self) -> str:
    """The JSON file beside it."""
    ...

  @property
  def fps(self) -> Fraction:
    """Frames per second of playback."""
    ...

  @property
  def counts(self) -> dict[str, int]:
    """Number of frames of each kind."""
    ...

  @property
  def damage(self) -> str | None:
    """What of the input could not be read; None if all could."""
    ...

  @property
  def left_out(self) -> tuple[str, ...]:
    """What else was in the input, and is not in the output, in words."""
    ...


_Made = TypeVar("_Made", bound=Made)


def add_files(parser: argparse.ArgumentParser) -> None:
  """Declares the two videos."""
  parser.add_argument("input", metavar="IN", help="a video")
  parser.add_argument("output", metavar="OUT", help=".mp4, .mov or .mkv")


def add_settings(parser: argparse.ArgumentParser) -> None:
  """Declares `Settings`, `--report` and `--raw-fps`."""
  parser.add_argument(
    "--exposure",
    type=arguments.exposure,
    default=Settings.exposure,
    metavar="auto|0..1",
    help="how much of each frame interval the input's shutter was open; 0: it "
    "is sharp (default: judged from the picture)",
  )
  parser.add_argument(
    "--crf",
    type=int,
    default=Settings.crf,
    metavar="N",
    help="quality, 0 (lossless) to 51 (default: %(default)s)",
  )
  parser.add_argument(
    "--mark",
    action="store_true",
    help="write on every frame that nobody filmed what it is",
  )
  parser.add_argument(
    "--report",
    type=arguments.path_with_suffix(".html"),
    metavar="OUT.html",
    help="a page that shows what was seen, what was made, and how sure it is",
  )
  parser.add_argument(
    "--resume",
    action="store_true",
    help="go on where a run that was killed has stopped",
  )
  arguments.add_raw_fps(parser)
  arguments.add_overwrite(parser)
  parser.add_argument(
    "--weights",
    default=Settings.weights,
    metavar="NAME|FILE|FOLDER",
    help="shipped weights, a file of exported ones, or a folder of Wan as the "
    "library diffusers keeps it (default: %(default)s)",
  )


def run(
  args: argparse.Namespace,
  command: str,
  make: Callable[[Callable[[float], None]], _Made],
  write_page: Callable[[], None],
) -> _Made:
  """Makes a video, and the page if it was asked for; says what was amiss.

  Args:
    args: parsed by what `add_files` and `add_settings` declare.
    command: that runs.
    make: makes the video; is given what to call with the share that is done.
    write_page: writes the page.

  Returns:
    What was made.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow import media
  from speedflow.superres import provenance

  with contextlib.ExitStack() as stack:
    stack.enter_context(media.raw_streams_at(args.raw_fps))
    if args.report:
      sidecar = provenance.path_of(args.output)
      claims.compare([args.report, args.output, sidecar], [])
      stack.enter_context(
        claims.claim(
          command,
          files={args.report: marks.is_marked},
          inputs=[args.input, args.weights],
          overwrite=args.overwrite,
        )
      )
    with progress.progress_bar(1) as begin:
      try:
        made = make(begin(args.output))
      except KeyboardInterrupt:
        print("speedflow: the same command and --resume go on", file=sys.stderr)
        raise
    if args.report:
      write_page()
  if made.damage:
    damage = wording.shown(f"{args.input}: {made.damage}")
    print(f"speedflow: {damage}", file=sys.stderr)
  if made.left_out:
    left_out = wording.shown(", ".join(made.left_out))
    print(f"speedflow: {args.input}: left out: {left_out}", file=sys.stderr)
  return made


def in_words(made: Made, length: str = "") -> str:
  """What was made, on one line.

  Args:
    made: it.
    length: how long it lasts, in words; empty: not said.
  """
  kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(made.counts.items()))
  rate = f"{float(made.fps):.5g} fps"
  said = ", ".join(filter(None, (length, rate, kinds)))
  return wording.shown(f"{made.path}: {said} ({made.provenance})")
