"""`speedflow superres`: more frames a second, or slow motion."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from speedflow import arguments, progress, wording
from speedflow.output import claims, marks
from speedflow.superres.options import Options

if TYPE_CHECKING:
  from speedflow.superres import video

DESCRIPTION = (
  "Makes frames between those of a video, deblurred where the "
  "shutter was open long, and says of each whether it was seen or made."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument("input", metavar="IN", help="a video")
  parser.add_argument("output", metavar="OUT", help=".mp4, .mov or .mkv")
  rate = parser.add_mutually_exclusive_group()
  rate.add_argument(
    "--factor",
    type=int,
    metavar="K",
    help="frames for each frame of the input (default: 2)",
  )
  rate.add_argument(
    "--fps",
    type=arguments.frame_rate,
    metavar="RATE",
    help="frames per second instead, such as 120 or 60000/1001",
  )
  parser.add_argument(
    "--slow",
    action="store_true",
    help="play at the rate of the input, so much slower",
  )
  parser.add_argument(
    "--exposure",
    type=arguments.exposure,
    default=Options.exposure,
    metavar="auto|0..1",
    help="how much of each frame interval the shutter was open; 0: the input "
    "is sharp (default: judged from the picture)",
  )
  parser.add_argument(
    "--audio",
    choices=["keep", "stretch", "drop"],
    help="(default: keep; with --slow, stretch at the old pitch)",
  )
  parser.add_argument(
    "--crf",
    type=int,
    default=Options.crf,
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
    default=Options.weights,
    metavar="NAME|FILE",
    help="shipped weights, or a file of exported ones (default: %(default)s)",
  )


def run(args: argparse.Namespace) -> int:
  """Makes the video.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow import media
  from speedflow.superres import provenance

  sidecar = provenance.path_of(args.output)
  with contextlib.ExitStack() as stack:
    stack.enter_context(media.raw_streams_at(args.raw_fps))
    if args.report:
      claims.compare([args.report, args.output, sidecar], [])
      stack.enter_context(
        claims.claim(
          "superres",
          files={args.report: marks.is_marked},
          inputs=[args.input, args.weights],
          overwrite=args.overwrite,
        )
      )
    with progress.progress_bar(1) as begin:
      made = _make(args, begin(args.output))
    if args.report:
      from speedflow.superres import report

      report.write(args.report, args.input, args.output)
  if made.damage:
    damage = wording.shown(f"{args.input}: {made.damage}")
    print(f"speedflow: {damage}", file=sys.stderr)
  if made.left_out:
    left_out = wording.shown(", ".join(made.left_out))
    print(f"speedflow: {args.input}: left out: {left_out}", file=sys.stderr)
  kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(made.counts.items()))
  line = f"{made.path}: {float(made.fps):.5g} fps, {kinds} ({made.provenance})"
  print(wording.shown(line))
  return 0


def _make(
  args: argparse.Namespace, on_progress: Callable[[float], None]
) -> "video.Output":
  from speedflow.superres import video

  try:
    return video.superres(
      args.input,
      args.output,
      arguments.chosen(Options, args),
      on_progress,
    )
  except KeyboardInterrupt:
    print("speedflow: the same command and --resume go on", file=sys.stderr)
    raise
