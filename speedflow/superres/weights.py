"""Trained weights of temporal super-resolution."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.models import superres
from speedflow.weights import parameter_file


def save(path: pathlib.Path, model: superres.SuperResNet) -> None:
  """Writes a network and its sizes to a .npz file."""
  fields = dataclasses.asdict(model.config)
  del fields["dtype"]  # How it was trained does not matter for using it.
  parameter_file.write(path, model, {"superres": fields})


def path_of(name: str) -> pathlib.Path:
  """The file of shipped weights, or of a .npz file that `save` wrote."""
  if name.endswith(".npz"):
    return pathlib.Path(name)
  return parameter_file.FOLDER / f"superres_{name}.npz"


def load(name: str = "tiny") -> superres.SuperResNet:
  """Loads a network.

  Args:
    name: as of `path_of`.

  Raises:
    SpeedflowError: there are no such weights.
  """
  model, _ = parameter_file.read(
    path_of(name), _build, "temporal super-resolution"
  )
  return model


def _build(header: dict[str, Any]) -> superres.SuperResNet:
  sizes: dict[str, Any] = {
    name: tuple(value) for name, value in header["superres"].items()
  }
  return superres.SuperResNet(superres.SuperResConfig(**sizes), nnx.Rngs(0))
