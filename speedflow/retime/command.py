"""`speedflow retime`: a video at the speed that is set."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from speedflow import arguments, progress, wording
from speedflow.output import claims, marks
from speedflow.retime.options import Options

if TYPE_CHECKING:
  from speedflow.retime import video

DESCRIPTION = (
  "Plays a video at any speed, or along a curve of speeds: new frames where it "
  "is slower, a shutter's blur where it is faster, and its sound in step."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument("input", metavar="IN", help="a video")
  parser.add_argument("output", metavar="OUT", help=".mp4, .mov or .mkv")
  way = parser.add_mutually_exclusive_group(required=True)
  way.add_argument(
    "--speed",
    type=arguments.positive,
    metavar="X",
    help="0.25 plays four times slower than the input",
  )
  way.add_argument(
    "--curve",
    metavar="CSV",
    help="speed over the input's time, columns time_s and speed; ramps are "
    "straight in octaves",
  )
  way.add_argument(
    "--duration",
    type=arguments.positive,
    metavar="S",
    help="seconds that it shall last",
  )
  way.add_argument(
    "--real-time",
    action="store_true",
    help="undo the speed that the file declares, or that is seen in it",
  )
  parser.add_argument(
    "--fps",
    type=arguments.frame_rate,
    metavar="RATE",
    help="frames per second of the output (default: those of the input)",
  )
  parser.add_argument(
    "--shutter",
    type=float,
    default=Options.shutter,
    metavar="DEG",
    help="how long the shutter is open, 0 to 360 degrees of a frame: the blur "
    "of what plays faster (default: %(default)g)",
  )
  parser.add_argument(
    "--audio",
    choices=["stretch", "resample", "drop"],
    default=Options.audio,
    help="sound at its old pitch, higher where faster, or none (default: "
    "%(default)s)",
  )
  parser.add_argument(
    "--exposure",
    type=arguments.exposure,
    default=Options.exposure,
    metavar="auto|0..1",
    help="how much of each frame interval the input's shutter was open; 0: it "
    "is sharp (default: judged from the picture)",
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
    help="a page with the curve: what was seen, what was made, and how sure",
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

  with contextlib.ExitStack() as stack:
    stack.enter_context(media.raw_streams_at(args.raw_fps))
    if args.report:
      sidecar = provenance.path_of(args.output)
      claims.compare([args.report, args.output, sidecar], [])
      stack.enter_context(
        claims.claim(
          "retime",
          files={args.report: marks.is_marked},
          inputs=[args.input, args.weights],
          overwrite=args.overwrite,
        )
      )
    with progress.progress_bar(1) as begin:
      made = _make(args, begin(args.output))
    if args.report:
      from speedflow.retime import report

      report.write(args.report, args.input, args.output)
  for said in (made.damage, *(f"left out: {each}" for each in made.left_out)):
    if said:
      line = wording.shown(f"{args.input}: {said}")
      print(f"speedflow: {line}", file=sys.stderr)
  if made.undone is not None:
    print(wording.shown(f"{args.input}: {made.undone.in_words()}"))
  kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(made.counts.items()))
  print(
    wording.shown(
      f"{made.path}: {made.duration_s:.2f} s, {float(made.fps):.5g} fps, "
      f"{kinds} ({made.provenance})"
    )
  )
  return 0


def _make(
  args: argparse.Namespace, on_progress: Callable[[float], None]
) -> "video.Output":
  from speedflow.retime import video

  try:
    return video.retime(
      args.input, args.output, arguments.chosen(Options, args), on_progress
    )
  except KeyboardInterrupt:
    print("speedflow: the same command and --resume go on", file=sys.stderr)
    raise
