"""Over which devices the transformer of a clip is spread."""

from collections.abc import Sequence

import jax
import ml_collections
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from speedflow.models import spread
from speedflow.training import sharding

# Below so many numbers, a parameter is whole on each device.
_WHOLE = 2**16


class Spreading:
  """Of one clip at a time: tokens and parameters are split, by as many.

  Attributes:
    mesh: all devices, as one `spread.CONTEXT`.
  """

  def __init__(self, devices: Sequence[jax.Device]):
    """Lays them out.

    Args:
      devices: all of one process, at least one.
    """
    sizes = {"data": 1, "fsdp": 1, spread.CONTEXT: len(devices)}
    self.mesh = sharding.make_mesh(
      ml_collections.ConfigDict({"mesh": sizes}), devices
    )

  def place(self, path: str, shape: tuple[int, ...]) -> NamedSharding:
    """Where a parameter is, by its path and its shape."""
    leaf = jax.ShapeDtypeStruct(shape, np.float32)
    found = sharding.infer_sharding(
      {path: leaf}, ((".*", "fsdp"),), self.mesh, min_size=_WHOLE
    )
    return found[path]

  @property
  def whole(self) -> NamedSharding:
    """That of an array which each device has all of."""
    return NamedSharding(self.mesh, PartitionSpec())
