"""Finished pieces of a video that is being made, to go on after a break."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from speedflow.atomic import atomic_path
from speedflow.errors import SpeedflowError

_JOURNAL = "made_of.json"


class Pieces:
  """The folder `<video>.parts`: numbered pieces, and what they are made of.

  A piece is a video and notes about its frames. Nothing is ever written
  elsewhere before all is done, so a killed run leaves this folder only.
  """

  def __init__(self, video: str | os.PathLike[str]):
    """Names the folder beside a video; makes nothing."""
    self._folder = pathlib.Path(f"{os.fspath(video)}.parts")

  def begin(self, made_of: dict[str, Any], resume: bool) -> int:
    """Gets the folder ready.

    Args:
      made_of: all that decides what the pieces hold, as JSON has it.
      resume: whether to keep the pieces that are there.

    Returns:
      How many pieces are there.

    Raises:
      SpeedflowError: those that are there are made of something else; or the
        folder cannot be written.
    """
    journal = self._folder / _JOURNAL
    if self._folder.exists() and not journal.exists():
      raise SpeedflowError(
        f"{self._folder}: is in the way and not ours; move it, or name another"
        " output"
      )
    if not resume:
      self.remove()
    elif journal.exists():
      self._compare(json.loads(journal.read_text()), made_of)
      count = 0
      while self._notes(count).exists():
        count += 1
      return count
    self._write(journal, made_of)
    return 0

  def path(self, number: int) -> pathlib.Path:
    """Where the video of a piece is."""
    return self._folder / f"{number:06}.mov"

  def finish(self, number: int, notes: list[dict[str, Any]]) -> None:
    """Says that a piece is there, and keeps notes about its frames."""
    self._write(self._notes(number), notes)

  def notes(self, number: int) -> list[dict[str, Any]]:
    """What was noted about a finished piece."""
    return json.loads(self._notes(number).read_text())

  @contextlib.contextmanager
  def publish(self, path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a path in the folder whose file moves to `path` in the end."""
    final = pathlib.Path(path)
    inside = self._folder / f"whole{final.suffix}"
    yield inside
    with self._in_words(final):
      inside.replace(final)

  def remove(self) -> None:
    """Removes the folder, if it is there."""
    if self._folder.exists():
      # The journal goes last: without it the folder would not be ours.
      names = sorted(
        os.listdir(self._folder), key=lambda name: name == _JOURNAL
      )
      for name in names:
        (self._folder / name).unlink()
      self._folder.rmdir()

  def _notes(self, number: int) -> pathlib.Path:
    return self._folder / f"{number:06}.json"

  def _write(self, path: pathlib.Path, content: Any) -> None:
    with self._in_words(path), atomic_path(path) as temporary:
      temporary.write_text(json.dumps(content))

  @contextlib.contextmanager
  def _in_words(self, path: pathlib.Path) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise SpeedflowError(
        f"{path}: could not be written ({error.strerror}); make room, or choose"
        " a folder that you may write to"
      ) from error

  def _compare(self, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))
    for name in sorted(there.keys() | wanted.keys()):
      if there.get(name) != wanted.get(name):
        raise SpeedflowError(
          f"{self._folder}: was begun with {name} {there.get(name)}, not"
          f" {wanted.get(name)}; run with the same settings, or without"
          " --resume to begin anew"
        )
