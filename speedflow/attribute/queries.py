"""The motions that are asked about, from a folder."""

import pathlib
from collections.abc import Callable
from typing import TypeVar

from speedflow.data import catalogue
from speedflow.data.records import RecordSource
from speedflow.errors import SpeedflowError

_Record = TypeVar("_Record")


def read(
  folder: pathlib.Path,
  decode: Callable[[bytes], _Record],
  read_video: Callable[[pathlib.Path], _Record],
  wanted: str,
) -> list[_Record]:
  """Reads records and videos, in the order of the files' names.

  Args:
    folder: of either, or both; other files are passed over.
    decode: parses a record.
    read_video: reads a video.
    wanted: what the folder should be, for errors.

  Raises:
    SpeedflowError: there are none, or one cannot be read.
  """
  found: list[_Record] = []
  paths = sorted(folder.iterdir()) if folder.is_dir() else []
  for path in paths:
    if path.name.startswith("."):
      continue
    if ".tfrecord" in path.name:
      try:
        found += map(decode, RecordSource(path))
      except SpeedflowError as error:
        raise SpeedflowError(f"{path}: {error}") from error
    elif path.suffix.lower() in catalogue.VIDEO_SUFFIXES:
      found.append(read_video(path))
  if not found:
    raise SpeedflowError(f"{folder}: no queries; wanted {wanted}")
  return found
