"""Kinds of trained networks: what is kept of each, and where its weights are.

Every verb declares the kinds that it uses; writing, reading and finding files
of weights is the same for all.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow import inputs, wording
from speedflow.errors import SpeedflowError
from speedflow.weights import parameter_file

FOLDER = pathlib.Path(__file__).parent
"""Where the shipped weights are."""


class Network(Protocol):
  """An `nnx.Module` that knows the configuration that it was built with."""

  config: Any

  def eval(self, **attributes: Any) -> None:
    """Switches to evaluation."""


_Network = TypeVar("_Network", bound=Network)


@dataclasses.dataclass(frozen=True)
class Kind(Generic[_Network]):
  """A kind of network whose weights are kept in files.

  Attributes:
    name: begins the names of shipped files, as in speed_tiny.safetensors.
    what: one of it, for the user, such as "a speed estimator".
    config: class of its configuration, a dataclass.
    module: class of the network.
    not_kept: fields of the configuration that only matter in training.
    check: raises KeyError, TypeError or ValueError for `extra` (see `save`)
      that lacks what the kind needs.
  """

  name: str
  what: str
  config: Callable[..., Any]
  module: Callable[[Any, nnx.Rngs], _Network]
  not_kept: tuple[str, ...] = ("dtype",)
  check: Callable[[dict[str, Any]], object] = lambda extra: None

  def save(
    self,
    path: pathlib.Path,
    model: _Network,
    extra: dict[str, Any] | None = None,
  ) -> None:
    """Writes parameters, as float16, and what rebuilds the network.

    Args:
      path: a .safetensors file.
      model: the network.
      extra: what else belongs to it, such as its calibration; as JSON.

    Raises:
      SpeedflowError: the name of the file ends otherwise.
    """
    fields = dataclasses.asdict(model.config)
    for field in self.not_kept:
      del fields[field]
    parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    leaves, _ = jax.tree_util.tree_flatten_with_path(parameters)
    arrays = {_name(key): np.asarray(x, np.float16) for key, x in leaves}
    header = {"kind": self.name, "config": fields, "extra": extra or {}}
    parameter_file.write(path, arrays, header)

  def load(
    self, name: str | pathlib.Path = "tiny"
  ) -> tuple[_Network, dict[str, Any]]:
    """Rebuilds a network.

    Args:
      name: as for `find`.

    Returns:
      The network, in float32 and evaluation mode, and the extra information.

    Raises:
      SpeedflowError: no such file, or it holds something else.
    """
    path = self.find(name)
    try:
      stored, header = parameter_file.read(path, self.what)
      model = nnx.eval_shape(lambda: self._build(header))
    except FileNotFoundError as error:
      raise self._missing(path) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise SpeedflowError(
        f"{path}: not weights of {self.what} ({wording.one_line(error)}); "
        "write them with `speedflow eval --export`"
      ) from error
    graph, state = nnx.split(model)
    filled = jax.tree_util.tree_map_with_path(
      lambda key, spec: _checked(path, stored, _name(key), spec.shape),
      nnx.to_pure_dict(state),
    )
    nnx.replace_by_pure_dict(state, filled)
    model = nnx.merge(graph, state)
    model.eval()
    return model, header["extra"]

  def find(self, name: str | pathlib.Path = "tiny") -> pathlib.Path:
    """Where weights are; whether there are any is not asked.

    Args:
      name: of shipped ones, such as "tiny", or the path of a .safetensors file.
    """
    if is_path(name):
      return pathlib.Path(name)
    return FOLDER / f"{self.name}_{name}{parameter_file.SUFFIX}"

  def digest(self, name: str | pathlib.Path = "tiny") -> str:
    """sha256 of a file of weights, in hexadecimal digits.

    Args:
      name: as for `find`.

    Raises:
      SpeedflowError: there is no such file.
    """
    path = self.find(name)
    if not path.exists():
      raise self._missing(path)
    inputs.require_file(path, "file of weights")
    with path.open("rb") as file:
      return hashlib.file_digest(file, "sha256").hexdigest()

  def _build(self, header: dict[str, Any]) -> _Network:
    """Makes the network, with any parameters."""
    if header["kind"] != self.name:
      raise ValueError(f"of the kind {header['kind']!r}")
    self.check(header["extra"])
    fields = {
      field: tuple(value) if isinstance(value, list) else value
      for field, value in header["config"].items()
    }
    if "dropout" in self.not_kept:
      fields["dropout"] = 0.0
    return self.module(self.config(**fields), nnx.Rngs(0))

  def _missing(self, path: pathlib.Path) -> SpeedflowError:
    return SpeedflowError(
      f"{path}: no such weights; there are: {self._others(path) or 'none'}; "
      f"or train {self.what} and export it with `speedflow eval --export`"
    )

  def _others(self, path: pathlib.Path) -> str:
    """The names that would have been found, as they are given."""
    suffix = parameter_file.SUFFIX
    if path.is_relative_to(FOLDER):
      found = sorted(FOLDER.glob(f"{self.name}_*{suffix}"))
      return ", ".join(p.stem.removeprefix(f"{self.name}_") for p in found)
    return ", ".join(p.stem for p in sorted(path.parent.glob(f"*{suffix}")))


def is_path(name: str | pathlib.Path) -> bool:
  """Whether weights are given by the path of a file, not by a name."""
  suffixes = (parameter_file.SUFFIX, parameter_file.FORMER_SUFFIX)
  return pathlib.Path(name).suffix in suffixes


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
