"""A network written and read again is the same network."""

import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.models import superres
from speedflow.superres import weights

_CONFIG = superres.SuperResConfig(coarse=(2, 2, 2), fine=(2, 2))


@pytest.fixture
def saved(tmp_path):
  net = nnx.eval_shape(lambda: superres.SuperResNet(_CONFIG, nnx.Rngs(0)))
  rng = np.random.default_rng(0)
  nnx.update(
    net,
    jax.tree.map(
      lambda x: jnp.array(rng.normal(0, 1, x.shape)),
      nnx.state(net, nnx.Param),
    ),
  )
  path = tmp_path / "superres_a.npz"
  weights.save(path, net)
  return path, net


def test_a_network_survives_to_half_precision(saved):
  path, net = saved
  again = weights.load(str(path))
  assert again.config == net.config
  for a, b in zip(
    *(jax.tree.leaves(nnx.state(n, nnx.Param)) for n in (again, net)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_missing_weights_are_named_with_those_there_are(saved):
  path, _ = saved
  with pytest.raises(SpeedflowError, match=r"b\.npz: no such .*superres_a"):
    weights.load(str(path.with_name("b.npz")))


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04cut"])
def test_other_files_are_refused(tmp_path, content):
  path = tmp_path / "a.npz"
  path.write_bytes(content)
  with pytest.raises(SpeedflowError, match="not weights of temporal"):
    weights.load(str(path))


def test_weights_of_other_sizes_are_refused(saved, tmp_path):
  path, _ = saved
  with np.load(path) as file:
    stored = dict(file)
  stored["header"] = np.array(
    str(stored["header"]).replace("[2, 2, 2]", "[2, 2, 4]")
  )
  np.savez(path, **stored)
  with pytest.raises(SpeedflowError, match="export them again"):
    weights.load(str(path))


def test_nobody_is_told_to_run_what_is_in_a_file(tmp_path):
  path = tmp_path / "a.npz"
  for content in (b"no arrays", pickle.dumps({"a": 1})):
    path.write_bytes(content)
    with pytest.raises(SpeedflowError, match="no NumPy arrays in it") as caught:
      weights.load(str(path))
    assert "pickle" not in str(caught.value)
  np.savez(path, header=np.array([{}], object))
  with pytest.raises(SpeedflowError, match="no NumPy arrays in it"):
    weights.load(str(path))


def test_a_pipe_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / "a.npz")
  with pytest.raises(SpeedflowError, match="a pipe"):
    weights.load(str(tmp_path / "a.npz"))


def test_shipped_weights_are_listed_by_the_names_that_are_given():
  with pytest.raises(SpeedflowError, match="there are: tiny;"):
    weights.load("none")
