"""Marks in files that say who made them, and what finds them again.

A file that bears none may be somebody's work: it is not replaced unless the
user says so.
"""

import pathlib
from collections.abc import Callable, Sequence

NAME = "speedflow"

HTML = f'<meta name="generator" content="{NAME}">'
"""Belongs into the head of a page."""

PNG = {"Software": NAME}
"""Text fields of a PNG picture, as Matplotlib takes them."""

COMMENT = f"Made by {NAME}."
"""Comment in JPEG pictures, PNG pictures of other makers, and videos."""

# Marks stand within so many bytes of a file's start.
_HEAD = 4096


def is_marked(path: pathlib.Path) -> bool:
  """Whether a page or a picture bears one of the marks."""
  start = _start(path)
  marks = (HTML, f"Software\0{NAME}", COMMENT)
  return any(mark.encode() in start for mark in marks)


def is_table(header: Sequence[str]) -> Callable[[pathlib.Path], bool]:
  """Makes what recognises a CSV file by its first line.

  Args:
    header: names of the columns.
  """
  line = ",".join(header).encode()
  return lambda path: _start(path).splitlines()[:1] == [line]


def is_weights(path: pathlib.Path) -> bool:
  """Whether a file looks like exported weights: safetensors of ours."""
  return f'{{"__metadata__":{{"{NAME}":'.encode() in _start(path)


def _start(path: pathlib.Path) -> bytes:
  with path.open("rb") as file:
    return file.read(_HEAD)
