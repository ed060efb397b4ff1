"""Command-line arguments that commands share, for `argparse`.

Each type takes the text that was typed and raises `argparse.ArgumentTypeError`,
which the parser prints as one line beside the argument's name.
"""

import argparse
import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal, TypeVar

from speedflow import wording

_Options = TypeVar("_Options")


def add_overwrite(parser: argparse.ArgumentParser) -> None:
  """Declares `--overwrite`, which all that write files share."""
  parser.add_argument(
    "--overwrite",
    action="store_true",
    help="replace files that speedflow did not make, too",
  )


def add_ignore_metadata(parser: argparse.ArgumentParser) -> None:
  """Declares `--ignore-metadata`, which all that ask the file share."""
  parser.add_argument(
    "--ignore-metadata",
    action="store_true",
    help="do not ask the file at which rate it says it was filmed",
  )


def add_raw_fps(parser: argparse.ArgumentParser) -> None:
  """Declares `--raw-fps`, for `media.raw_streams_at`."""
  parser.add_argument(
    "--raw-fps",
    type=frame_rate,
    metavar="RATE",
    help="frames per second of raw streams (.h264, .hevc, ...) that state none",
  )


def chosen(kind: type[_Options], args: argparse.Namespace) -> _Options:
  """Makes the options of a verb of what was typed.

  Args:
    kind: a dataclass. Each of its fields is the destination of an argument.
    args: parsed.
  """
  fields = dataclasses.fields(kind)  # type: ignore[arg-type]
  return kind(**{each.name: getattr(args, each.name) for each in fields})


def positive(text: str) -> float:
  """Reads a number above 0, not infinite."""
  value = _number(text)
  if not 0 < value < math.inf:
    raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
  return value


def share(text: str) -> float:
  """Reads a number from 0 to 1, such as a probability."""
  value = _number(text)
  if not 0 <= value <= 1:
    raise argparse.ArgumentTypeError(f"{text} is not within 0..1")
  return value


def exposure(text: str) -> float | Literal["auto"]:
  """Reads a share of the frame interval, or "auto"."""
  if text == "auto":
    return "auto"
  try:
    return float(text)
  except ValueError as error:
    raise argparse.ArgumentTypeError(
      f"{text} is neither auto nor a number"
    ) from error


def frame_rate(text: str) -> Fraction:
  """Reads frames per second above 0, exactly, such as 30000/1001."""
  try:
    rate = Fraction(text)
  except (ValueError, ZeroDivisionError):
    rate = Fraction(0)
  if not rate > 0:
    raise argparse.ArgumentTypeError(
      f"{text} is no frame rate; wanted one such as 30 or 30000/1001"
    )
  return rate


def path_with_suffix(*suffixes: str) -> Callable[[str], str]:
  """Makes a type of paths that end in one of `suffixes`, such as ".html"."""

  def check(path: str) -> str:
    if not path.lower().endswith(suffixes):
      raise argparse.ArgumentTypeError(
        f"{wording.shown(path)} does not end in {' or '.join(suffixes)}"
      )
    return path

  return check


def _number(text: str) -> float:
  try:
    return float(text)
  except ValueError as error:
    raise argparse.ArgumentTypeError(f"{text} is no number") from error
