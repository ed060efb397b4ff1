"""Where each array lives: the mesh, the rules for the state, the batches."""

import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import (
  AbstractMesh,
  AxisType,
  Mesh,
  NamedSharding,
  PartitionSpec,
)

from speedflow import errors
from speedflow.models import spread

# Examples are split over the first two: fsdp splits parameters *and* data. Over
# the third, the tokens of an example are, where a network knows of it.
_AXES = (*spread.CLIPS, spread.CONTEXT)


def make_mesh(
  config: ml_collections.ConfigDict, devices: Sequence[jax.Device] | None = None
) -> Mesh:
  """Lays all devices out over the axes 'data', 'fsdp' and 'context'.

  Args:
    config: whose `mesh` gives the devices per axis; -1 takes the rest.
    devices: all of the run's devices; `jax.devices()` when None.

  Raises:
    SpeedflowError: the sizes do not multiply to the number of devices.
  """
  devices = jax.devices() if devices is None else devices
  sizes = [config.mesh[axis] for axis in _AXES]
  if sizes.count(-1) == 1:
    rest = len(devices) // math.prod(size for size in sizes if size != -1)
    sizes = [rest if size == -1 else size for size in sizes]
  if math.prod(sizes) != len(devices) or min(sizes) < 1:
    raise errors.SpeedflowError(
      f"config.mesh: data={config.mesh.data} x fsdp={config.mesh.fsdp} x "
      f"context={config.mesh.context} does not fit {len(devices)} devices; use "
      f"one -1, and divisors of {len(devices)} for the others"
    )
  # Neighbours in the mesh are neighbours in the machine; an axis may take a
  # part of one of the machine's own, as on a slice of 4x4 chips.
  grid = mesh_utils.create_device_mesh(
    sizes, devices, allow_split_physical_axes=True
  )
  return Mesh(grid, _AXES, axis_types=(AxisType.Auto,) * len(_AXES))


def batch_sharding(mesh: Mesh) -> NamedSharding:
  """Splits the first axis of an array over all devices but of a context."""
  return NamedSharding(mesh, PartitionSpec(spread.CLIPS))


def batch_parts(mesh: Mesh) -> int:
  """Into how many parts a batch is split."""
  return math.prod(mesh.shape[axis] for axis in spread.CLIPS)


def infer_sharding(
  tree: Any,
  rules: Sequence[tuple[str, Any]],
  mesh: Mesh | AbstractMesh,
  *,
  min_size: int,
) -> Any:
  """Gives every array of a tree a sharding by the first rule that fits.

  Args:
    tree: of anything with a shape, such as `jax.eval_shape` returns.
    rules: (regex, rule) pairs; see `config.sharding`.
    mesh: the devices.
    min_size: rule "fsdp" leaves arrays with fewer elements whole.

  Returns:
    The same tree with a `NamedSharding` for each array.

  Raises:
    SpeedflowError: no rule, or an impossible one, for some array.
  """

  def choose(path, leaf):
    name = path_name(path)
    for pattern, rule in rules:
      if re.search(pattern, name):
        spec = _apply(rule, name, leaf.shape, mesh, min_size)
        return NamedSharding(mesh, spec)
    raise errors.SpeedflowError(
      f"config.sharding: no rule for {name}; end the list with "
      '(".*", "replicate")'
    )

  return jax.tree_util.tree_map_with_path(choose, tree)


def _apply(
  rule: Any,
  name: str,
  shape: tuple[int, ...],
  mesh: Mesh | AbstractMesh,
  min_size: int,
) -> PartitionSpec:
  if rule == "replicate":
    return PartitionSpec()
  if rule == "fsdp":
    # What shares the tokens of an example shares the parameters, too.
    axes = tuple(
      axis for axis in ("fsdp", spread.CONTEXT) if mesh.shape.get(axis, 1) > 1
    )
    size = math.prod(mesh.shape[axis] for axis in axes)
    fitting = [axis for axis, length in enumerate(shape) if length % size == 0]
    if size == 1 or math.prod(shape) < min_size or not fitting:
      return PartitionSpec()
    # The last of equals: matrix outputs, which need no transposition.
    axis = max(fitting, key=lambda axis: (shape[axis], axis))
    return PartitionSpec(*[None] * axis, axes if len(axes) > 1 else axes[0])
  if isinstance(rule, str) or len(rule) > len(shape):
    raise errors.SpeedflowError(
      f"config.sharding: rule {rule!r} does not suit {name} of shape {shape}; "
      'use "replicate", "fsdp" or at most one mesh axis per dimension'
    )
  for axis, length in zip(rule, shape, strict=False):
    if axis and (axis not in mesh.shape or length % mesh.shape[axis]):
      raise errors.SpeedflowError(
        f"config.sharding: {name} of shape {shape} cannot be split by rule "
        f"{rule!r} over the mesh {dict(mesh.shape)}; choose a dimension that "
        "the mesh axis divides"
      )
  return PartitionSpec(*[axis or None for axis in rule])


def path_name(path: tuple[Any, ...]) -> str:
  """The path of a leaf as "params/head/kernel"."""
  return jax.tree_util.keystr(path, simple=True, separator="/")


def with_sharding(tree: Any, shardings: Any) -> Any:
  """Shapes and dtypes of `tree`, each with its place on the devices."""
  return jax.tree.map(
    lambda leaf, sharding: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    tree,
    shardings,
  )


def global_batch(local: Any, spec: Any) -> Any:
  """Joins the local batches of all processes to one global batch.

  Args:
    local: tree of NumPy arrays, this process's examples.
    spec: tree of `jax.ShapeDtypeStruct` with shardings, of the global batch.

  Raises:
    SpeedflowError: the data set's arrays are not as `batch_spec` says.
  """
  parts = jax.process_count()

  def place(path, array, want):
    expected = (want.shape[0] // parts, *want.shape[1:])
    if array.shape != expected or array.dtype != want.dtype:
      raise errors.SpeedflowError(
        f"batch: {path_name(path)} is {array.dtype}{list(array.shape)}, but "
        f"batch_spec() promises {want.dtype}{list(expected)} per process; "
        "make dataset() and batch_spec() agree"
      )
    return jax.make_array_from_process_local_data(
      want.sharding, array, want.shape
    )

  try:
    return jax.tree_util.tree_map_with_path(
      place, jax.tree.map(np.asarray, local), spec
    )
  except ValueError as error:
    raise errors.SpeedflowError(
      f"batch: {error}; make dataset() and batch_spec() agree"
    ) from error
