"""`speedflow data latents`: clips of shots, encoded to train Wan on."""

import argparse
import pathlib
from typing import Any

from speedflow import arguments, progress, wording
from speedflow.data import beam_runner
from speedflow.errors import SpeedflowError


def add_command(commands: Any) -> None:
  """Declares it among the subcommands of `speedflow data`."""
  parser = commands.add_parser(
    "latents",
    help="encode clips of shots by Wan's encoders, to train Wan on",
    description="Draws clips at many speeds from records of shots, and encodes "
    "them by Wan's autoencoder and encoders of texts and pictures. Killed and "
    "run again, it goes on where it was.",
  )
  parser.add_argument("records", metavar="RECORDS", help="records of shots")
  parser.add_argument("out", metavar="OUT", help="folder for the latents")
  parser.add_argument(
    "--weights",
    required=True,
    metavar="FOLDER",
    help="Wan, as the library diffusers keeps it",
  )
  for flag, default, text in (
    ("--frames", 81, "of a clip, 1 more than a multiple of 8"),
    ("--clips", 4, "of each training shot"),
    ("--seed", 0, "of the drawing"),
  ):
    parser.add_argument(
      flag,
      type=int,
      metavar="N",
      default=default,
      help=f"{text} (default: {default})",
    )
  parser.add_argument(
    "--size",
    type=_size,
    metavar="WxH",
    default=(832, 480),
    help="pixels (default: 832x480)",
  )
  parser.add_argument(
    "--text",
    default="",
    metavar="TEXT",
    help="of all clips (default: what the records say can be seen)",
  )
  parser.add_argument(
    "--tasks",
    default="first,ends,every,blurred,before",
    metavar="T[,T...]",
    help="which frames are known: the first; first and last; every eighth; "
    "these, blurred; the first few (default: %(default)s)",
  )
  parser.add_argument(
    "--mirror",
    action="store_true",
    help="exchange left and right in every second clip, where neither texts nor"
    " motion mind",
  )
  beam_runner.add_arguments(parser)
  arguments.add_overwrite(parser)
  parser.set_defaults(run_data=_run)


def _size(text: str) -> tuple[int, int]:
  width, cross, height = text.partition("x")
  if not (cross and width.isdecimal() and height.isdecimal()):
    raise argparse.ArgumentTypeError(
      f"{text} is no size; wanted one such as 832x480"
    )
  return int(width), int(height)


def _run(args: argparse.Namespace) -> int:
  from speedflow.data.speed_clips import TASKS
  from speedflow.wan import latents

  tasks = args.tasks.split(",")
  if unknown := sorted(set(tasks) - set(TASKS)):
    raise SpeedflowError(
      f"--tasks names {unknown[0]!r}, which is none of {', '.join(TASKS)}"
    )
  width, height = args.size
  with progress.progress_bar(1) as begin:
    advance = begin("encoding")
    records = latents.build(
      pathlib.Path(args.records),
      pathlib.Path(args.out),
      pathlib.Path(args.weights),
      latents.Options(
        frames=args.frames,
        height=height,
        width=width,
        clips=args.clips,
        text=args.text,
        tasks=tuple(tasks),
        seed=args.seed,
        mirror=args.mirror,
      ),
      runner=args.runner,
      beam_options=args.beam_options,
      overwrite=args.overwrite,
      on_progress=lambda done, total: advance(done / total),
    )
  print(f"{records} records: {wording.shown(args.out)}")
  return 0
