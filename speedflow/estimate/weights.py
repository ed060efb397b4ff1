"""Trained weights of speed estimators."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.models import motion_net
from speedflow.weights import parameter_file
from speedflow.weights.parameter_file import FOLDER


def save(
  path: pathlib.Path,
  model: nnx.Module,
  config: motion_net.MotionNetConfig,
  extra: dict[str, Any] | None = None,
) -> None:
  """Writes the parameters of a network, as float16, and its configuration.

  Args:
    path: a .npz file.
    model: a `MotionNet`.
    config: what it was built with.
    extra: what else belongs to it, such as its calibration; as JSON.
  """
  fields = dataclasses.asdict(config)
  # How it was trained does not matter for using it.
  for name in ("dtype", "remat", "dropout"):
    del fields[name]
  parameter_file.write(path, model, {"model": fields, "extra": extra or {}})


def load(path: pathlib.Path) -> tuple[motion_net.MotionNet, dict[str, Any]]:
  """Rebuilds a network.

  Args:
    path: a file that `save` wrote.

  Returns:
    The network, in float32 and evaluation mode, and the extra information.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  model, header = parameter_file.read(path, _build, "a speed estimator")
  return model, header["extra"]


def _build(header: dict[str, Any]) -> motion_net.MotionNet:
  fields = header["model"] | {"dropout": 0.0}
  fields["dilations"] = tuple(fields["dilations"])
  config = motion_net.MotionNetConfig(**fields)
  return motion_net.MotionNet(config, nnx.Rngs(0))


def find(name: str) -> pathlib.Path:
  """Where weights are: shipped ones by name, others by their path.

  Args:
    name: such as "speed_tiny", or the path of a .npz file.
  """
  if name.endswith(".npz"):
    return pathlib.Path(name)
  return FOLDER / f"{name}.npz"
