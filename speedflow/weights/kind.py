"""Kinds of trained networks: what is kept of each, and where its weights are.

Every verb declares the kinds that it uses; writing, reading and finding files
of weights is the same for all.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from speedflow import inputs, wording
from speedflow.errors import SpeedflowError
from speedflow.weights import parameter_file

if TYPE_CHECKING:
  import jax

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
    module: name of the module that defines it. It is imported when a network
      is wanted: that takes longer than to read a compiled one.
    config: name there of the class of its configuration, a dataclass.
    network: name there of its own class.
    not_kept: fields of the configuration that only matter in training.
    check: raises KeyError, TypeError or ValueError for `extra` (see `save`)
      that lacks what the kind needs.
  """

  name: str
  what: str
  module: str
  config: str
  network: str
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
    import jax
    from flax import nnx

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
    import jax
    from flax import nnx

    path = self.find(name)
    stored, header = self._read(path)
    with self._refused(path):
      model = nnx.eval_shape(lambda: self._build(header))
    graph, state = nnx.split(model)
    filled = jax.tree_util.tree_map_with_path(
      lambda key, spec: _checked(path, stored, _name(key), spec.shape),
      nnx.to_pure_dict(state),
    )
    nnx.replace_by_pure_dict(state, filled)
    model = nnx.merge(graph, state)
    model.eval()
    return model, header["extra"]

  def header(self, name: str | pathlib.Path = "tiny") -> dict[str, Any]:
    """What is kept beside the parameters: "config" and "extra".

    Args:
      name: as for `find`.

    Raises:
      SpeedflowError: no such file, or it holds something else.
    """
    return self._read(self.find(name))[1]

  def find(self, name: str | pathlib.Path = "tiny") -> pathlib.Path:
    """Where weights are; whether there are any is not asked.

    Args:
      name: of shipped ones, such as "tiny", or the path of a .safetensors file.
    """
    if is_path(name) or pathlib.Path(name).name != str(name):
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

  def _read(
    self, path: pathlib.Path
  ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parameters and header of a file of this kind."""
    with self._refused(path):
      stored, header = parameter_file.read(path, self.what)
      if header["kind"] != self.name:
        raise ValueError(f"of the kind {header['kind']!r}")
      self.check(header["extra"])
    return stored, header

  @contextlib.contextmanager
  def _refused(self, path: pathlib.Path) -> Iterator[None]:
    """Says in one line what is wrong with a file of weights."""
    try:
      yield
    except FileNotFoundError as error:
      raise self._missing(path) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise SpeedflowError(
        f"{path}: not weights of {self.what} ({wording.one_line(error)}); "
        "write them with `speedflow eval --export`"
      ) from error

  def _build(self, header: dict[str, Any]) -> _Network:
    """Makes the network, with any parameters."""
    from flax import nnx

    fields = {
      field: tuple(value) if isinstance(value, list) else value
      for field, value in header["config"].items()
    }
    if "dropout" in self.not_kept:
      fields["dropout"] = 0.0
    module = importlib.import_module(self.module)
    config = getattr(module, self.config)(**fields)
    network: _Network = getattr(module, self.network)(config, nnx.Rngs(0))
    return network

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
  import jax

  return jax.tree_util.keystr(key, simple=True, separator="/")


def _checked(
  path: pathlib.Path,
  stored: dict[str, np.ndarray],
  name: str,
  shape: tuple[int, ...],
) -> "jax.Array":
  import jax.numpy as jnp

  if name not in stored or stored[name].shape != shape:
    raise SpeedflowError(
      f"{path}: {name} should have the shape {shape}; these weights belong "
      "to another version, export them again"
    )
  return jnp.asarray(stored[name], jnp.float32)
