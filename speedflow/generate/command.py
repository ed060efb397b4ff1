"""`speedflow generate`: a clip, or a row of clips, at the wanted speed."""

import argparse
import math

from speedflow import arguments, progress
from speedflow.generate.options import Options

DESCRIPTION = (
  "Makes a clip from one picture, at any speed or along a curve "
  "of speeds; several speeds are shown side by side."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  first = parser.add_mutually_exclusive_group(required=True)
  first.add_argument("--image", metavar="IMG", help="the first frame")
  first.add_argument(
    "--video", metavar="CLIP", help="a video whose first frame is the first"
  )
  speed = parser.add_mutually_exclusive_group()
  speed.add_argument(
    "--speed",
    type=_speeds,
    metavar="S[,S...]",
    dest="speeds",
    default=Options.speeds,
    help="0.25 plays four times slowed; several speeds are shown side by side, "
    "from the same seed (default: 1)",
  )
  speed.add_argument(
    "--speed-curve",
    dest="curve",
    metavar="CSV",
    help="speed over time, columns time_s and speed",
  )
  parser.add_argument(
    "--frames", type=int, metavar="N", help="length (default: as trained)"
  )
  parser.add_argument(
    "--fps",
    type=arguments.frame_rate,
    default=Options.fps,
    metavar="RATE",
    help="frames per second of playback (default: %(default)s)",
  )
  for flag, default, text in (
    (
      "--guidance",
      Options.guidance,
      "1 follows the speed as trained, 2 exaggerates it",
    ),
    (
      "--image-guidance",
      Options.image_guidance,
      "the same for the first frame",
    ),
  ):
    parser.add_argument(
      flag,
      type=float,
      default=default,
      metavar="G",
      help=f"{text} (default: %(default)g)",
    )
  for flag, default, text in (
    ("--steps", Options.steps, "of the sampler"),
    ("--seed", Options.seed, "the same seed gives the same clip"),
    ("--size", Options.size, "height and width of the clip, pixels"),
  ):
    parser.add_argument(
      flag,
      type=int,
      default=default,
      metavar="N",
      help=f"{text} (default: {default})",
    )
  parser.add_argument(
    "--exposure",
    type=float,
    default=Options.exposure,
    metavar="E",
    help="open-shutter time / frame interval, for motion blur (default: "
    "%(default)s)",
  )
  parser.add_argument(
    "--weights",
    default=Options.weights,
    metavar="NAME|FILE",
    help="a shipped generator, or an exported one (default: %(default)s)",
  )
  arguments.add_overwrite(parser)
  parser.add_argument("out", metavar="OUT.mp4")


def run(args: argparse.Namespace) -> int:
  """Generates, and writes the video.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow.generate import video

  with progress.progress_bar(1) as begin:
    video.write_video(
      args.out,
      args.image or args.video,
      arguments.chosen(Options, args),
      begin(args.out),
    )
  return 0


def _speeds(text: str) -> tuple[float, ...]:
  try:
    speeds = tuple(float(part) for part in text.split(","))
  except ValueError:
    speeds = (0.0,)
  if not all(0 < speed < math.inf for speed in speeds):
    raise argparse.ArgumentTypeError(
      f"{text} is no speed; wanted one such as 0.25, or some: 0.25,1,4"
    )
  return speeds
