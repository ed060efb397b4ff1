"""Trained weights of temporal super-resolution."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.inference import parameter_file
from speedflow.models import superres


def save(path: pathlib.Path, model: superres.SuperResNet) -> None:
  """Writes a network and its sizes to a .npz file."""
  fields = dataclasses.asdict(model.config)
  del fields["dtype"]  # How it was trained does not matter for using it.
  parameter_file.write(path, model, {"superres": fields})


def load(name: str = "tiny") -> superres.SuperResNet:
  """Loads a network.

  Args:
    name: of shipped weights, or a .npz file that `save` wrote.

  Raises:
    SpeedflowError: there are no such weights.
  """
  path = parameter_file.FOLDER / f"superres_{name}.npz"
  if name.endswith(".npz"):
    path = pathlib.Path(name)
  model, _ = parameter_file.read(path, _build, "temporal super-resolution")
  return model


def _build(header: dict[str, Any]) -> superres.SuperResNet:
  sizes: dict[str, Any] = {
    name: tuple(value) for name, value in header["superres"].items()
  }
  return superres.SuperResNet(superres.SuperResConfig(**sizes), nnx.Rngs(0))
