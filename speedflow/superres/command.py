"""`speedflow superres`: more frames a second, or slow motion."""

import argparse

from speedflow import arguments
from speedflow.superres import making
from speedflow.superres.options import Options

DESCRIPTION = (
  "Makes frames between those of a video, deblurred where the "
  "shutter was open long, and says of each whether it was seen or made."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  making.add_files(parser)
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
    "--audio",
    choices=["keep", "stretch", "drop"],
    help="(default: keep; with --slow, stretch at the old pitch)",
  )
  making.add_settings(parser)


def run(args: argparse.Namespace) -> int:
  """Makes the video.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow.superres import video

  def write_page() -> None:
    # What draws takes a second to import.
    from speedflow.superres import report

    report.write(args.report, args.input, args.output)

  options = arguments.chosen(Options, args)
  made = making.run(
    args,
    "superres",
    lambda advance: video.superres(args.input, args.output, options, advance),
    write_page,
  )
  print(making.in_words(made))
  return 0
