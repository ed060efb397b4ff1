"""Many files in one call: one answer each, whatever happens to the others."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from speedflow import arguments, errors, progress, wording
from speedflow.output import claims


class Answer(Protocol):
  """What is found out about one file."""

  @property
  def status(self) -> str:
    """Is `error` where the file could not be read."""
    ...

  @property
  def error(self) -> str | None:
    """What was wrong with it, on one line."""
    ...

  @property
  def damage(self) -> str | None:
    """What of it could not be read, as a phrase; the rest was."""
    ...

  def to_json(self) -> dict[str, Any]:
    """The answer as JSON has it."""
    ...


_Answer = TypeVar("_Answer", bound=Answer)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the files, and `--json`."""
  parser.add_argument("files", nargs="+", metavar="FILE")
  parser.add_argument(
    "--json", action="store_true", help="print one JSON object per file"
  )
  arguments.add_raw_fps(parser)


@contextlib.contextmanager
def claimed(
  args: argparse.Namespace,
  command: str,
  wanted: Mapping[str | None, claims.Recognise],
) -> Iterator[None]:
  """Claims the outputs that were asked for, against the files that are read.

  Within it, raw streams have the rate that was given.
  """
  # It takes a third of a second, which `--help` is spared.
  from speedflow import media

  with (
    claims.claim(
      command,
      files={path: ours for path, ours in wanted.items() if path is not None},
      inputs=args.files,
      overwrite=args.overwrite,
    ),
    media.raw_streams_at(args.raw_fps),
  ):
    yield


def ask(
  args: argparse.Namespace,
  answer: Callable[..., _Answer],
  failed: Callable[[str, str], _Answer],
) -> tuple[list[_Answer], bool]:
  """Gets an answer about each file; a bad one never ends the batch.

  Args:
    args: `files`, and whether to print each answer as `json` at once.
    answer: takes a file, and `on_progress`.
    failed: makes the answer about a file that could not be read.

  Returns:
    The answers, and whether Ctrl-C kept the others away.

  Raises:
    KeyboardInterrupt: Ctrl-C, and there are no answers yet.
  """
  answers: list[_Answer] = []
  # On a screen, the lines would run into the bar.
  shown = not (args.json and sys.stdout.isatty())
  try:
    with (
      progress.interruption() as pressed,
      progress.progress_bar(len(args.files), shown) as begin,
    ):
      for file in args.files:
        try:
          found = answer(file, on_progress=begin(file))
        except (errors.SpeedflowError, OSError) as error:
          found = failed(file, wording.one_line(error))
        if pressed():
          # Who swallowed it may have cut this answer short, or made an error
          # of it.
          raise KeyboardInterrupt
        if found.error:
          print(f"speedflow: {wording.shown(found.error)}", file=sys.stderr)
        if found.damage:
          line = wording.shown(f"{file}: {found.damage}")
          print(f"speedflow: {line}", file=sys.stderr)
        answers.append(found)
        if args.json:
          print(json.dumps(found.to_json(), allow_nan=False), flush=True)
  except KeyboardInterrupt:
    if not answers:
      raise
    return answers, True
  return answers, False


def exit_code(answers: Sequence[_Answer], interrupted: bool) -> int:
  """The exit code of a batch, whose outputs are written by now.

  Raises:
    KeyboardInterrupt: the batch was interrupted.
  """
  if interrupted:
    raise KeyboardInterrupt
  return 2 if any(answer.status == "error" for answer in answers) else 0
