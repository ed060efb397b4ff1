"""The trained network of the speed of sound, ready to run."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speedflow.estimate import weights
from speedflow.weights import programs

if TYPE_CHECKING:
  from speedflow.models import sound_net

BATCH = 16
"""Windows through the network at a time; one shape, compiled once."""


class Listener(NamedTuple):
  """A trained network, ready to run.

  Attributes:
    columns: of a window.
    centres: log2 speed at the network's bins, float64 [bins].
    program: gives it: a function of decibels, float32 [16, `columns`, bands],
      that returns log probabilities of the bins, float32 [16, bins], in a
      tuple.
  """

  columns: int
  centres: np.ndarray
  program: Callable[[], programs.Program]


def of_model(model: "sound_net.SoundNet") -> Listener:
  """Makes a network ready that was just built, in evaluation mode."""
  import jax

  program = jax.jit(_function(model))
  centres = np.asarray(model.config.centres, np.float64)
  return Listener(model.config.columns, centres, lambda: program)


def of_weights(name: str) -> Listener:
  """Makes a network ready whose weights are in a file.

  Neither Flax nor JAX is imported before the network is run.

  Args:
    name: as for `Kind.find`.

  Raises:
    SpeedflowError: there are no such weights.
  """
  config = weights.SOUND.header(name)["config"]
  sha256 = weights.SOUND.digest(name)

  @functools.cache
  def program() -> programs.Program:
    return programs.kept(
      sha256,
      lambda: _function(weights.SOUND.load(name)[0]),
      [((BATCH, config["columns"], config["bands"]), np.float32)],
      outputs=1,
    )

  centres = np.linspace(
    config["low"], config["high"], config["bins"], dtype=np.float32
  )
  return Listener(config["columns"], centres.astype(np.float64), program)


def _function(model: "sound_net.SoundNet") -> programs.Program:
  import jax
  from flax import nnx

  graph, state = nnx.split(model)

  def predict(decibels: jax.Array) -> tuple[jax.Array]:
    return (jax.nn.log_softmax(nnx.merge(graph, state)(decibels)),)

  return predict
