"""`speedflow mine`: slow motion out of any amount of video."""

import argparse
import dataclasses
import os
import pathlib
import sys

from speedflow import arguments, wording
from speedflow.data import beam_runner
from speedflow.errors import SpeedflowError
from speedflow.output import claims

# Weights of the change detector.
_CHANGES = "tiny"
# Shipped weights whose calibration stands in for that of a file.
_CALIBRATED = "tiny"

DESCRIPTION = (
  "Finds slow motion in collections of any size: clips, training "
  "records, a report, and a stated false-positive rate. Killed and run "
  "again, it goes on where it was. A file that cannot be read is left out "
  "and named."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  parser.add_argument(
    "sources",
    nargs="+",
    metavar="SRC",
    help="files, folders, patterns, .txt lists of them, or URLs that fsspec "
    "opens",
  )
  parser.add_argument(
    "--out",
    required=True,
    metavar="DIR",
    help="folder for clips and reports; run again with the same one, it goes "
    "on where it was",
  )
  parser.add_argument(
    "--max-speed",
    type=arguments.positive,
    default=0.5,
    metavar="X",
    help="fastest playback speed that is wanted (default: %(default)s)",
  )
  parser.add_argument(
    "--fpr",
    type=arguments.positive,
    default=0.01,
    metavar="P",
    help="false-positive rate to keep on real-time scenes (default: "
    "%(default)s)",
  )
  parser.add_argument(
    "--min-seconds",
    type=arguments.positive,
    default=2.0,
    metavar="S",
    help="shortest clip, seconds of playback (default: %(default)s)",
  )
  parser.add_argument(
    "--max-minutes",
    type=arguments.positive,
    default=120.0,
    metavar="M",
    help="of work on one file, which is then left out (default: %(default)s)",
  )
  parser.add_argument(
    "--dense", action="store_true", help="scan every frame of every file"
  )
  parser.add_argument(
    "--changes",
    action="store_true",
    help="cut where the change detector finds changes of speed, too",
  )
  parser.add_argument(
    "--weights",
    default="tiny",
    metavar="NAME|FILE",
    help="shipped weights, or a file of exported ones (default: %(default)s)",
  )
  parser.add_argument(
    "--calibration",
    metavar="FILE.json",
    help="of false positives (default: the one of the weights; of a FILE, the "
    f"one of {_CALIBRATED})",
  )
  parser.add_argument(
    "--workers",
    type=int,
    default=1,
    metavar="N",
    help="threads, for the DirectRunner (default: %(default)s)",
  )
  arguments.add_overwrite(parser)
  beam_runner.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
  """Mines, and prints what was found and what may be claimed.

  Args:
    args: parsed by what `add_arguments` declares.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input, or nothing of it can be read.
  """
  # Its absence is explained before anything needs it.
  beam_runner.import_beam()
  import speedflow
  from speedflow.estimate import estimator
  from speedflow.mine import examine, pipeline, sources, threshold

  # Workers would find out late that there are no such weights, file by file.
  estimator.load_estimator(args.weights)
  is_file = args.weights.endswith(".npz")
  calibration = threshold.load(
    args.calibration or (_CALIBRATED if is_file else args.weights)
  )
  limit = calibration.threshold(args.fpr)
  statement = limit.in_words(calibration.footage)
  weights_sha256 = threshold.digest(args.weights)
  calibrated = calibration.fits(
    weights_sha256, args.min_seconds, args.max_speed
  )
  if not calibrated:
    statement = (
      "No false-positive rate can be stated: the calibration is of other "
      f"weights, or of pieces of {calibration.min_seconds:g} s and more at "
      f"{calibration.max_speed:g}x and slower; run "
      "`python -m experiments.slowmo_mining.calibrate`."
    )
  elif limit.confidence < threshold.CONFIDENCE:
    statement += (
      f" So many scenes vouch for {calibration.smallest_fpr():.3g} at best "
      f"with {100 * threshold.CONFIDENCE:g} % confidence."
    )
  settings = examine.Settings(
    max_speed=args.max_speed,
    evidence=limit.evidence,
    min_seconds=args.min_seconds,
    doubt=calibration.doubt,
    sparse=not args.dense,
    max_minutes=args.max_minutes,
  )
  job = pipeline.Job(
    pathlib.Path(args.out),
    settings,
    args.weights,
    weights_sha256,
    _CHANGES if args.changes else "",
    threshold.digest(_CHANGES, "change") if args.changes else "",
  )
  claims.compare([args.out], args.sources)
  account = pipeline.mine(
    sources.expand(args.sources),
    job,
    {
      "statement": statement,
      "settings": {**dataclasses.asdict(settings), "fpr": args.fpr},
      "calibration": dataclasses.asdict(limit) | {"fits": calibrated},
      "models": {
        "speedflow": speedflow.__version__,
        "estimator": args.weights,
        "estimator_sha256": weights_sha256,
        "changes": job.changes or None,
        "changes_sha256": job.changes_sha256 or None,
      },
    },
    runner=args.runner,
    workers=args.workers,
    beam_options=args.beam_option,
    overwrite=args.overwrite,
  )
  for name, reason in account["unreadable"].items():
    line = f"left out: {wording.shown(name)}: {wording.shown(reason)}"
    print(line, file=sys.stderr)
  files = account["counters"].get("files", 0)
  print(
    f"{account['clips']} clips, {account['clip_seconds']:.1f} s, from "
    f"{account['video_seconds'] / 3600:.3f} hours of "
    f"{files} files: "
    f"{wording.shown(os.path.join(args.out, 'report.html'))}"
  )
  counters = ", ".join(f"{k} {v}" for k, v in account["counters"].items())
  print(counters)
  print(statement)
  # Of files of the same content, only one has a reason.
  contents = files - account["counters"].get("same_content", 0)
  if not account["clips"] and len(account["unreadable"]) == contents:
    raise SpeedflowError(
      f"{args.out}: none of {files} files could be read; the reasons are above"
    )
  return 0
