"""Claims: what a command may write, replace and remove, and nobody else.

A command claims its outputs before the work. That compares them with its
inputs and with each other, tries whether they can be written, refuses to
replace what speedflow did not make, and takes a lock. From then on
`atomic.atomic_path` keeps a journal of what is written, in the lock: so what
a killed run leaves half-written is removed by exact name, and nothing else is.
In a folder, the list of finished files outlives the lock, as `RECORD`.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from speedflow.errors import SpeedflowError, writing
from speedflow.output import locks

RECORD = ".speedflow.json"
"""Lists the files in a folder that speedflow made."""

Path = str | os.PathLike[str]
Recognise = Callable[[pathlib.Path], bool]
"""Says of an existing file whether speedflow made it."""

_LOCK = ".speedflow.lock"
_LOCKS = re.compile(r"\.speedflow(-\d+-of-\d+)?\.lock")
# By file: its size and time of change; None for one that is known by its name
# alone, since it grows or a library writes it.
_Owned = dict[str, list[int] | None]

_held: list["_Claim"] = []
_guard = threading.Lock()


@contextlib.contextmanager
def claim(
  command: str,
  *,
  files: Mapping[Path, Recognise] | None = None,
  folders: Sequence[Path] = (),
  inputs: Iterable[Path] = (),
  overwrite: bool = False,
  part: tuple[int, int] = (0, 1),
) -> Iterator[None]:
  """Claims outputs for as long as the block runs.

  Args:
    command: what is running, such as "estimate".
    files: the files to write, and for each what recognises one of ours.
    folders: folders to fill; they are made when missing.
    inputs: files and folders that are read; URLs are passed over.
    overwrite: whether to replace files that speedflow did not make.
    part: (i, n): one of n runs that fill the folders together.

  Raises:
    SpeedflowError: an output is an input, or another output, or cannot be
      written, or is not ours, or another run is writing it.
  """
  files = files or {}
  compare([*files, *folders], inputs)
  with contextlib.ExitStack() as stack:
    for path, recognise in files.items():
      stack.enter_context(_claimed_file(command, path, recognise, overwrite))
    for folder in folders:
      stack.enter_context(_claimed_folder(command, folder, overwrite, part))
    yield


def compare(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
  """Refuses outputs that are inputs, or each other, by whatever name.

  Args:
    outputs: files and folders that are written.
    inputs: files and folders that are read; URLs are passed over.

  Raises:
    SpeedflowError: two of them are one file.
  """
  written: dict[Any, Path] = {}
  for output in outputs:
    for key in _identities(output):
      if key in written:
        raise SpeedflowError(
          f"{os.fspath(output)}: named for two outputs; name two files"
        )
    written |= dict.fromkeys(_identities(output), output)
  for given in inputs:
    if "://" in os.fspath(given):
      continue
    for key in _identities(given):
      if key in written:
        kind = "folder" if os.path.isdir(given) else "file"
        raise SpeedflowError(
          f"{os.fspath(written[key])}: input and output are one {kind}; name"
          " another output"
        )


def _identities(path: Path) -> list[Any]:
  """What a path is known by: its real name and, where it exists, its inode."""
  found: list[Any] = [os.path.realpath(path)]
  with contextlib.suppress(OSError):
    status = os.stat(path)
    found.append((status.st_dev, status.st_ino))
  return found


def real(path: Path) -> pathlib.Path:
  """The file that is written: where a link points to, as with a redirection."""
  return pathlib.Path(os.path.realpath(path))


def join(folder: Path) -> None:
  """Lets a worker process write into a folder that another has claimed."""
  root = real(folder)
  with _guard:
    held = any(claim.root == root and not claim.files for claim in _held)
    if not held and (root / _LOCK).exists():
      _held.append(_FolderClaim(root, root / _LOCK))


def planned(temporary: pathlib.Path, final: pathlib.Path) -> None:
  """Notes that a temporary file is about to be made for a claimed one."""
  if found := _find(final):
    found.note({"temporary": found.name(temporary)})


def replace(temporary: pathlib.Path, final: pathlib.Path) -> None:
  """Renames a finished file to its final name.

  Raises:
    SpeedflowError: there is a file of that name that is not ours.
    OSError: it cannot be renamed.
  """
  if found := _find(final):
    found.vet(final)
    status = temporary.stat()
    found.own(final, [status.st_size, status.st_mtime_ns])
  if final.exists():
    # What is there must not be lost to a power cut before this one is kept.
    with temporary.open("rb") as file:
      os.fsync(file.fileno())
  temporary.replace(final)


def vet(paths: Iterable[Path]) -> None:
  """Asks before the work whether files may be written.

  Raises:
    SpeedflowError: there is one that is not ours.
  """
  for final in map(real, paths):
    if found := _find(final):
      found.vet(final)


def clear(paths: Iterable[Path]) -> None:
  """Makes way for files: removes those that are not ours, if that was asked.

  Raises:
    SpeedflowError: there is one that is not ours, and it was not.
  """
  for final in map(real, paths):
    found = _find(final)
    if found and final.exists():
      found.vet(final)
      if not found.owns(final):
        final.unlink()


def adopt(path: Path) -> None:
  """Says that a library is about to write, or to extend, a file by its name.

  Raises:
    SpeedflowError: there is a file of that name that is not ours.
  """
  final = real(path)
  if found := _find(final):
    found.vet(final)
    found.own(final, None)


def is_ours(path: Path) -> bool:
  """Whether a file in a claimed folder is one that speedflow made there."""
  final = real(path)
  found = _find(final)
  return found is not None and found.owns(final)


def remove(path: Path) -> bool:
  """Removes a file of a claimed folder if speedflow made it.

  Returns:
    Whether it did.
  """
  if not is_ours(path):
    return False
  real(path).unlink(missing_ok=True)
  return True


def files(folder: Path) -> list[pathlib.Path]:
  """The files below a claimed folder that are there and that we made."""
  root = real(folder)
  found = _find(root / RECORD)
  if found is None:
    return []
  paths = [found.root / name for name in found.owned()]
  return sorted(p for p in paths if p.is_relative_to(root) and found.owns(p))


def _find(final: pathlib.Path) -> "_Claim | None":
  """The narrowest claim that a file falls under."""
  with _guard:
    covering = [claim for claim in _held if claim.covers(final)]
  return max(
    covering,
    key=lambda claim: (bool(claim.files), len(claim.root.parts)),
    default=None,
  )


class _Claim:
  """What is claimed, and what is known of it.

  Attributes:
    root: a folder.
    files: the claimed files in it, and what recognises one of ours; none: all
      that is below the folder.
  """

  def __init__(
    self,
    root: pathlib.Path,
    journal: pathlib.Path,
    *,
    files: Mapping[pathlib.Path, Recognise] | None = None,
    lock: locks.Lock | None = None,
    overwrite: bool = False,
  ):
    """Knows of no file yet.

    Args:
      root: the folder.
      journal: the lock's file.
      files: the files in it.
      lock: the lock; None in a process that joins another's.
      overwrite: whether any file may be replaced.
    """
    self.root = root
    self.files = files or {}
    self._journal = journal
    self._lock = lock
    self._overwrite = overwrite
    self._owned: _Owned = {}

  def covers(self, final: pathlib.Path) -> bool:
    return final in self.files

  def name(self, path: pathlib.Path) -> str:
    return path.relative_to(self.root).as_posix()

  def note(self, entry: dict[str, Any]) -> None:
    if self._lock:
      self._lock.note(entry)
    else:
      locks.note(self._journal, entry)

  def own(self, final: pathlib.Path, known: list[int] | None) -> None:
    """Notes a file that is about to be written."""
    name = self.name(final)
    # One that grows need be noted but once.
    if known is not None or self._owned.get(name, ()) is not None:
      self.note({"final": name, "known": known})
    self._owned[name] = known

  def owned(self) -> _Owned:
    """What was noted, by other processes of this run and by earlier runs."""
    self._owned |= self.noted()
    return dict(self._owned)

  def owns(self, path: pathlib.Path) -> bool:
    return self._is_known(path) or (bool(self.owned()) and self._is_known(path))

  def vet(self, final: pathlib.Path) -> None:
    """Refuses to replace what is not ours."""
    try:
      status = final.stat()
    except FileNotFoundError:
      return
    if stat.S_ISDIR(status.st_mode):
      raise SpeedflowError(
        f"{final}: a folder, where a file is to be written; name a file"
      )
    if not stat.S_ISREG(status.st_mode):
      raise SpeedflowError(
        f"{final}: no regular file, but a device or a pipe; name a file"
      )
    if self._overwrite or not status.st_size or self.owns(final):
      return
    recognise = self.files.get(final)
    if recognise is None or not recognise(final):
      raise SpeedflowError(
        f"{final}: was not made by speedflow, or has changed since; move it,"
        " name another output, or replace it with --overwrite"
      )

  def noted(self) -> _Owned:
    return _finals(self._journal)

  def clean(self, entries: Iterable[dict[str, Any]]) -> None:
    """Removes the temporary files that dead runs noted."""
    names = [entry["temporary"] for entry in entries if "temporary" in entry]
    for temporary in (self.root / name for name in names):
      # Whatever was noted, only hidden files below this folder go.
      inside = real(temporary).is_relative_to(self.root)
      if inside and temporary.name.startswith("."):
        temporary.unlink(missing_ok=True)

  def _is_known(self, path: pathlib.Path) -> bool:
    name = self.name(path)
    if name not in self._owned or not path.is_file():
      return False
    known = self._owned[name]
    status = path.stat()
    return known is None or known == [status.st_size, status.st_mtime_ns]


class _FolderClaim(_Claim):
  """A folder and all below it."""

  def covers(self, final: pathlib.Path) -> bool:
    # Who joined a run that has ended has nothing to say any more.
    return final.is_relative_to(self.root) and (
      self._lock is not None or self._journal.exists()
    )

  def noted(self) -> _Owned:
    owned = _read_record(self.root / RECORD)
    for journal in self.journals():
      owned |= _finals(journal)
    return owned

  def vet(self, final: pathlib.Path) -> None:
    if not self._overwrite and not self._lock:
      # What the process that holds the lock was told.
      told = [
        e["overwrite"] for e in locks.journal(self._journal) if "overwrite" in e
      ]
      self._overwrite = bool(told and told[-1])
    super().vet(final)

  def journals(self) -> list[pathlib.Path]:
    """Of this run, and of those that share the folder or died in it."""
    return sorted(p for p in self.root.iterdir() if _LOCKS.fullmatch(p.name))

  def settle(self) -> None:
    """Keeps the list of what is there and ours."""
    there = {
      name: known
      for name, known in sorted(self.owned().items())
      if self._is_known(self.root / name)
    }
    record = self.root / RECORD
    if there != _read_record(record):
      with writing(record):
        temporary = record.with_name(f"{RECORD}.{os.getpid()}")
        self.note({"temporary": temporary.name})
        try:
          temporary.write_text(json.dumps({"files": there}, indent=0) + "\n")
          temporary.replace(record)
        finally:
          temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _claimed_file(
  command: str, path: Path, recognise: Recognise, overwrite: bool
) -> Iterator[None]:
  final = real(path)
  with contextlib.ExitStack() as stack:
    stack.enter_context(_folder(final.parent, path))
    # A name may have 255 bytes, and this one is longer.
    journal = final.with_name(f".{_short(final.name)}.lock")
    lock = locks.Lock.acquire(journal, command, os.fspath(path))
    stack.callback(lock.release)
    claimed = _Claim(
      final.parent,
      journal,
      files={final: recognise},
      lock=lock,
      overwrite=overwrite,
    )
    claimed.clean(lock.earlier)
    claimed.vet(final)
    stack.enter_context(_registered(claimed))
    yield


@contextlib.contextmanager
def _claimed_folder(
  command: str, path: Path, overwrite: bool, part: tuple[int, int]
) -> Iterator[None]:
  root = real(path)
  with contextlib.ExitStack() as stack:
    stack.enter_context(_folder(root, path))
    number, parts = part
    journal = root / _LOCK
    if parts > 1:
      whole = locks.Lock.acquire(journal, command, os.fspath(path), shared=True)
      stack.callback(whole.release)
      journal = root / f".speedflow-{number + 1}-of-{parts}.lock"
    lock = locks.Lock.acquire(journal, command, os.fspath(path))
    claimed = _FolderClaim(root, journal, lock=lock, overwrite=overwrite)
    try:
      claimed.clean(lock.earlier)
      claimed.owned()
      claimed.note({"overwrite": overwrite})
      with _registered(claimed):
        yield
    finally:
      kept = False
      # With no room for the list, the journal stays in its place.
      with contextlib.suppress(SpeedflowError):
        claimed.settle()
        kept = True
      lock.release(remove=kept)


@contextlib.contextmanager
def _registered(claimed: _Claim) -> Iterator[None]:
  with _guard:
    _held.append(claimed)
  try:
    yield
  finally:
    with _guard:
      _held.remove(claimed)


@contextlib.contextmanager
def _folder(folder: pathlib.Path, path: Path) -> Iterator[None]:
  """Makes a folder; removes it again if it stays empty."""
  made: list[pathlib.Path] = []
  try:
    with writing(path):
      for each in (*reversed(folder.parents), folder):
        if not each.exists():
          each.mkdir(exist_ok=True)
          made.append(each)
      if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    yield
  finally:
    with contextlib.suppress(OSError):
      for each in reversed(made):
        each.rmdir()


def _short(name: str) -> str:
  """A name that leaves room for more characters, within 255 bytes."""
  if len(os.fsencode(name)) <= 200:
    return name
  return hashlib.sha256(os.fsencode(name)).hexdigest()


def _finals(journal: pathlib.Path) -> _Owned:
  return {
    entry["final"]: entry["known"]
    for entry in locks.journal(journal)
    if "final" in entry
  }


def _read_record(path: pathlib.Path) -> _Owned:
  try:
    return dict(json.loads(path.read_text())["files"])
  except FileNotFoundError:
    return {}
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SpeedflowError(
      f"{path}: not readable as a list of what speedflow made; move it, or name"
      " another folder"
    ) from error
