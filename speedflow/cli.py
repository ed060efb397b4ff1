"""The `speedflow` command: a table of verbs.

Each verb is a module with a `DESCRIPTION`, `add_arguments(parser)` and
`run(args)`, which is imported when the verb is asked for, so that `--help`
answers at once. Results go to standard output, all else to standard error. Exit
codes: 0 success, 2 a problem that the user can mend, 130 interrupted, 141 the
reader of the output went away.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

import speedflow
from speedflow import errors, wording

# By verb: the module, and a line for the table of `--help`.
_VERBS = {
  "probe": (
    "speedflow.probe.command",
    "what is a file, and how does it say that it was filmed?",
  ),
  "estimate": ("speedflow.estimate.command", "how fast does a video play?"),
  "detect": ("speedflow.detect.command", "where was a video's speed changed?"),
  "superres": (
    "speedflow.superres.command",
    "make more frames, or slow motion, of a video",
  ),
  "retime": ("speedflow.retime.command", "set the speed of a video"),
  "generate": (
    "speedflow.generate.command",
    "set a picture in motion at the speed you ask for",
  ),
  "attribute": (
    "speedflow.attribute.command",
    "which training clips taught the generator a motion?",
  ),
  "mine": ("speedflow.mine.command", "find slow motion in any amount of video"),
  "events": (
    "speedflow.mine.events_command",
    "find real speed changes in a collection, by ear",
  ),
  "data": ("speedflow.data.command", "build and inspect training records"),
}
# By verb: modules that add subcommands, by `add_command`.
_NESTED = {"data": ("speedflow.wan.latents_command",)}
# These read their own arguments, `--config.x.y=` among them.
_LAUNCHED = {
  "train": "train an experiment: --config=FILE.py[:VARIANT] --workdir=DIR",
  "eval": "evaluate a trained experiment",
  "sweep": "print or run one command per combination of settings",
}


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command and returns its exit code.

  Args:
    argv: the arguments after the command's name; by default the process's.
  """
  argv = list(sys.argv[1:] if argv is None else argv)
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      # A file may have any bytes as its name.
      stream.reconfigure(errors="backslashreplace")
  try:
    if argv and argv[0] in _LAUNCHED:
      code = _launch(*argv)
    else:
      args = _parser(argv[0] if argv else "").parse_args(argv)
      code = args.run(args)
    sys.stdout.flush()
  except errors.SpeedflowError as error:
    print(f"speedflow: {wording.one_line(error)}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("speedflow: interrupted", file=sys.stderr)
    return 130
  except BrokenPipeError:
    # Python flushes standard output once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
  except OSError as error:
    # Disks fill, and folders vanish, under libraries too.
    about = os.fsdecode(error.filename) if error.filename else "speedflow"
    said = wording.one_line(errors.unwritable(about, error))
    print(f"speedflow: {said}", file=sys.stderr)
    return 2
  return code


def _parser(chosen: str) -> argparse.ArgumentParser:
  """Lists all verbs, and knows the arguments of one."""
  parser = argparse.ArgumentParser(
    prog="speedflow",
    description="See, measure and control the flow of time in video.",
  )
  parser.add_argument(
    "--version", action="version", version=f"speedflow {speedflow.__version__}"
  )
  verbs = parser.add_subparsers(
    title="commands", metavar="COMMAND", required=True
  )
  for name, (module, text) in _VERBS.items():
    verb = verbs.add_parser(name, help=text)
    if name == chosen:
      command = importlib.import_module(module)
      verb.description = command.DESCRIPTION
      nested = command.add_arguments(verb)
      for each in _NESTED.get(name, ()):
        importlib.import_module(each).add_command(nested)
      verb.set_defaults(run=command.run)
  for name, text in _LAUNCHED.items():
    verbs.add_parser(name, help=text)
  return parser


def _launch(command: str, *argv: str) -> int:
  from speedflow import main as launcher

  return launcher.run(argv, command)


if __name__ == "__main__":
  sys.exit(main())
