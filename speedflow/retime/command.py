"""`speedflow retime`: a video at the speed that is set."""

import argparse

from speedflow import arguments, wording
from speedflow.retime.options import Options
from speedflow.superres import making

DESCRIPTION = (
  "Plays a video at any speed, or along a curve of speeds: new frames where it "
  "is slower, a shutter's blur where it is faster, and its sound in step."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  making.add_files(parser)
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
  from speedflow.retime import video

  def write_page() -> None:
    # What draws takes a second to import.
    from speedflow.retime import report

    report.write(args.report, args.input, args.output)

  options = arguments.chosen(Options, args)
  made = making.run(
    args,
    "retime",
    lambda advance: video.retime(args.input, args.output, options, advance),
    write_page,
  )
  if made.undone is not None:
    print(wording.shown(f"{args.input}: {made.undone.in_words()}"))
  print(making.in_words(made, f"{made.duration_s:.2f} s"))
  return 0
