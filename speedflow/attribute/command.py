"""`speedflow attribute`: which clips taught a motion, and what to train on."""

import argparse
import pathlib

from speedflow import arguments, progress, wording
from speedflow.attribute.options import Options

DESCRIPTION = (
  "Ranks the clips that a generator was trained on by what they "
  "taught it of the motion of some queries, for and against, and selects "
  "what to train on. Killed and run again, it goes on where it was."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument(
    "--queries",
    required=True,
    metavar="DIR",
    help="folder of videos that show the motion, or of records of tracks; of "
    "records of latents for Wan",
  )
  parser.add_argument(
    "--data",
    required=True,
    metavar="RECORDS",
    help="folder of records of tracks that the generator learnt from; of "
    "records of latents for Wan",
  )
  parser.add_argument(
    "--out",
    required=True,
    metavar="DIR",
    help="folder for the results; run again with the same one, it goes on "
    "where it was",
  )
  parser.add_argument(
    "--top",
    type=float,
    default=Options.top,
    metavar="P",
    help="share of the clips to select (default: %(default)s)",
  )
  parser.add_argument(
    "--drop",
    action="store_true",
    help="leave that share of worst teachers out, instead of keeping the best",
  )
  parser.add_argument(
    "--weights",
    default=Options.weights,
    metavar="NAME|FILE|FOLDER",
    help="a shipped generator, an exported one, or a folder of Wan that has "
    "learnt speed (default: %(default)s)",
  )
  parser.add_argument(
    "--split",
    default=Options.split,
    metavar="NAME",
    help="of the records (default: %(default)s)",
  )
  parser.add_argument(
    "--query-speed",
    type=arguments.positive,
    default=Options.query_speed,
    metavar="X",
    help="playback speed of the videos among the queries (default: "
    "%(default)s)",
  )
  parser.add_argument(
    "--adapter-rank",
    type=int,
    default=Options.adapter_rank,
    metavar="N",
    help="of Wan: gradients of low-rank matrices of this rank beside its "
    "attentions, which take less memory; 0: of all parameters (default: "
    "%(default)s)",
  )
  arguments.add_overwrite(parser)
  parser.add_argument(
    "--part",
    type=_part,
    default=Options.part,
    metavar="I/N",
    help="on the I-th of N hosts that share the folder: work on every N-th "
    "file only; the one that finds nothing missing writes the results",
  )


def run(args: argparse.Namespace) -> int:
  """Attributes, and prints where the results are.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow.attribute import attribution

  with progress.progress_bar(1) as begin:
    answer = attribution.attribute(
      pathlib.Path(args.queries),
      pathlib.Path(args.data),
      pathlib.Path(args.out),
      arguments.chosen(Options, args),
      begin(args.out),
    )
  print(f"{answer.made} new features: {wording.shown(args.out)}")
  if answer.missing:
    print(f"{answer.missing} files of records are left to others")
  else:
    print(
      f"{answer.clips} clips ranked, {answer.selected} selected: "
      f"{wording.shown(answer.page)}"
    )
  return 0


def _part(text: str) -> tuple[int, int]:
  """Reads "2/4", counted from 1, as (1, 4)."""
  first, _, every = text.partition("/")
  try:
    part = int(first) - 1, int(every)
  except ValueError:
    part = -1, 0
  if not 0 <= part[0] < part[1]:
    raise argparse.ArgumentTypeError(
      f"{text} is no part; wanted one such as 2/4"
    )
  return part
