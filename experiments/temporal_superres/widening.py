"""A trained network is told more, which hardly matters at first."""

import jax.numpy as jnp
from flax import nnx

from speedflow.models import superres, time_flow


def widened(
  trained: superres.SuperResNet,
  into: superres.SuperResNet,
  search: time_flow.TimeFlow | None = None,
) -> None:
  """Fills a network with the parameters of one that is told less.

  Args:
    trained: the network, without a search of its own.
    into: one of the same sizes, with one or told of agreement; is changed.
    search: trained, to fill that with; None: it stays as it is.
  """
  old, new = trained.paths, into.paths
  for name in ("coarse", "flow", "fine", "blur", "weights", "along", "detail"):
    values = nnx.to_pure_dict(nnx.state(getattr(trained, name), nnx.Param))
    if name == "fine":
      # After contrast, change, flow, bend and the doubts.
      place = 4 * (3 + 4) + 4 + 2 + old
      kernel = values["enter"]["kernel"]
      count = into.fine.enter.in_features - kernel.shape[2]
      values["enter"]["kernel"] = _with_zeros(kernel, place, count, 2)
    if name == "weights":
      # Two ends of each path, in four phases.
      for array, axis in (("kernel", 1), ("bias", 0)):
        values[array] = _with_zeros(
          values[array], 4 * 2 * old, 4 * 2 * (new - old), axis
        )
    _fill(getattr(into, name), values)
  if search is not None:
    _fill(into.search, nnx.to_pure_dict(nnx.state(search, nnx.Param)))


def _fill(module: nnx.Module, values: dict) -> None:
  state = nnx.state(module, nnx.Param)
  nnx.replace_by_pure_dict(state, values)
  nnx.update(module, state)


def _with_zeros(x, place: int, count: int, axis: int):
  first, second = jnp.split(jnp.asarray(x), [place], axis)
  shape = list(x.shape)
  shape[axis] = count
  return jnp.concatenate([first, jnp.zeros(shape), second], axis)
