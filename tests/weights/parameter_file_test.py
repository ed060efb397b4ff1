"""Files of weights: what is written comes back, and nothing else is taken."""

import os

import numpy as np
import pytest
import safetensors.numpy

from speedflow.errors import SpeedflowError
from speedflow.output import marks
from speedflow.weights import parameter_file

_ARRAYS = {
  "a/kernel": np.arange(600, dtype=np.float16).reshape(20, 30),
  "scale": np.array(1.5),
}
_HEADER = {"kind": "toy", "config": {"sizes": [1, 2]}, "name": "ä"}


@pytest.fixture
def written(tmp_path):
  path = tmp_path / "toy.safetensors"
  parameter_file.write(path, _ARRAYS, _HEADER)
  return path


def test_arrays_and_header_come_back(written):
  arrays, header = parameter_file.read(written, "a toy")
  assert header == _HEADER
  assert arrays.keys() == _ARRAYS.keys()
  for name, array in _ARRAYS.items():
    assert arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(arrays[name], array)


def test_the_layout_of_arrays_in_memory_does_not_matter(tmp_path):
  path = tmp_path / "a.safetensors"
  array = np.arange(6.0).reshape(2, 3)
  parameter_file.write(path, {"t": array.T, "every_second": array[:, ::2]}, {})
  arrays, _ = parameter_file.read(path, "a toy")
  np.testing.assert_array_equal(arrays["t"], array.T)
  np.testing.assert_array_equal(arrays["every_second"], array[:, ::2])


def test_the_same_weights_give_the_same_bytes(written, tmp_path):
  again = tmp_path / "again.safetensors"
  parameter_file.write(again, dict(reversed(_ARRAYS.items())), _HEADER)
  assert again.read_bytes() == written.read_bytes()


def test_exported_weights_may_be_written_anew_and_others_not(written, tmp_path):
  assert marks.is_weights(written)
  foreign = tmp_path / "foreign.safetensors"
  safetensors.numpy.save_file(_ARRAYS, foreign, {"format": "np"})
  assert not marks.is_weights(foreign)


def _damaged(content):
  flipped = bytearray(content)
  flipped[-100] ^= 1
  yield "empty", b""
  yield "text", b"no weights at all"
  yield "a former archive", b"PK\x03\x04cut"
  yield "cut short", content[: len(content) // 2]
  yield "cut by a byte", content[:-1]
  yield "with more behind", content + b"more"
  yield "zeros in the header", content[:20] + bytes(50) + content[70:]
  yield "one bit of an array", bytes(flipped)
  yield "one number of the header", content.replace(b"[1, 2]", b"[1, 3]")
  yield "another name", content.replace(b"a/kernel", b"b/kernel")


def test_damaged_and_other_files_are_refused_in_one_line(written):
  for kind, content in _damaged(written.read_bytes()):
    path = written.with_name(f"{kind}.safetensors")
    path.write_bytes(content)
    with pytest.raises(SpeedflowError, match="not weights of a toy") as error:
      parameter_file.read(path, "a toy")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"sha256": ""}'])
def test_safetensors_of_others_are_refused(tmp_path, text):
  path = tmp_path / "a.safetensors"
  metadata = None if text is None else {marks.NAME: text}
  safetensors.numpy.save_file(_ARRAYS, path, metadata)
  with pytest.raises(SpeedflowError, match="not weights of a toy"):
    parameter_file.read(path, "a toy")


def test_files_of_the_former_format_are_to_be_exported_again(tmp_path):
  path = tmp_path / "speed.npz"
  np.savez(path, **_ARRAYS)
  with pytest.raises(SpeedflowError, match=r"speed\.npz: .*export them again"):
    parameter_file.read(path, "a toy")


def test_other_endings_are_not_written_since_they_would_not_be_found(tmp_path):
  with pytest.raises(SpeedflowError, match=r"a\.npz: .*\.safetensors"):
    parameter_file.write(tmp_path / "a.npz", _ARRAYS, _HEADER)
  assert not list(tmp_path.iterdir())


def test_a_pipe_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / "a.safetensors")
  with pytest.raises(SpeedflowError, match="a pipe"):
    parameter_file.read(tmp_path / "a.safetensors", "a toy")
