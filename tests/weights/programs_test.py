"""A program that was compiled once is taken from disk, if it may be."""

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from speedflow import load_estimator
from speedflow.weights import programs

_ARGUMENTS = [((3,), np.float32)]
_GIVEN = np.array([1, 2, 3], np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  # What JAX has from a cache of its own is not kept again.
  given = jax.config.jax_enable_compilation_cache
  jax.config.update("jax_enable_compilation_cache", False)
  compilation_cache.reset_cache()
  yield tmp_path / "speedflow"
  jax.config.update("jax_enable_compilation_cache", given)
  compilation_cache.reset_cache()


class _Built:
  """Makes a function that multiplies, and counts how often it had to."""

  def __init__(self, factor):
    self.times = 0
    self._factor = factor

  def program(self, sha256="0"):
    def build():
      self.times += 1
      return lambda x: (self._factor * x, x.sum())

    return programs.kept(sha256, build, _ARGUMENTS, outputs=2)


def _check(program, factor):
  product, total = program(_GIVEN)
  np.testing.assert_allclose(product, factor * _GIVEN)
  assert float(total) == 6.0


def test_a_program_is_built_once(folder):
  built = _Built(2.5)
  for _ in range(2):
    _check(built.program(), 2.5)
  assert built.times == 1
  assert len(list(folder.iterdir())) == 1


def test_other_weights_are_another_program(folder):
  built = _Built(2.0)
  built.program("0")
  built.program("1")
  assert built.times == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "open"])
def test_what_cannot_be_trusted_is_built_again(folder, damage):
  built = _Built(3.0)
  built.program()
  (path,) = folder.iterdir()
  data = path.read_bytes()
  if damage == "cut":
    path.write_bytes(data[:-100])
  elif damage == "changed":
    path.write_bytes(data[:100] + b"?" + data[101:])
  elif damage == "empty":
    path.write_bytes(b"")
  else:
    path.chmod(0o666)
  _check(built.program(), 3.0)
  assert built.times == 2


def test_a_folder_that_cannot_be_written_is_no_hindrance(folder):
  folder.write_text("a file")
  built = _Built(4.0)
  _check(built.program(), 4.0)
  assert folder.read_text() == "a file"


def test_answers_do_not_depend_on_the_disk(folder):
  maps = np.random.default_rng(0).random((20, 12, 16, 8)).astype(np.float16)
  first, second = (
    load_estimator().network.likelihood([maps]) for _ in range(2)
  )
  np.testing.assert_array_equal(first, second)
  assert len(list(folder.iterdir())) == 1
