"""Compiled networks, kept on disk: the next process need not compile again.

Compiling a small network for a CPU takes seconds, running it milliseconds. An
executable suits one processor, one JAX and one network: its name is a digest of
all that it follows from, and what is not found is compiled.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import secrets
import stat
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np

from speedflow import models

Program = Callable[..., Sequence[Any]]
"""Takes arrays of fixed shapes and types, and gives a tuple of arrays."""

_DIGEST_BYTES = 32
# From all files of a processor's description, lines that say what it can do.
_CAN = ("flags", "features", "model name", "cpu part")


def kept(
  weights_sha256: str,
  build: Callable[[], Program],
  arguments: Sequence[tuple[tuple[int, ...], Any]],
  outputs: int,
) -> Program:
  """Compiles a function of a network, or takes it from disk.

  On other devices than CPUs it is compiled when it is first called.

  Args:
    weights_sha256: digest of the weights that `build` reads.
    build: makes the function, which is traced by JAX; only called if it is not
      on disk.
    arguments: shape and type of each.
    outputs: how many arrays it gives.
  """
  import jax

  if jax.default_backend() != "cpu":
    return jax.jit(build())
  path = _path(weights_sha256, build, arguments)
  data = _read(path) if path else None
  if data is not None:
    with contextlib.suppress(Exception):  # Whatever it is, it can be made anew.
      return _loaded(data, arguments, outputs)
  shapes = [jax.ShapeDtypeStruct(*each) for each in arguments]
  compiled = jax.jit(build()).lower(*shapes).compile()
  if path:
    with contextlib.suppress(Exception):  # It will be compiled again, then.
      from jax.experimental import serialize_executable

      data, *_ = serialize_executable.serialize(compiled)
      # What JAX has from a cache of its own lacks parts once it is written.
      _loaded(data, arguments, outputs)
      _write(path, data)
  return compiled


def begun(make: Callable[[], Program]) -> Callable[[], Program]:
  """Makes a program in a thread of its own, while other work begins.

  JAX is imported there, and a kept program read: half a second in which files
  can be opened and decoded.

  Returns:
    What gives the program once it is made, or raises what `make` raises.
  """
  pool = futures.ThreadPoolExecutor(max_workers=1)
  pending = pool.submit(make)
  pool.shutdown(wait=False)
  return pending.result


def folder() -> pathlib.Path:
  """Where programs are kept: `speedflow` in the user's folder of caches."""
  root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
  return pathlib.Path(root) / "speedflow"


def _loaded(
  data: bytes,
  arguments: Sequence[tuple[tuple[int, ...], Any]],
  outputs: int,
) -> Program:
  """The program, which has run once: what is missing shows then."""
  import jax
  from jax.experimental import serialize_executable

  program = serialize_executable.deserialize_and_load(
    data,
    jax.tree.structure((tuple(range(len(arguments))), {})),
    jax.tree.structure(tuple(range(outputs))),
  )
  jax.block_until_ready(program(*(np.zeros(*each) for each in arguments)))
  return program


def _path(
  weights_sha256: str,
  build: Callable[[], Program],
  arguments: Sequence[tuple[tuple[int, ...], Any]],
) -> pathlib.Path | None:
  """Where a program is, or would be; None where no name can be trusted."""
  made_by = getattr(build, "func", build).__code__.co_filename
  try:
    text = repr(
      [
        weights_sha256,
        _sources(made_by),
        [(shape, np.dtype(dtype).str) for shape, dtype in arguments],
        circumstances(),
      ]
    )
  except (OSError, importlib.metadata.PackageNotFoundError):
    return None
  return folder() / f"{hashlib.sha256(text.encode()).hexdigest()}.program"


@functools.cache
def _sources(made_by: str) -> str:
  """Digest of the code that a network's function follows from."""
  digest = hashlib.sha256()
  for path in [
    *sorted(pathlib.Path(models.__path__[0]).glob("*.py")),
    pathlib.Path(made_by),
  ]:
    digest.update(path.read_bytes())
  return digest.hexdigest()


@functools.cache
def circumstances() -> tuple[object, ...]:
  """Versions, processor and settings that a program is compiled for.

  Raises:
    OSError: nothing says what the processor can do.
    PackageNotFoundError: nothing says which JAX this is.
  """
  import jax

  versions = [
    importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")
  ]
  processor = {
    line
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    if line.lower().startswith(_CAN)
  }
  # Other settings of JAX have no say in what is compiled here.
  names = ("jax_enable_x64", "jax_default_matmul_precision")
  settings = [getattr(jax.config, name) for name in names]
  return (
    *versions,
    platform.machine(),
    sorted(processor),
    len(os.sched_getaffinity(0)),
    os.environ.get("XLA_FLAGS"),
    *settings,
  )


def _read(path: pathlib.Path) -> bytes | None:
  """What was kept; None if nothing was, or others may have written it."""
  try:
    # What is loaded is run.
    if not (is_own(path.parent) and is_own(path)):
      return None
    data = path.read_bytes()
  except OSError:
    return None
  digest, program = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
  return program if hashlib.sha256(program).digest() == digest else None


def is_own(path: pathlib.Path) -> bool:
  """Whether nobody else can have written a file, or into a folder."""
  found = path.stat()
  shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
  return found.st_uid == os.getuid() and not shared


def _write(path: pathlib.Path, program: bytes) -> None:
  path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
  temporary = path.with_name(f".{secrets.token_hex(8)}")
  try:
    temporary.touch(mode=0o600, exist_ok=False)
    temporary.write_bytes(hashlib.sha256(program).digest() + program)
    temporary.replace(path)
  finally:
    temporary.unlink(missing_ok=True)
