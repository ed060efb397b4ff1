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
  for flag, text in (
    ("--text", "what happens in the clip, which Wan wants to be told"),
    ("--against", "what should not happen in it"),
  ):
    parser.add_argument(flag, default="", metavar="TEXT", help=text)
  for flag, guidance, text in (
    ("--text-guidance", Options.text_guidance, "more exaggerates the text"),
    ("--guidance", Options.guidance, "more exaggerates the speed"),
    ("--image-guidance", Options.image_guidance, "the same for the picture"),
  ):
    parser.add_argument(
      flag,
      type=float,
      default=guidance,
      metavar="G",
      help=f"1 is as trained, {text} (default: %(default)g)",
    )
  for flag, count, text in (
    ("--steps", Options.steps, "of the sampler (default: 30; Wan: 50)"),
    ("--seed", Options.seed, "the same seed gives the same clip (default: 0)"),
    ("--size", Options.size, "height and width, pixels (default: 256)"),
  ):
    parser.add_argument(flag, type=int, default=count, metavar="N", help=text)
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
    metavar="NAME|FILE|FOLDER",
    help="a shipped generator, an exported one, or a folder of Wan as the "
    "library diffusers keeps it (default: %(default)s)",
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
