"""From what the network saw to what is believed: priors over speed.

The network learns from as many fast clips as its sources allow, so that the
distribution it gives is what is believed by somebody who has met just those.
Divided by the frequency of each label in training it becomes a likelihood,
and the prior of the question at hand takes that frequency's place.
"""

from collections.abc import Sequence

import numpy as np

GRID = np.linspace(-6.0, 4.0, 121)
"""Log2 speeds at which looks at different strides are put together."""

# Of a likelihood over `GRID`, so much is never ruled out.
_FLOOR = 1e-4
# Octaves beyond which a range prior fades, so that no bin decides alone.
_EDGE = 0.125


def anything(log2_speed: np.ndarray) -> np.ndarray:
  """Anything from 1/32 to 11 times alike.

  Normal speed is the commonest, but to believe so beforehand draws every
  answer about a new place near to it: twice the speed read as 1.6 times.

  Args:
    log2_speed: float [...].

  Returns:
    Belief up to a factor, float64 [...].
  """
  return between(log2_speed, -5.0, 3.5)


def between(log2_speed: np.ndarray, low: float, high: float) -> np.ndarray:
  """Any log2 speed from low to high alike; float64 [...], up to a factor."""
  outside = np.maximum(low - log2_speed, log2_speed - high)
  return np.exp(-np.maximum(outside, 0.0) / _EDGE)


def likelihood(
  probability: np.ndarray,
  label_frequency: np.ndarray,
) -> np.ndarray:
  """What the picture alone says of each bin.

  Args:
    probability: as the network gives it, float [n, bins].
    label_frequency: of each bin among the labels in training, float [bins].

  Returns:
    float64 [n, bins], up to a factor for each row.
  """
  ratio = probability.astype(np.float64) / label_frequency
  return ratio / ratio.sum(-1, keepdims=True)


def on_grid(likelihood: np.ndarray, values: np.ndarray) -> np.ndarray:
  """Likelihoods at `GRID`.

  Args:
    likelihood: float [n, bins], up to a factor for each row.
    values: log2 speed of each bin, float [bins], increasing.

  Returns:
    float64 [n, 121]; beyond the bins, what the outermost say.
  """
  rows = [np.interp(GRID, values, row) for row in likelihood]
  return np.reshape(rows, (len(likelihood), len(GRID)))


def together(looks: Sequence[np.ndarray]) -> np.ndarray:
  """What several looks at the same frames say of their speed.

  Windows of a look are averaged, for the speed may show in some of them alone.
  Looks are multiplied, but count as one: they are of the same frames.

  Args:
    looks: of each, the likelihoods of its windows at `GRID`, float [n, 121].

  Returns:
    Log likelihood at each of `GRID`, up to a constant, float64 [121].
  """
  logs = [np.log(np.mean(look, axis=0) + _FLOOR) for look in looks]
  return np.mean(logs, axis=0)


def moments(
  likelihood: np.ndarray, values: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation of what is believed after seeing a clip.

  Args:
    likelihood: float [n, bins], up to a factor.
    values: log2 speed of each bin, float [bins] or [n, bins].
    prior: belief before seeing the clip, up to a factor, like `values`.

  Returns:
    Two float64 [n].
  """
  belief = likelihood * prior
  belief = belief / belief.sum(-1, keepdims=True)
  mean = (belief * values).sum(-1)
  square = (belief * values**2).sum(-1)
  return mean, np.sqrt(np.maximum(square - mean**2, 1e-4))
