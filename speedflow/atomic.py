"""Writing files so that nothing partial ever bears the final name."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Gives a temporary path beside `path`, renamed to it on success.

  The temporary name keeps the suffix, so that writers which choose a format
  by suffix work. On any error, the temporary file is removed.

  Args:
    path: the final path; its folder is made when missing.

  Yields:
    The temporary path, in the same folder.
  """
  final = pathlib.Path(path)
  final.parent.mkdir(parents=True, exist_ok=True)
  handle, name = tempfile.mkstemp(
    dir=final.parent, prefix=f".{final.stem}.", suffix=final.suffix
  )
  os.close(handle)
  temporary = pathlib.Path(name)
  # mkstemp makes private files; a finished file follows the user's umask.
  mask = os.umask(0)
  os.umask(mask)
  temporary.chmod(0o666 & ~mask)
  try:
    yield temporary
    temporary.replace(final)
  finally:
    temporary.unlink(missing_ok=True)
