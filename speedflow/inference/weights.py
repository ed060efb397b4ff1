"""Trained weights: one compressed file with all it takes to rebuild a net."""

import dataclasses
import json
import pathlib
import zipfile
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.atomic import atomic_path
from speedflow.errors import SpeedflowError
from speedflow.models import motion_net

FOLDER = pathlib.Path(__file__).parents[1] / "weights"
"""Where the shipped weights are."""


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
  header = json.dumps({"model": fields, "extra": extra or {}}, sort_keys=True)
  parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
  leaves, _ = jax.tree_util.tree_flatten_with_path(parameters)
  arrays = {_name(key): np.asarray(x, np.float16) for key, x in leaves}
  with atomic_path(path) as temporary, open(temporary, "wb") as file:
    arrays["header"] = np.array(header)
    np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: pathlib.Path) -> tuple[motion_net.MotionNet, dict[str, Any]]:
  """Rebuilds a network.

  Args:
    path: a file that `save` wrote.

  Returns:
    The network, in float32 and evaluation mode, and the extra information.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  try:
    with np.load(path) as file:
      stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    fields = header["model"] | {"dropout": 0.0}
    fields["dilations"] = tuple(fields["dilations"])
    config = motion_net.MotionNetConfig(**fields)
  except FileNotFoundError as error:
    names = ", ".join(p.stem for p in sorted(path.parent.glob("*.npz")))
    raise SpeedflowError(
      f"{path}: no such weights; there are: {names or 'none'}"
    ) from error
  except (
    *(OSError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
  ) as error:
    raise SpeedflowError(
      f"{path}: not weights of a speed estimator ({error}); write them with "
      "`speedflow eval --export`"
    ) from error
  model = nnx.eval_shape(lambda: motion_net.MotionNet(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  parameters = nnx.to_pure_dict(state)
  filled = jax.tree_util.tree_map_with_path(
    lambda key, spec: _checked(path, stored, _name(key), spec.shape),
    parameters,
  )
  nnx.replace_by_pure_dict(state, filled)
  model = nnx.merge(graph, state)
  model.eval()
  return model, header["extra"]


def find(name: str) -> pathlib.Path:
  """Where weights are: shipped ones by name, others by their path.

  Args:
    name: such as "speed_tiny", or the path of a .npz file.
  """
  if name.endswith(".npz"):
    return pathlib.Path(name)
  return FOLDER / f"{name}.npz"


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
