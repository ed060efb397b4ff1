"""Locks that the system frees when their holder dies, with a journal inside.

A lock is a hidden file under `flock`. Its first line says who holds it; the
lines below list what the holder wrote, each before it is written. So whoever
finds a lock whose holder died knows by exact name what that run left behind.
"""

import datetime
import errno
import fcntl
import json
import logging
import os
import pathlib
import socket
from typing import Any, Self

from speedflow.errors import SpeedflowError, writing

_MARK = "speedflow"
# File systems that cannot lock: some FUSE mounts, old network ones.
_CANNOT = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class Lock:
  """A lock that is held, and its journal.

  Attributes:
    earlier: what dead holders wrote into the journal, oldest first.
  """

  def __init__(
    self, path: pathlib.Path, handle: int, earlier: list[dict[str, Any]]
  ):
    self.earlier = earlier
    self._path = path
    self._handle = handle

  @classmethod
  def acquire(
    cls, path: pathlib.Path, command: str, output: str, *, shared: bool = False
  ) -> Self:
    """Takes a lock at once, or refuses.

    Args:
      path: the lock's file, made when missing; its folder exists.
      command: what is running, for the next one to be told.
      output: what is locked, for the user.
      shared: whether others may share it; such a lock has no journal.

    Raises:
      SpeedflowError: another run holds it; or the file is not ours, or cannot
        be made.
    """
    while True:
      with writing(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        handle = os.open(path, flags, 0o666)
      lock = cls(path, handle, [])
      try:
        _flock(handle, shared, path)
      except BlockingIOError as error:
        os.close(handle)
        raise SpeedflowError(
          f"{output}: {_described(path)} is writing it; wait for that, or name"
          " another output"
        ) from error
      except BaseException:
        os.close(handle)
        raise
      try:
        # Its last holder may have removed it meanwhile.
        if not _is_at(handle, path):
          lock.release(remove=False)
          continue
        lock.earlier = _read(path)
        if not shared:
          lock.note(_holder(command))
      except BaseException:
        # An empty one, on a full disk, is of no use to anybody.
        lock.release(remove=os.fstat(handle).st_size == 0)
        raise
      return lock

  def note(self, entry: dict[str, Any]) -> None:
    """Appends to the journal."""
    with writing(self._path):
      _append(self._handle, entry)

  def release(self, *, remove: bool = True) -> None:
    """Lets go of the lock.

    Args:
      remove: whether the file, and so the journal, is removed; not where
        others still share it.
    """
    if remove:
      try:
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path.unlink(missing_ok=True)
      except OSError as error:
        logging.info("%s stays: %s", self._path, error)
    os.close(self._handle)


def note(path: pathlib.Path, entry: dict[str, Any]) -> None:
  """Appends to the journal of a lock that another process holds for us."""
  with writing(path):
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
      _append(handle, entry)
    finally:
      os.close(handle)


def journal(path: pathlib.Path) -> list[dict[str, Any]]:
  """What a lock's journal lists; nothing where there is no such lock.

  Raises:
    SpeedflowError: the file is not a lock.
  """
  return [entry for entry in _read(path) if _MARK not in entry]


def _flock(handle: int, shared: bool, path: pathlib.Path) -> None:
  kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
  try:
    fcntl.flock(handle, kind | fcntl.LOCK_NB)
  except BlockingIOError:
    raise
  except OSError as error:
    if error.errno not in _CANNOT:
      raise
    logging.warning(
      "%s: this file system has no locks (%s); do not run two commands into "
      "one output",
      path.parent,
      error.strerror,
    )


def _is_at(handle: int, path: pathlib.Path) -> bool:
  try:
    return os.path.samestat(os.fstat(handle), path.stat())
  except FileNotFoundError:
    return False


def _read(path: pathlib.Path) -> list[dict[str, Any]]:
  """The entries of a lock's file."""
  try:
    lines = path.read_bytes().splitlines()
  except FileNotFoundError:
    return []
  start = f'{{"{_MARK}"'.encode()
  entries: list[dict[str, Any]] = []
  for line in filter(None, lines):
    if not entries and line[: len(start)] != start[: len(line)]:
      raise _foreign(path)
    try:
      entries.append(json.loads(line))
    except ValueError:
      # A run that was killed, or a full disk, leaves half a line.
      continue
  return entries


def _foreign(path: pathlib.Path) -> SpeedflowError:
  return SpeedflowError(
    f"{path}: is in the way of a lock and not ours; move it, or name another"
    " output"
  )


def _append(handle: int, entry: dict[str, Any]) -> None:
  # The line break comes first, too: a killed run may have left half a line.
  line = b"\n" + json.dumps(entry).encode() + b"\n"
  if os.write(handle, line) < len(line):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _holder(command: str) -> dict[str, Any]:
  now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
  return {
    _MARK: command,
    "pid": os.getpid(),
    "host": socket.gethostname(),
    "since": now.isoformat(),
  }


def _described(path: pathlib.Path) -> str:
  """The holder of a lock, in words."""
  holders = [entry for entry in _read(path) if _MARK in entry]
  if not holders:
    return "another run of speedflow"
  last = holders[-1]
  return (
    f"speedflow {last[_MARK]} (process {last['pid']} on {last['host']}, since"
    f" {last['since']})"
  )
