"""The trained network of the estimator, from motion maps to likelihoods."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speedflow.data import motion
from speedflow.estimate import belief, weights
from speedflow.weights import programs

if TYPE_CHECKING:
  from speedflow.models import motion_net

# Windows through the network at a time; one shape, compiled once. Larger ones
# take no less time a window, and more of them stays empty.
_BATCH = 4


class Reader(NamedTuple):
  """A trained network, ready to run.

  Attributes:
    window: maps in a window, as it was trained; a shorter one is padded.
    centres: log2 step at the network's bins, float64 [bins], increasing.
    program: gives it: a function of motion maps, float16
      [4, `window`, 12, 16, 8], and of how many of them are there, int32 [4],
      that returns the probabilities of the bins, float32 [4, bins], in a tuple.
  """

  window: int
  centres: np.ndarray
  program: Callable[[], programs.Program]


def of_model(model: "motion_net.MotionNet", window: int) -> Reader:
  """Makes a network ready that was just built.

  Args:
    model: the network, in evaluation mode.
    window: maps in a window, as it was trained.
  """

  def program() -> programs.Program:
    import jax

    return jax.jit(_function(model))

  centres = np.asarray(model.config.centres, np.float64)
  return Reader(window, centres, functools.cache(program))


def of_weights(name: str | pathlib.Path) -> Reader:
  """Makes a network ready whose weights are in a file.

  JAX is imported meanwhile, and Flax if the network has to be compiled.

  Args:
    name: as for `Kind.find`.

  Raises:
    SpeedflowError: there are no such weights.
  """
  header = weights.SPEED.header(name)
  window = int(header["extra"]["window"])
  sha256 = weights.SPEED.digest(name)
  shape = (_BATCH, window, *motion.MAP_SIZE, len(motion.CHANNELS))

  def program() -> programs.Program:
    return programs.kept(
      sha256,
      lambda: _function(weights.SPEED.load(name)[0]),
      [(shape, np.float16), ((_BATCH,), np.int32)],
      outputs=1,
    )

  config = header["config"]
  centres = np.linspace(
    config["low"], config["high"], config["bins"], dtype=np.float32
  )
  return Reader(window, centres.astype(np.float64), programs.begun(program))


def _function(model: "motion_net.MotionNet") -> programs.Program:
  import jax
  from flax import nnx

  graph, state = nnx.split(model)

  def predict(maps: jax.Array, length: jax.Array) -> tuple[jax.Array]:
    return (jax.nn.softmax(nnx.merge(graph, state)(maps, length)),)

  return predict


class Scale(NamedTuple):
  """From the log2 step that a network reads to that of new places.

  A network that is unsure of a new place draws near to what it has seen most
  of; measured on repositories that were left out, this is undone.

  Attributes:
    slope: octaves of the truth for each octave of the reading.
    offset: log2 step where the network reads 0.
  """

  slope: float = 1.0
  offset: float = 0.0

  def true_step(self, log2_step: np.ndarray) -> np.ndarray:
    """What log2 steps that were read stand for, float64 [n]."""
    return self.offset + self.slope * log2_step


class WindowNetwork:
  """Reads the step between frames off windows of motion maps.

  Attributes:
    window: maps in a window; a shorter one is padded.
  """

  def __init__(
    self,
    reader: Reader,
    label_frequency: np.ndarray,
    scale: Scale | None = None,
  ):
    """Wraps a network.

    Args:
      reader: the network.
      label_frequency: of each bin in training, float64 [bins].
      scale: of its readings.
    """
    self.window = reader.window
    self._centres = reader.centres
    self._label_frequency = label_frequency
    self._scale = scale or Scale()
    self._program = reader.program

  def log2_speed(self, to_speed: float) -> np.ndarray:
    """What the bins stand for, float64 [bins], increasing.

    Args:
      to_speed: log2 speed of a log2 step of 0.
    """
    return self._scale.true_step(self._centres) + to_speed

  def likelihood(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Likelihood of the step from frame to frame, of each window by itself.

    Args:
      windows: motion maps, float16 [t <= `window`, 12, 16, 8] each.

    Returns:
      At the bins, float64 [n, bins], up to a factor for each row.
    """
    return belief.likelihood(self._probability(windows), self._label_frequency)

  def _probability(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Distributions over log2 step, float [n, bins]."""
    found = [np.zeros((0, len(self._centres)))]
    for first in range(0, len(windows), _BATCH):
      part = windows[first : first + _BATCH]
      maps = np.zeros((_BATCH, self.window, *part[0].shape[1:]), np.float16)
      length = np.ones(_BATCH, np.int32)
      for row, window in enumerate(part):
        maps[row, : len(window)] = window
        length[row] = len(window)
      (probability,) = self._program()(maps, length)
      found.append(np.asarray(probability)[: len(part)])
    return np.concatenate(found)
