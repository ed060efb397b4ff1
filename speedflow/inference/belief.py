"""From what the network saw to what is believed: priors over speed.

The network learns from as many fast clips as its sources allow, so that the
distribution it gives is what is believed by somebody who has met just those.
Divided by the frequency of each label in training it becomes a likelihood,
and the prior of the question at hand takes that frequency's place.
"""

import numpy as np

# Octaves beyond which a range prior fades, so that no bin decides alone.
_EDGE = 0.125


def everyday(log2_speed: np.ndarray) -> np.ndarray:
  """Anything from 1/32 to 11 times, normal speed rather than others.

  Args:
    log2_speed: float [...].

  Returns:
    Belief up to a factor, float64 [...].
  """
  usual = np.exp(-0.5 * (log2_speed / 0.5) ** 2)
  return between(log2_speed, -5.0, 3.5) * (1.0 + usual)


def between(log2_speed: np.ndarray, low: float, high: float) -> np.ndarray:
  """Any log2 speed from low to high alike; float64 [...], up to a factor."""
  outside = np.maximum(low - log2_speed, log2_speed - high)
  return np.exp(-np.maximum(outside, 0.0) / _EDGE)


def likelihood(
  probability: np.ndarray, label_frequency: np.ndarray
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
