"""Trained weights of speed-change detectors."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.models import change_net
from speedflow.weights import parameter_file


def save(
  path: pathlib.Path,
  model: change_net.ChangeNet,
  extra: dict[str, Any] | None = None,
) -> None:
  """Writes a network and its sizes.

  Args:
    path: a .npz file.
    model: the network.
    extra: what else belongs to it, such as its calibration; as JSON.
  """
  fields = dataclasses.asdict(model.config)
  # How it was trained does not matter for using it.
  for name in ("dtype", "dropout"):
    del fields[name]
  parameter_file.write(path, model, {"change": fields, "extra": extra or {}})


def load(name: str = "tiny") -> tuple[change_net.ChangeNet, dict[str, Any]]:
  """Rebuilds a network.

  Args:
    name: of shipped weights, or a .npz file that `save` wrote.

  Returns:
    The network, in float32 and evaluation mode, and the extra information.

  Raises:
    SpeedflowError: there are no such weights.
  """
  path = parameter_file.FOLDER / f"change_{name}.npz"
  if name.endswith(".npz"):
    path = pathlib.Path(name)
  model, header = parameter_file.read(path, _build, "a speed-change detector")
  return model, header["extra"]


def _build(header: dict[str, Any]) -> change_net.ChangeNet:
  fields = header["change"] | {"dropout": 0.0}
  for name in ("patch_dilations", "picture_dilations"):
    fields[name] = tuple(fields[name])
  config = change_net.ChangeNetConfig(**fields)
  return change_net.ChangeNet(config, nnx.Rngs(0))
