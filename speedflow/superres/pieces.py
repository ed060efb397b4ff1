"""Finished pieces of a video that is being made, to go on after a break."""

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from speedflow.errors import SpeedflowError, writing
from speedflow.output import claims
from speedflow.output.atomic import atomic_path

_JOURNAL = "made_of.json"
# Names of all that is ever in the folder, temporary files too.
_NAMES = re.compile(
  r"made_of\.json|whole\.\w+|\d{6}\.(mov|json)"
  r"|\.(made_of|whole|\d{6})\.[0-9a-f]{12}\.\w+"
)
# What is there before the journal is.
_BEGINNING = re.compile(r"\.made_of\.[0-9a-f]{12}\.json")


class Pieces:
  """The folder `<video>.parts`: numbered pieces, and what they are made of.

  A piece is a video and notes about its frames. Nothing is ever written
  elsewhere before all is done, so a killed run leaves this folder only.
  """

  def __init__(self, video: str | os.PathLike[str]):
    """Names the folder beside a video; makes nothing."""
    self._folder = pathlib.Path(f"{os.fspath(video)}.parts")

  def check(self, inputs: Sequence[str | os.PathLike[str]]) -> None:
    """Asks before the work whether the folder may be used.

    Args:
      inputs: files that are read.

    Raises:
      SpeedflowError: a folder of this name is not ours, or an input is in it.
    """
    folder = claims.real(self._folder)
    for given in inputs:
      if folder in claims.real(given).parents:
        raise SpeedflowError(
          f"{os.fspath(given)}: is in {self._folder}, which is filled with"
          " pieces and removed; name another output"
        )
    if self._folder.exists() and not self._is_ours():
      raise SpeedflowError(
        f"{self._folder}: is in the way and not ours; move it, or name another"
        " output"
      )

  def begin(self, made_of: dict[str, Any], resume: bool) -> int:
    """Gets the folder ready; it was checked.

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
    if resume and journal.exists():
      self._compare(json.loads(journal.read_text()), made_of)
      count = 0
      while self._notes(count).exists():
        count += 1
      return count
    self.remove()
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

  def whole(self, path: str | os.PathLike[str]) -> pathlib.Path:
    """Where the folder has what `publish` moves to `path` in the end."""
    return self._folder / f"whole{pathlib.Path(path).suffix}"

  def publish(self, whole: pathlib.Path, path: str | os.PathLike[str]) -> None:
    """Moves a finished file to its final name.

    Raises:
      SpeedflowError: it cannot be written, or there is one that is not ours.
    """
    with writing(path):
      claims.replace(whole, claims.real(path))

  def remove(self) -> None:
    """Removes the folder, if it is there; what others put into it stays."""
    if self._folder.exists():
      # The journal goes last: it says that the rest is ours.
      names = sorted(
        filter(_NAMES.fullmatch, os.listdir(self._folder)),
        key=lambda name: name == _JOURNAL,
      )
      for name in names:
        (self._folder / name).unlink()
      with contextlib.suppress(OSError):
        self._folder.rmdir()

  def _is_ours(self) -> bool:
    """Whether a run of ours made the folder, however early it was killed."""
    if not self._folder.is_dir():
      return False
    return (self._folder / _JOURNAL).exists() or all(
      map(_BEGINNING.fullmatch, os.listdir(self._folder))
    )

  def _notes(self, number: int) -> pathlib.Path:
    return self._folder / f"{number:06}.json"

  def _write(self, path: pathlib.Path, content: Any) -> None:
    with atomic_path(path) as temporary:
      temporary.write_text(json.dumps(content))

  def _compare(self, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))
    for name in sorted(there.keys() | wanted.keys()):
      if there.get(name) != wanted.get(name):
        raise SpeedflowError(
          f"{self._folder}: was begun with {name} {there.get(name)}, not"
          f" {wanted.get(name)}; run with the same settings, or without"
          " --resume to begin anew"
        )
