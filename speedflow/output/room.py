"""Whether the disk has room for what is about to be written."""

import logging
import os
import pathlib
import shutil

from speedflow.errors import SpeedflowError

_log = logging.getLogger(__name__)

# An estimate may be several times too high; with less room than this share of
# it, the work would hardly come to its end.
_CERTAIN = 0.25


def require(folder: str | os.PathLike[str], wanted: float, what: str) -> None:
  """Compares the free room with an estimate, before the work.

  Warns where the estimate exceeds the room.

  Args:
    folder: where it is written; it, or a folder above it, exists.
    wanted: bytes, an estimate.
    what: is written, for the user, such as "the frames of out.mp4".

  Raises:
    SpeedflowError: there is far too little room.
  """
  found = free(folder)
  if found >= wanted:
    return
  said = (
    f"{os.fspath(folder)}: {what} may need about {size(wanted)}, and"
    f" {size(found)} are free"
  )
  if found < _CERTAIN * wanted:
    raise SpeedflowError(f"{said}; make room, or name another folder")
  _log.warning("%s", said)


def free(folder: str | os.PathLike[str]) -> int:
  """How many bytes the disk of a folder has left, or that of one above it."""
  place = pathlib.Path(os.path.realpath(folder))
  while not place.exists():
    place = place.parent
  return shutil.disk_usage(place).free


def size(count: float) -> str:
  """A number of bytes in words, such as "1.5 GB"."""
  for unit in ("B", "kB", "MB", "GB"):
    if count < 1000:
      return f"{count:.3g} {unit}"
    count /= 1000
  return f"{count:.3g} TB"
