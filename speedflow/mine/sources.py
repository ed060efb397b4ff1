"""What to mine: folders, patterns, lists and object stores."""

import codecs
import contextlib
import glob
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from speedflow import declared, inputs
from speedflow.data import catalogue
from speedflow.errors import SpeedflowError
from speedflow.mine.refusal import RefusalError

_CHUNK = 1 << 20


def expand(sources: Sequence[str]) -> list[str]:
  """Lists the files that sources mean.

  Args:
    sources: files, folders (with all below them), glob patterns, `.txt` files
      with one source a line, or URLs of the first three kinds that fsspec
      opens.

  Returns:
    Paths and URLs, sorted, each once.

  Raises:
    SpeedflowError: a source holds no video, or cannot be listed.
  """
  found: set[str] = set()
  for source in sources:
    members = list(_members(source))
    if not members:
      raise SpeedflowError(
        f"{source}: no videos; wanted a file, a folder, a pattern, a .txt list "
        "or a URL of files such as .mp4 or .mov"
      )
    found.update(members)
  return sorted(found)


def _members(source: str) -> Iterator[str]:
  if "://" in source:
    yield from _remote_members(source)
    return
  path = pathlib.Path(source)
  if path.is_dir():
    yield from (str(p) for p in path.rglob("*") if _is_video(p.name))
  elif path.suffix == ".txt" and path.is_file():
    for line in _lines(path):
      # Files that are missing are reported when they are mined.
      yield from _members(line) if _is_many(line) else [line]
  elif glob.has_magic(source) and not path.exists():
    yield from glob.glob(source, recursive=True)
  else:
    yield source


def _lines(path: pathlib.Path) -> list[str]:
  try:
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
  except OSError as error:
    raise SpeedflowError(
      f"{path}: cannot be read ({error.strerror}); wanted a list of files, one "
      "a line"
    ) from error
  # A file's name may have any bytes.
  lines = (os.fsdecode(line).strip() for line in text.splitlines())
  return [line for line in lines if line]


def _is_many(source: str) -> bool:
  return "://" in source or glob.has_magic(source) or os.path.isdir(source)


def _is_video(name: str) -> bool:
  suffix = pathlib.PurePath(name).suffix.lower()
  return suffix in catalogue.VIDEO_SUFFIXES and not name.startswith(".")


def _remote_members(url: str) -> Iterator[str]:
  system, path = _file_system(url)
  try:
    if glob.has_magic(path):
      paths = system.glob(path)
    elif system.isdir(path):
      paths = [p for p in system.find(path) if _is_video(p.split("/")[-1])]
    else:
      paths = [path]
  except Exception as error:  # Each store has errors of its own.
    raise SpeedflowError(f"{url}: cannot be listed ({error})") from error
  yield from (system.unstrip_protocol(p) for p in paths)


def _file_system(url: str) -> tuple[Any, str]:
  try:
    import fsspec

    return fsspec.core.url_to_fs(url)
  except (ImportError, ValueError) as error:
    raise SpeedflowError(
      f"{url}: cannot be opened ({error}); install fsspec and the package of "
      "this store, such as gcsfs or s3fs"
    ) from error


def fingerprint(source: str) -> str:
  """What a file's contents are known by: its hash, or a store's own token.

  Args:
    source: a path or URL.

  Raises:
    OSError: the file cannot be read.
    SpeedflowError: there is no such file or store.
  """
  if "://" in source:
    system, path = _file_system(source)
    return f"{source} {system.ukey(path)}"
  digest = hashlib.blake2b(digest_size=16)
  inputs.require_file(source, "video file")
  # Frames beside a header, and what a camera writes beside its clips.
  for part in (pathlib.Path(source), *declared.companions(source)):
    # A file that is written to need not end.
    with part.open("rb") as file:
      left = os.fstat(file.fileno()).st_size
      while chunk := file.read(min(_CHUNK, left)):
        digest.update(chunk)
        left -= len(chunk)
  return digest.hexdigest()


@contextlib.contextmanager
def local(source: str, most_bytes: int) -> Iterator[str]:
  """Gives the path of a file; of a URL, a copy that is removed afterwards.

  Args:
    source: a path or URL.
    most_bytes: a larger remote file is not copied.

  Raises:
    RefusalError: the file is too large.
  """
  if "://" not in source:
    yield source
    return
  system, path = _file_system(source)
  size = system.size(path) or 0
  if size > most_bytes:
    raise RefusalError(
      "too_large",
      f"{source}: {size} bytes, wanted {most_bytes} at most; cut it",
    )
  with tempfile.TemporaryDirectory() as folder:
    copy = os.path.join(folder, os.path.basename(path) or "video")
    system.get(path, copy)
    yield copy
