"""The trained network of speed changes, ready to run."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from speedflow.data import motion
from speedflow.detect import weights
from speedflow.models import change_config
from speedflow.weights import programs

if TYPE_CHECKING:
  import jax

  from speedflow.models import change_net

LENGTHS = (128, 256, 384, 512)
"""In maps: pieces are padded to one of these, and each is compiled once."""


class Judge(NamedTuple):
  """A trained network, ready to run.

  Attributes:
    reach: maps on either side that an answer depends on.
    program: gives it for one of `LENGTHS`, l: a function of motion maps,
      float16 [1, l, 12, 16, 8], of the log2 of their intervals, float32 [1, l],
      and of how many of them are there, int32 [1], that returns logit, log2
      ratio and spread, as `change_net.Change`.
  """

  reach: int
  program: Callable[[int], programs.Program]


def of_model(model: "change_net.ChangeNet") -> Judge:
  """Makes a network ready that was just built, in evaluation mode."""
  import jax

  program = jax.jit(_function(model))
  return Judge(model.config.reach, lambda length: program)


def of_weights(name: str) -> Judge:
  """Makes a network ready whose weights are in a file.

  Flax is not imported unless a program has to be compiled.

  Args:
    name: as for `Kind.find`.

  Raises:
    SpeedflowError: there are no such weights.
  """
  config = weights.CHANGE.header(name)["config"]
  sizes: dict[str, Any] = {
    field: tuple(value) if isinstance(value, list) else value
    for field, value in config.items()
  }
  sha256 = weights.CHANGE.digest(name)

  @functools.cache
  def program(length: int) -> programs.Program:
    return programs.kept(
      sha256,
      lambda: _function(weights.CHANGE.load(name)[0]),
      [
        ((1, length, *motion.MAP_SIZE, len(motion.CHANNELS)), np.float16),
        ((1, length), np.float32),
        ((1,), np.int32),
      ],
      outputs=3,
    )

  return Judge(change_config.ChangeNetConfig(**sizes).reach, program)


def _function(model: "change_net.ChangeNet") -> programs.Program:
  from flax import nnx

  graph, state = nnx.split(model)

  def predict(
    maps: "jax.Array", log2_interval: "jax.Array", length: "jax.Array"
  ) -> "tuple[jax.Array, ...]":
    return tuple(nnx.merge(graph, state)(maps, log2_interval, length))

  return predict
