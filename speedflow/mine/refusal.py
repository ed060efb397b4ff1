"""Files that are not mined, each for a reason with a counter of its own."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import av

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container

# A picture of more pixels would take more memory than a worker has.
_MOST_PIXELS = 1 << 26

_Item = TypeVar("_Item")


class RefusalError(SpeedflowError):
  """Why a file is left out.

  Attributes:
    counter: the name under which such files are counted.
  """

  def __init__(self, counter: str, message: str):
    super().__init__(message)
    self.counter = counter


def counter_of(error: Exception) -> str:
  """Under which name a file that led to an error is counted."""
  return error.counter if isinstance(error, RefusalError) else "unreadable"


def probe(path: str) -> media.VideoInfo:
  """`media.probe`, which says more exactly why a file cannot be mined.

  Args:
    path: a local file.

  Raises:
    RefusalError: it is empty, encrypted, or its pictures are too large.
    SpeedflowError: it cannot be read.
  """
  if os.path.isfile(path) and not os.path.getsize(path):
    raise RefusalError("empty", f"{path}: empty (0 bytes); copy it again")
  try:
    info = media.probe(path)
  except SpeedflowError as error:
    if _is_encrypted(path):
      raise RefusalError(
        "encrypted", f"{path}: encrypted; decrypt it with its key"
      ) from error
    raise
  if info.width * info.height > _MOST_PIXELS:
    raise RefusalError(
      "too_large",
      f"{path}: pictures of {info.width}x{info.height}; wanted "
      f"{_MOST_PIXELS} pixels at most; scale it down",
    )
  return info


def _is_encrypted(path: str) -> bool:
  """Whether its first packet is encrypted (ISO/IEC 23001-7)."""
  try:
    with media_container.open_unchecked(path) as container:
      packet = next(
        media_container.packets(container, container.streams.video[0]), None
      )
      return packet is not None and packet.has_sidedata("encryption_info")
  except (av.FFmpegError, OSError, IndexError):
    return False


def in_time(
  items: Iterable[_Item], path: str | os.PathLike[str], deadline_s: float
) -> Iterator[_Item]:
  """Passes items on until it is too late.

  Args:
    items: such as frames.
    path: the file that they come from.
    deadline_s: on the clock of `time.monotonic`.

  Raises:
    RefusalError: it is too late.
  """
  for item in items:
    if time.monotonic() > deadline_s:
      raise RefusalError(
        "timed_out",
        f"{os.fspath(path)}: not examined in the time allowed; cut it, or "
        "allow more with --max-minutes",
      )
    yield item
