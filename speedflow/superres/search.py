"""Learnt flow at a time between whole frames of any size."""

import functools
from collections.abc import Callable
from typing import Protocol

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.models import time_flow

LARGEST_SIDE = 512
"""Pixels; larger pictures are looked at at a reduced size."""


class Searcher(Protocol):
  """What finds flow at a time."""

  def between(
    self, first: np.ndarray, second: np.ndarray
  ) -> Callable[[float], np.ndarray]:
    """As `Search.between`."""
    ...


class Search:
  """Finds flow by a `time_flow.TimeFlow`."""

  def __init__(self, network: time_flow.TimeFlow):
    """Wraps a trained network."""
    self._network = nnx.split(network)

  def between(
    self, first: np.ndarray, second: np.ndarray
  ) -> Callable[[float], np.ndarray]:
    """Looks at two frames.

    Args:
      first: uint8 or uint16 RGB [h, w, 3].
      second: the same.

    Returns:
      from a time, 0 (first) .. 1 (second), to float32 [h, w, 5]: flow from the
      picture at this time to the first frame and to the second, x and y, in
      pixels; and the logit of the first's share.
    """
    height, width = first.shape[:2]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    rows, columns = (
      max(round(side * scale / time_flow.GRID), 1) * time_flow.GRID
      if scale < 1
      else -(-side // time_flow.GRID) * time_flow.GRID
      for side in (height, width)
    )
    whole, units = (columns, rows), np.ones(5, np.float32)
    if scale < 1:
      whole = (width, height)
      units[:4] = np.tile([width / columns, height / rows], 2)
      pair = [
        cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
        for image in (first, second)
      ]
    else:
      pad = ((0, rows - height), (0, columns - width), (0, 0))
      pair = [np.pad(image, pad, "edge") for image in (first, second)]
    levels = _see(*self._network, np.stack(pair))

    def at(time: float) -> np.ndarray:
      moment = np.array([time], np.float32)
      found = np.asarray(_between(*self._network, levels, moment)) * units
      return cv2.resize(found, whole)[:height, :width]

    return at


@functools.partial(jax.jit, static_argnums=0)
def _see(
  graph: nnx.GraphDef[time_flow.TimeFlow], state: nnx.State, pair: jax.Array
) -> list[jax.Array]:
  images = pair.astype(jnp.float32) / jnp.iinfo(pair.dtype).max
  return [x[None] for x in nnx.merge(graph, state).eye(images)]


@functools.partial(jax.jit, static_argnums=0)
def _between(
  graph: nnx.GraphDef[time_flow.TimeFlow],
  state: nnx.State,
  levels: list[jax.Array],
  time: jax.Array,
) -> jax.Array:
  found = nnx.merge(graph, state).between(levels, time)
  first, second = found.flows[-1][0]
  return jnp.concatenate([first, second, found.share[0, ..., None]], -1)
