"""Bytes set aside in a temporary file, so that memory does not grow."""

import os
import tempfile
import threading
from typing import IO, NamedTuple

from speedflow.errors import SpeedflowError


class Place(NamedTuple):
  """Where something was put.

  Attributes:
    offset: of its first byte.
    size: bytes.
  """

  offset: int
  size: int


class Spool:
  """A temporary file that is written at its end and read anywhere.

  Threads may share it.
  """

  def __init__(self, path: str | os.PathLike[str], file: IO[bytes] | None):
    """Wraps a file, or makes a temporary one that its closing removes.

    Args:
      path: of the video that it belongs to, for messages.
      file: an empty file, read and written.
    """
    self._path = path
    # `close` removes it.
    self._file = file or tempfile.TemporaryFile()  # noqa: SIM115
    self._lock = threading.Lock()
    self._end = 0

  def put(self, data: bytes) -> Place:
    """Appends bytes.

    Raises:
      SpeedflowError: there is no room for them.
    """
    with self._lock:
      place = Place(self._end, len(data))
      try:
        self._file.seek(self._end)
        self._file.write(data)
      except OSError as error:
        raise SpeedflowError(
          f"{self._path}: what was decoded cannot be kept ({error.strerror}); "
          "set TMPDIR to a folder with room for 16 kB a frame"
        ) from error
      self._end += len(data)
      return place

  def get(self, place: Place) -> bytes:
    """The bytes that `put` has put there."""
    with self._lock:
      self._file.seek(place.offset)
      return self._file.read(place.size)

  def close(self) -> None:
    """Gives the room back."""
    self._file.close()
