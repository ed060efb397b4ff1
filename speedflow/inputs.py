"""Whether an input is a file at all, said in one line."""

import os
import pathlib
import stat

from speedflow.errors import SpeedflowError

_KINDS = (
  (stat.S_ISFIFO, "a pipe", "write it to a file first, and name that"),
  (stat.S_ISSOCK, "a socket", "write it to a file first, and name that"),
  (stat.S_ISCHR, "a device", "name a file"),
  (stat.S_ISBLK, "a device", "name a file on it"),
)


def require_file(path: str | os.PathLike[str], what: str = "file") -> None:
  """Refuses what is not a regular file, without opening it.

  Neither a pipe nor a device need ever end, and opening a pipe may wait for
  ever.

  Args:
    path: a path; links are followed.
    what: one of what was wanted, such as "video file".

  Raises:
    PermissionError: a folder on the way to it may not be read.
    SpeedflowError: there is nothing, a folder, a pipe or a device.
  """
  file = pathlib.Path(path)
  if file.is_file():
    return
  if file.is_dir():
    raise SpeedflowError(
      f"{file}: a folder, where one {what} was wanted; name a file in it"
    )
  if not file.exists():
    raise SpeedflowError(f"{file}: no such file; check the path")
  mode = file.stat().st_mode
  for is_kind, kind, remedy in _KINDS:
    if is_kind(mode):
      raise SpeedflowError(f"{file}: no regular file ({kind}); {remedy}")
  raise SpeedflowError(f"{file}: no regular file; name a file")
