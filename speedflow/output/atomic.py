"""Writing files so that nothing partial ever bears the final name."""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator
from typing import TextIO

from speedflow.errors import writing
from speedflow.output import claims

# Characters of the final name that the temporary one keeps: with four bytes
# each and the rest, they stay below the 255 bytes that a name may have.
_KEPT = 48


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Gives a temporary path beside `path`, renamed to it on success.

  The temporary name keeps the suffix, so that writers which choose a format
  by suffix work. On any error, the temporary file is removed. A link stays:
  the file is written where it points to.

  Args:
    path: the final path; its folder is made when missing.

  Yields:
    The temporary path, in the same folder.

  Raises:
    SpeedflowError: the file cannot be written; or it falls under a claim (see
      `claims`) and there is one that is not ours.
  """
  final = claims.real(path)
  temporary = final.with_name(
    f".{final.stem[:_KEPT]}.{secrets.token_hex(6)}{final.suffix}"
  )
  with writing(path):
    final.parent.mkdir(parents=True, exist_ok=True)
    claims.planned(temporary, final)
    try:
      # The user's umask decides who may read it.
      temporary.touch(exist_ok=False)
      yield temporary
      claims.replace(temporary, final)
    finally:
      temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Gives a new folder beside `path`, renamed to it on success.

  Its name follows from the final one, so that what a killed run left in it is
  removed by the next.

  Args:
    path: the final path, where there is nothing; its folder is made when
      missing. Claimed by the caller, so that no other run writes it.

  Yields:
    The temporary folder, which is empty.

  Raises:
    SpeedflowError: it cannot be written.
  """
  final = pathlib.Path(path)
  temporary = final.with_name(f".{final.name[:_KEPT]}.speedflow-partial")
  with writing(path):
    if temporary.exists():
      shutil.rmtree(temporary)
    temporary.mkdir(parents=True)
    try:
      yield temporary
      temporary.rename(final)
    except BaseException:
      shutil.rmtree(temporary, ignore_errors=True)
      raise


@contextlib.contextmanager
def atomic_table(path: str | os.PathLike[str]) -> Iterator[TextIO]:
  """Opens a file for `csv`, see `atomic_path`; any file name fits into it."""
  with (
    atomic_path(path) as temporary,
    temporary.open(
      "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file,
  ):
    yield file
