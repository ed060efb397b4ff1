"""A network written and read again is the same network."""

import hashlib

import jax
import numpy as np
import pytest
from flax import nnx

from speedflow.detect.weights import CHANGE
from speedflow.errors import SpeedflowError
from speedflow.estimate.weights import SOUND, SPEED
from speedflow.generate.weights import GENERATOR
from speedflow.models import motion_net
from speedflow.superres.weights import SUPERRES
from speedflow.weights import kind, parameter_file

_CONFIG = motion_net.MotionNetConfig(width=4, dilations=(2,), hidden=8, bins=9)
_EXTRA = {"window": 47, "calibration": {"window": 1.5}}


@pytest.fixture(scope="module")
def net(random_net):
  return random_net(_CONFIG)


@pytest.fixture
def saved(net, tmp_path):
  path = tmp_path / "speed_toy.safetensors"
  SPEED.save(path, net, _EXTRA)
  return path


def _rewrite(path, change):
  arrays, header = parameter_file.read(path, "a network")
  change(arrays, header)
  parameter_file.write(path, arrays, header)


def test_a_network_is_read_as_it_was_saved(net, saved):
  again, extra = SPEED.load(saved)
  assert extra == _EXTRA
  assert (again.config.width, again.config.dilations) == (4, (2,))
  # As float16, parameters keep three digits.
  for found, expected in zip(
    *(jax.tree.leaves(nnx.state(n, nnx.Param)) for n in (again, net)),
    strict=True,
  ):
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert found.dtype == np.float32
  assert not again.dropout.rate


def test_weights_of_another_kind_are_refused(saved):
  with pytest.raises(SpeedflowError, match=r"a generator .*speed"):
    GENERATOR.load(saved)


def test_weights_that_lack_what_the_kind_needs_are_refused(net, tmp_path):
  path = tmp_path / "a.safetensors"
  SPEED.save(path, net, {"calibration": {}})
  with pytest.raises(SpeedflowError, match=r"a speed estimator .*window"):
    SPEED.load(path)


def test_weights_of_another_shape_are_refused_by_name(saved):
  def change(arrays, header):
    arrays["embed/kernel"] = arrays["embed/kernel"][:-1]

  _rewrite(saved, change)
  with pytest.raises(SpeedflowError, match=r"embed/kernel should have .*shape"):
    SPEED.load(saved)


def test_weights_of_other_sizes_are_refused(saved):
  _rewrite(saved, lambda arrays, header: header["config"].update(width=8))
  with pytest.raises(SpeedflowError, match="export them again"):
    SPEED.load(saved)


def test_sizes_that_the_network_does_not_know_are_refused(saved):
  _rewrite(saved, lambda arrays, header: header["config"].update(depth=8))
  with pytest.raises(SpeedflowError, match=r"a speed estimator .*depth"):
    SPEED.load(saved)


def test_missing_weights_are_named_with_those_there_are(saved):
  with pytest.raises(SpeedflowError, match=r"no such weights.*speed_toy"):
    SPEED.load(saved.with_name("speed_other.safetensors"))


def test_shipped_weights_are_listed_by_the_names_that_are_given():
  with pytest.raises(SpeedflowError, match="there are: tiny;"):
    SUPERRES.load("none")


def test_shipped_weights_are_found_by_name_and_others_by_path(saved):
  assert SPEED.find(str(saved)) == saved
  assert SPEED.find("tiny") == kind.FOLDER / "speed_tiny.safetensors"


@pytest.mark.parametrize("of", [SPEED, SOUND, CHANGE, SUPERRES, GENERATOR])
def test_every_kind_ships_weights(of):
  model, _ = of.load()
  leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
  assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_the_shipped_estimator_has_windows_as_it_was_trained_on():
  from speedflow.training import config

  trained = config.load_config("configs/speed_estimator.py:tiny")
  _, extra = SPEED.load()
  assert extra["window"] == trained.data.maps


def test_the_digest_is_that_of_the_file(saved):
  expected = hashlib.sha256(saved.read_bytes()).hexdigest()
  assert SPEED.digest(saved) == expected
  with pytest.raises(SpeedflowError, match=r"no such weights.*speed_toy"):
    SPEED.digest(saved.with_name("speed_other.safetensors"))
