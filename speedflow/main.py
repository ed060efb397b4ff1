"""Launches any experiment: `python -m speedflow.main train --config=...`.

Parses the command line and nothing more, so that notebooks and tests import
the loop itself. `speedflow train` and `speedflow eval` call `run` too.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from speedflow import arguments as arguments_lib
from speedflow import errors, wording


def run(argv: Sequence[str], verb: str) -> int:
  """Runs one command.

  Args:
    argv: the arguments after the verb, such as
      ["--config=configs/speed_estimator.py:tiny", "--workdir=runs/tiny"].
    verb: "train", "eval" or "sweep".

  Returns:
    The exit code: 0, or 2 after a problem that the user can mend, in one
    line on stderr.
  """
  try:
    return _COMMANDS[verb](argv)
  except errors.SpeedflowError as error:
    print(f"speedflow {verb}: {wording.one_line(error)}", file=sys.stderr)
    return 2
  except OSError as error:
    about = os.fsdecode(error.filename) if error.filename else "speedflow"
    said = wording.one_line(errors.unwritable(about, error))
    print(f"speedflow {verb}: {said}", file=sys.stderr)
    return 2


def _train(argv: Sequence[str]) -> int:
  parser = _parser("train")
  arguments_lib.add_overwrite(parser)
  arguments, overrides = parser.parse_known_args(argv)
  # Imported late, so that --help and bad flags answer at once.
  from speedflow.training import config, distributed, loop

  settings = config.load_config(arguments.config, overrides)
  distributed.start(settings)
  loop.train(settings, arguments.workdir, overwrite=arguments.overwrite)
  return 0


def _evaluate(argv: Sequence[str]) -> int:
  parser = _parser("eval")
  parser.add_argument("--split", default="test", help="of the data")
  parser.add_argument("--step", type=int, help="checkpoint; else the newest")
  parser.add_argument("--export", help="write the weights to this file")
  arguments_lib.add_overwrite(parser)
  arguments, overrides = parser.parse_known_args(argv)
  from speedflow.training import config, distributed, loop

  settings = config.load_config(arguments.config, overrides)
  distributed.start(settings)
  scores = loop.evaluate(
    settings,
    arguments.workdir,
    arguments.split,
    step=arguments.step,
    export=arguments.export,
    overwrite=arguments.overwrite,
  )
  print(json.dumps(scores, indent=2))
  return 0


def _parser(verb: str) -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog=f"speedflow {verb}",
    epilog="Any field of the configuration: --config.a.b=VALUE",
    allow_abbrev=False,
  )
  parser.add_argument("--config", required=True, help="FILE.py or FILE.py:ARG")
  parser.add_argument("--workdir", required=True, help="folder of the run")
  return parser


def _sweep(argv: Sequence[str]) -> int:
  parser = _parser("sweep")
  parser.add_argument(
    "choices", nargs="+", metavar="FIELD=VALUE,VALUE", help="what to vary"
  )
  parser.add_argument(
    "--run", action="store_true", help="run the commands, not print them"
  )
  arguments, overrides = parser.parse_known_args(argv)
  from speedflow.training import sweep

  runs = sweep.commands(
    arguments.config, arguments.workdir, arguments.choices, overrides
  )
  if not arguments.run:
    print(sweep.show(runs))
    return 0
  failed = sweep.execute(runs)
  if failed:
    raise errors.SpeedflowError(
      f"{failed} of {len(runs)} runs failed; their messages are above, and the "
      "same command goes on with them"
    )
  return 0


_COMMANDS = {"train": _train, "eval": _evaluate, "sweep": _sweep}


def main() -> int:
  """The entry point of `python -m speedflow.main`."""
  if len(sys.argv) < 2 or sys.argv[1] not in _COMMANDS:
    verbs = "|".join(_COMMANDS)
    print(f"usage: python -m speedflow.main {verbs} ...", file=sys.stderr)
    return 2
  return run(sys.argv[2:], sys.argv[1])


if __name__ == "__main__":
  sys.exit(main())
