"""XLA's compiled programs, kept on disk by JAX from process to process.

Networks of many programs, or of shapes that follow from the input, compile for
ten seconds and more where a short clip is made in two. JAX keeps what it
compiles if it is told where; here that is one folder for each processor, since
programs of a CPU suit no other.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import pathlib

import jax

from speedflow.weights import programs

LARGEST = 2**29
"""Bytes that are kept in a folder, at most, when a process begins."""

_FOLDER = "jax_compilation_cache_dir"


def keep() -> None:
  """Has JAX keep what it compiles, unless the user has said where and how.

  What was used longest ago is removed where there is too much. Where a folder
  cannot be made that nobody else can write to, nothing is kept.
  """
  if getattr(jax.config, _FOLDER) is not None:
    return
  try:
    folder = programs.folder() / "jax" / _circumstances()
  except (OSError, importlib.metadata.PackageNotFoundError):
    return
  if not _own(folder):
    return
  _prune(folder)
  jax.config.update(_FOLDER, os.fspath(folder))
  # Many of the programs are small, and together they take long.
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _circumstances() -> str:
  text = repr(programs.circumstances())
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def _own(folder: pathlib.Path) -> bool:
  """Whether the folder is there, and nobody else can write to it."""
  try:
    for each in (folder.parent.parent, folder.parent, folder):
      each.mkdir(mode=0o700, parents=True, exist_ok=True)
      if not programs.is_own(each):
        return False
  except OSError:
    return False
  return True


def _prune(folder: pathlib.Path) -> None:
  """Removes what was used longest ago, beyond `LARGEST` bytes."""
  # Another process may remove the same.
  with contextlib.suppress(OSError):
    found = [(path, path.stat()) for path in folder.iterdir()]
    total = sum(status.st_size for _, status in found)
    for path, status in sorted(
      found, key=lambda each: max(each[1].st_atime, each[1].st_mtime)
    ):
      if total <= LARGEST:
        return
      path.unlink(missing_ok=True)
      total -= status.st_size
