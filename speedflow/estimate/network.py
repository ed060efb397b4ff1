"""The trained network of the estimator, from motion maps to likelihoods."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx

from speedflow.estimate import belief
from speedflow.models import motion_net

# Windows through the network at a time; one shape, compiled once.
_BATCH = 8
# How much of the frequency of labels is taken out of the answers of the
# network; by the errors on repositories that training has not seen.
_FREQUENCY_POWER = 0.5


class WindowNetwork:
  """Reads the step between frames off windows of motion maps.

  Attributes:
    centres: log2 step at the network's bins, float64 [bins], increasing.
    window: maps in a window; a shorter one is padded.
  """

  def __init__(
    self,
    model: motion_net.MotionNet,
    window: int,
    label_frequency: np.ndarray,
  ):
    """Compiles a network.

    Args:
      model: the network, in evaluation mode.
      window: maps in a window, as it was trained.
      label_frequency: of each bin in training, float64 [bins].
    """
    self.window = window
    self.centres = np.asarray(model.config.centres, np.float64)
    self._label_frequency = label_frequency
    graph, state = nnx.split(model)

    @jax.jit
    def predict(state, maps, length):
      return jax.nn.softmax(nnx.merge(graph, state)(maps, length))

    self._predict = functools.partial(predict, state)

  def likelihood(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Likelihood of the step from frame to frame, of each window by itself.

    Args:
      windows: motion maps, float16 [t <= `window`, 12, 16, 8] each.

    Returns:
      At `centres`, float64 [n, bins], up to a factor for each row.
    """
    return belief.likelihood(
      self._probability(windows), self._label_frequency, _FREQUENCY_POWER
    )

  def _probability(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Distributions over log2 step, float [n, bins]."""
    found = [np.zeros((0, len(self.centres)))]
    for first in range(0, len(windows), _BATCH):
      part = windows[first : first + _BATCH]
      maps = np.zeros((_BATCH, self.window, *part[0].shape[1:]), np.float16)
      length = np.ones(_BATCH, np.int32)
      for row, window in enumerate(part):
        maps[row, : len(window)] = window
        length[row] = len(window)
      found.append(np.asarray(self._predict(maps, length))[: len(part)])
    return np.concatenate(found)
