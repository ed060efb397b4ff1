"""The one error that a user is meant to see."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator


class SpeedflowError(Exception):
  """A problem that the user can mend.

  The message is a single line that names the file, what was found in it,
  what was wanted, and the remedy. The command line prints the line and exits
  with code 2; it never shows a traceback for it.
  """


_REMEDIES = {
  errno.ENOSPC: "make room",
  errno.EDQUOT: "make room, or ask for a larger quota",
  errno.EFBIG: "choose a file system that holds larger files",
  errno.EROFS: "choose a folder that you may write to",
  errno.EACCES: "choose a folder that you may write to",
  errno.EPERM: "choose a folder that you may write to",
  errno.ENOTDIR: "a part of the path is a file: name another",
  errno.EEXIST: "a part of the path is a file: name another",
  errno.EISDIR: "it is a folder: name a file",
  errno.ENAMETOOLONG: "give it a shorter name",
}


def unwritable(path: str | os.PathLike[str], error: OSError) -> SpeedflowError:
  """Says in one line why a file could not be written, and what to do.

  Args:
    path: the file that the user named.
    error: what the operating system answered.
  """
  # Libraries keep the number or lose it; its words are in the text then.
  code = error.errno
  if code is None:
    code = next((n for n in _REMEDIES if os.strerror(n) in str(error)), None)
  seen = os.strerror(code) if code else " ".join(str(error).split())
  remedy = _REMEDIES.get(
    code or 0, "make room, or choose a folder that you may write to"
  )
  return SpeedflowError(
    f"{os.fspath(path)}: could not be written ({seen}); {remedy}"
  )


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
  """Turns errors of writing a file into one line.

  An error that names a file of another folder is none of writing this one,
  and passes as it is.

  Args:
    path: the file that the user named.

  Raises:
    SpeedflowError: the file could not be written.
  """
  try:
    yield
  except OSError as error:
    named = error.filename
    if isinstance(named, str | os.PathLike):
      folder = pathlib.Path(path).absolute().parent
      other = pathlib.Path(named).absolute()
      if folder not in (other, other.parent) and other not in folder.parents:
        raise
    raise unwritable(path, error) from error
