"""One compressed file for a network: parameters and what rebuilds it."""

import json
import pathlib
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow import inputs, wording
from speedflow.errors import SpeedflowError
from speedflow.output.atomic import atomic_path

FOLDER = pathlib.Path(__file__).parents[1] / "weights"
"""Where the shipped weights are."""

_Module = TypeVar("_Module", bound=nnx.Module)


def write(path: pathlib.Path, model: nnx.Module, header: dict) -> None:
  """Writes the parameters of a network, as float16.

  Args:
    path: a .npz file.
    model: the network.
    header: what rebuilds it and belongs to it; becomes JSON.
  """
  parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
  leaves, _ = jax.tree_util.tree_flatten_with_path(parameters)
  arrays = {_name(key): np.asarray(x, np.float16) for key, x in leaves}
  arrays["header"] = np.array(json.dumps(header, sort_keys=True))
  with atomic_path(path) as temporary, open(temporary, "wb") as file:
    np.savez_compressed(file, allow_pickle=False, **arrays)


def read(
  path: pathlib.Path, build: Callable[[dict[str, Any]], _Module], what: str
) -> tuple[_Module, dict[str, Any]]:
  """Rebuilds a network.

  Args:
    path: a file that `write` wrote.
    build: makes the network, with any parameters, from the header.
    what: kind of network, for the user, such as "a speed estimator".

  Returns:
    The network, in float32 and evaluation mode, and the header.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  try:
    if path.exists():
      inputs.require_file(path, "file of weights")
    with np.load(path) as file:
      stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    model = nnx.eval_shape(lambda: build(header))
  except FileNotFoundError as error:
    raise SpeedflowError(
      f"{path}: no such weights; there are: {_others(path) or 'none'}; or "
      f"train {what} and export it with `speedflow eval --export`"
    ) from error
  except (
    *(OSError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
  ) as error:
    raise SpeedflowError(
      f"{path}: not weights of {what} ({wording.reason(error)}); write them "
      "with `speedflow eval --export`"
    ) from error
  graph, state = nnx.split(model)
  filled = jax.tree_util.tree_map_with_path(
    lambda key, spec: _checked(path, stored, _name(key), spec.shape),
    nnx.to_pure_dict(state),
  )
  nnx.replace_by_pure_dict(state, filled)
  model = nnx.merge(graph, state)
  model.eval()
  return model, header


def _others(path: pathlib.Path) -> str:
  """The names that would have been found, as they are given."""
  if not path.is_relative_to(FOLDER):
    return ", ".join(p.stem for p in sorted(path.parent.glob("*.npz")))
  # Shipped weights are called KIND_NAME, and given as NAME.
  kind = path.relative_to(FOLDER).parts[0].partition("_")[0]
  found = sorted(FOLDER.glob(f"{kind}_*.npz"))
  return ", ".join(p.stem.removeprefix(f"{kind}_") for p in found)


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
