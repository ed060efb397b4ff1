"""What JAX compiles is kept, where nobody else can write."""

import os

import jax
import pytest

from speedflow.weights import compiled, programs

_NAMES = (
  "jax_compilation_cache_dir",
  "jax_persistent_cache_min_compile_time_secs",
  "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  before = {name: getattr(jax.config, name) for name in _NAMES}
  jax.config.update("jax_compilation_cache_dir", None)
  yield tmp_path / "speedflow"
  for name, value in before.items():
    jax.config.update(name, value)


def test_jax_is_told_a_folder_of_this_processor(folder):
  compiled.keep()
  told = jax.config.jax_compilation_cache_dir
  assert os.path.dirname(told) == str(folder / "jax")
  assert os.path.isdir(told)
  assert os.stat(told).st_mode & 0o777 == 0o700
  assert jax.config.jax_persistent_cache_min_compile_time_secs == 0
  jax.config.update("jax_compilation_cache_dir", None)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(programs, "circumstances", lambda: ("another",))
    compiled.keep()
  assert jax.config.jax_compilation_cache_dir != told


def test_what_the_user_has_said_is_left_alone(folder):
  jax.config.update("jax_compilation_cache_dir", "elsewhere")
  compiled.keep()
  assert jax.config.jax_compilation_cache_dir == "elsewhere"
  assert not folder.exists()


def test_nothing_is_kept_where_others_can_write(folder):
  folder.mkdir()
  folder.chmod(0o777)
  compiled.keep()
  assert jax.config.jax_compilation_cache_dir is None


def test_what_was_used_longest_ago_is_removed(folder, monkeypatch):
  compiled.keep()
  told = jax.config.jax_compilation_cache_dir
  for number in range(4):
    path = os.path.join(told, f"{number}")
    with open(path, "wb") as file:
      file.write(bytes(100))
    # The second is the oldest.
    age = (3, 1, 4, 2)[number]
    os.utime(path, (age, age))
  monkeypatch.setattr(compiled, "LARGEST", 250)
  jax.config.update("jax_compilation_cache_dir", None)
  compiled.keep()
  assert sorted(os.listdir(told)) == ["0", "2"]
