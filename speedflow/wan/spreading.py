"""Over which devices the transformer of a clip is spread."""

import contextlib
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from speedflow.models import spread
from speedflow.training import sharding
from speedflow.weights import wan as weights

# Below so many numbers, a parameter is whole on each device.
_WHOLE = 2**16


class Spreading:
  """Of one clip at a time: tokens and parameters are split, by as many.

  Attributes:
    count: how many devices.
    place: where each parameter is; None: on one device, as JAX has it.
  """

  def __init__(self, devices: Sequence[jax.Device]):
    """Lays them out as one `spread.CONTEXT`.

    Args:
      devices: all of one process, at least one.
    """
    self.count = len(devices)
    self.place: weights.Place | None = None
    self._mesh: Mesh | None = None
    if self.count > 1:
      sizes = {"data": 1, "fsdp": 1, spread.CONTEXT: self.count}
      self._mesh = sharding.make_mesh(
        ml_collections.ConfigDict({"mesh": sizes}), devices
      )
      self.place = self._placed

  def _placed(self, path: str, shape: tuple[int, ...]) -> jax.sharding.Sharding:
    leaf = jax.ShapeDtypeStruct(shape, np.float32)
    found = sharding.infer_sharding(
      {path: leaf}, ((".*", "fsdp"),), self._mesh, min_size=_WHOLE
    )
    return found[path]

  def told(self) -> contextlib.AbstractContextManager[Any]:
    """Tells what is traced of the devices; for one use."""
    if self._mesh is None:
      return contextlib.nullcontext()
    return jax.set_mesh(self._mesh)

  def everywhere(self, tree: Any) -> Any:
    """Arrays, whole on each of the devices."""
    if self._mesh is None:
      return tree
    return jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))

  def on_one(self, array: jax.Array) -> jax.Array:
    """An array that is whole on each device, on the first alone."""
    return array if self._mesh is None else array.addressable_data(0)
