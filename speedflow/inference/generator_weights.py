"""Trained generators: one compressed file with all it takes to rebuild one."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.atomic import atomic_path
from speedflow.errors import SpeedflowError
from speedflow.inference.generator import Facts, SpeedGenerator
from speedflow.models import generator

FOLDER = pathlib.Path(__file__).parents[1] / "weights"
"""Where the shipped weights are."""


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
  parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
  leaves, _ = jax.tree_util.tree_flatten_with_path(parameters)
  arrays = {_name(key): np.asarray(x, np.float16) for key, x in leaves}
  arrays["header"] = np.array(json.dumps(header, sort_keys=True))
  with atomic_path(path) as temporary, open(temporary, "wb") as file:
    np.savez_compressed(file, allow_pickle=False, **arrays)


def load_generator(name: str | pathlib.Path = "tiny") -> SpeedGenerator:
  """Loads a generator.

  Args:
    name: of one that is shipped, or a .npz file that `save` wrote.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  path = pathlib.Path(name)
  if path.suffix != ".npz":
    path = FOLDER / f"generator_{name}.npz"
  try:
    with np.load(path) as file:
      stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    config = generator.GeneratorConfig(**header["model"])
    facts = Facts(**header["facts"])
  except FileNotFoundError as error:
    raise SpeedflowError(
      f"{path}: no such weights; train a generator and export it with "
      "`speedflow eval --export`"
    ) from error
  except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
    raise SpeedflowError(
      f"{path}: not weights of a generator ({error}); write them with "
      "`speedflow eval --export`"
    ) from error
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  filled = jax.tree_util.tree_map_with_path(
    lambda key, spec: _checked(path, stored, _name(key), spec.shape),
    nnx.to_pure_dict(state),
  )
  nnx.replace_by_pure_dict(state, filled)
  return SpeedGenerator(nnx.merge(graph, state), facts)


def _name(key: tuple[Any, ...]) -> str:
  return jax.tree_util.keystr(key, simple=True, separator="/")


def _checked(
  path: pathlib.Path,
  stored: dict[str, np.ndarray],
  name: str,
  shape: tuple[int, ...],
) -> jax.Array:
  if name not in stored or stored[name].shape != shape:
    raise SpeedflowError(
      f"{path}: {name} should have the shape {shape}; these weights belong "
      "to another version, export them again"
    )
  return jnp.asarray(stored[name], jnp.float32)
