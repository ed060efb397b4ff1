"""Trained weights of generators."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.generate.generator import Facts, SpeedGenerator
from speedflow.models import generator
from speedflow.weights import parameter_file


def save(path: pathlib.Path, model: generator.Generator, facts: Facts) -> None:
  """Writes a generator: parameters as float16, sizes, and facts.

  Args:
    path: a .npz file.
    model: the network.
    facts: what it was trained on.
  """
  fields = dataclasses.asdict(model.config)
  # How it was trained does not matter for using it.
  for name in ("dtype", "remat", "attention"):
    del fields[name]
  header = {"model": fields, "facts": dataclasses.asdict(facts)}
  parameter_file.write(path, model, header)


def load_generator(name: str | pathlib.Path = "tiny") -> SpeedGenerator:
  """Loads a generator.

  Args:
    name: of one that is shipped, or a .npz file that `save` wrote.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  path = pathlib.Path(name)
  if path.suffix != ".npz":
    path = parameter_file.FOLDER / f"generator_{name}.npz"
  model, header = parameter_file.read(path, _build, "a generator")
  return SpeedGenerator(model, Facts(**header["facts"]))


def _build(header: dict[str, Any]) -> generator.Generator:
  Facts(**header["facts"])  # A file without them is refused here.
  config = generator.GeneratorConfig(**header["model"])
  return generator.Generator(config, nnx.Rngs(0))
