"""Trained weights of generators."""

import dataclasses
import pathlib

from speedflow.generate.generator import Facts, SpeedGenerator
from speedflow.models import generator
from speedflow.weights.kind import Kind

GENERATOR: Kind[generator.Generator] = Kind(
  "generator",
  "a generator",
  "speedflow.models.generator",
  "GeneratorConfig",
  "Generator",
  not_kept=("dtype", "remat", "attention"),
  check=lambda extra: Facts(**extra["facts"]),
)
"""Its extra "facts" are `Facts`, what it was trained on."""


def save(path: pathlib.Path, model: generator.Generator, facts: Facts) -> None:
  """Writes a generator.

  Args:
    path: a .safetensors file.
    model: the network.
    facts: what it was trained on.
  """
  GENERATOR.save(path, model, {"facts": dataclasses.asdict(facts)})


def load_generator(name: str | pathlib.Path = "tiny") -> SpeedGenerator:
  """Loads a generator.

  Args:
    name: of one that is shipped, or a .safetensors file that `save` wrote.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  model, extra = GENERATOR.load(name)
  return SpeedGenerator(model, Facts(**extra["facts"]))
