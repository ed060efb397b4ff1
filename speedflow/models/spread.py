"""Where the tokens of a clip are, on a mesh of devices.

Clips are split over the mesh axes "data" and "fsdp", and the tokens of a clip
over "context": each device has some of the queries, and all keys (sequence
parallelism as of Li et al., arXiv 2105.13120, with the keys gathered). A mesh
is known by `jax.sharding.use_abstract_mesh`; without one, all is on one device.
"""

from collections.abc import Callable

import jax
from jax.sharding import PartitionSpec, get_abstract_mesh

CONTEXT = "context"
"""The mesh axis over which tokens are split."""

CLIPS = ("data", "fsdp")
"""Those over which clips are."""

Attention = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""Of queries, keys and values, each [b, n, heads, features]."""


def platform() -> str:
  """That of the devices that a program is made for: "cpu", "gpu" or "tpu"."""
  device = get_abstract_mesh().abstract_device
  if device is None:
    return jax.default_backend()
  return {"cuda": "gpu", "rocm": "gpu"}.get(device.platform, device.platform)


def in_context() -> bool:
  """Whether the tokens of a clip are on several devices."""
  return _size(CONTEXT) > 1


def fits(query: jax.Array) -> bool:
  """Whether queries can be split as the mesh is.

  Args:
    query: [b, n, heads, features], of all devices; more or fewer axes never fit
      a mesh of several devices.
  """
  clips = _size(CLIPS[0]) * _size(CLIPS[1])
  if clips * _size(CONTEXT) == 1:
    return query.ndim == 4
  return (
    query.ndim == 4
    and query.shape[0] % clips == 0
    and query.shape[1] % _size(CONTEXT) == 0
  )


def by_queries(attend: Attention) -> Attention:
  """Attention of the queries that each device has, to all keys.

  Args:
    attend: attention on one device.
  """
  if get_abstract_mesh().empty:
    return attend
  queries, keys = PartitionSpec(CLIPS, CONTEXT), PartitionSpec(CLIPS)
  # A kernel says nothing of how what it writes varies over the mesh.
  return jax.shard_map(
    attend, in_specs=(queries, keys, keys), out_specs=queries, check_vma=False
  )


def tokens(x: jax.Array) -> jax.Array:
  """Splits tokens over the devices; the same values.

  Args:
    x: [b, n, ...].
  """
  if not in_context():
    return x
  return jax.lax.with_sharding_constraint(x, PartitionSpec(CLIPS, CONTEXT))


def _size(axis: str) -> int:
  return get_abstract_mesh().shape.get(axis, 1)
