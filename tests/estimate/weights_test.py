"""Files of weights."""

import numpy as np
import pytest
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.estimate import weights
from speedflow.models import motion_net

_CONFIG = motion_net.MotionNetConfig(width=4, dilations=(2,), hidden=8, bins=9)


@pytest.fixture(scope="module")
def net(random_net):
  return random_net(_CONFIG)


@pytest.fixture
def saved(net, tmp_path):
  path = tmp_path / "speed_toy.npz"
  weights.save(path, net, _CONFIG, {"calibration": {"window": 1.5}})
  return path


def test_a_network_is_read_as_it_was_saved(net, saved):
  again, extra = weights.load(saved)
  assert extra == {"calibration": {"window": 1.5}}
  assert (again.config.width, again.config.dilations) == (4, (2,))
  # As float16, parameters keep three digits.
  expected = nnx.to_pure_dict(nnx.state(net, nnx.Param))
  found = nnx.to_pure_dict(nnx.state(again, nnx.Param))
  np.testing.assert_allclose(
    found["embed"]["kernel"], expected["embed"]["kernel"], rtol=1e-3, atol=1e-6
  )
  assert found["embed"]["kernel"].dtype == np.float32
  assert not again.dropout.rate


def _damage(path):
  content = path.read_bytes()
  yield "empty", b""
  yield "text", b"no weights at all"
  yield "cut short", content[: len(content) // 2]
  yield "flipped", content[:200] + bytes(50) + content[250:]


def test_what_is_no_file_of_weights_is_refused_in_one_line(saved):
  for kind, content in list(_damage(saved)):
    path = saved.with_name(f"{kind}.npz")
    path.write_bytes(content)
    with pytest.raises(SpeedflowError) as error:
      weights.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_arrays_of_something_else_are_refused(tmp_path):
  np.savez(tmp_path / "a.npz", x=np.zeros(3))
  with pytest.raises(SpeedflowError, match="not weights of a speed estimator"):
    weights.load(tmp_path / "a.npz")


def test_weights_of_another_shape_are_refused_by_name(saved):
  with np.load(saved) as file:
    stored = dict(file)
  stored["embed/kernel"] = stored["embed/kernel"][:-1]
  np.savez(saved, **stored)
  with pytest.raises(SpeedflowError, match=r"embed/kernel should have .*shape"):
    weights.load(saved)


def test_missing_weights_name_those_there_are(saved):
  with pytest.raises(SpeedflowError, match=r"no such weights.*speed_toy"):
    weights.load(saved.with_name("speed_other.npz"))


def test_shipped_weights_are_found_by_name_and_others_by_path(saved):
  assert weights.find(str(saved)) == saved
  assert weights.find("speed_tiny") == weights.FOLDER / "speed_tiny.npz"
