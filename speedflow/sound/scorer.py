"""From evidence at every shift to a probability of a speed change.

A small network with the same weights at every shift, since what makes a shift
convincing does not depend on which one it is; a softmax over all shifts and
"no change" makes them compete. It runs in NumPy; its parameters come from
`python -m experiments.sound_speed.fit_scorer`.
"""

import dataclasses
import functools
import pathlib

import numpy as np
import safetensors.numpy

from speedflow.sound import evidence

WEIGHTS = (
  pathlib.Path(__file__).parents[1] / "weights" / "sound_changes.safetensors"
)

REACH = 2
"""Shifts to each side that a layer convolves."""

SMALLEST_LAG = 4
"""Smaller shifts (ratios below 1.12) are no candidates."""

INPUTS = 2 * evidence.FEATURES + 1
"""Evidence at a shift and at none, and the size of the shift."""


@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
  """All float32; H is the number of hidden features.

  Attributes:
    mean: [FEATURES], of the evidence in training.
    spread: [FEATURES].
    first: [2 * REACH + 1, INPUTS, H].
    first_bias: [H].
    second: [2 * REACH + 1, H, H].
    second_bias: [H].
    out: [H], to the logit of a shift.
    none: [FEATURES + 2 * H], to the logit of no change.
    none_bias: [1].
    scale: [1], of the log odds of a change, from calibration.
    offset: [1], of the same.
  """

  mean: np.ndarray
  spread: np.ndarray
  first: np.ndarray
  first_bias: np.ndarray
  second: np.ndarray
  second_bias: np.ndarray
  out: np.ndarray
  none: np.ndarray
  none_bias: np.ndarray
  scale: np.ndarray
  offset: np.ndarray


@functools.cache
def load(path: pathlib.Path = WEIGHTS) -> Parameters:
  """Reads parameters that `safetensors` wrote by their names."""
  stored = safetensors.numpy.load_file(path)
  return Parameters(
    **{
      field.name: stored[field.name].astype(np.float32)
      for field in dataclasses.fields(Parameters)
    }
  )


def inputs(
  features: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
  """Inputs of the network, float32 [n, LAGS, INPUTS].

  Args:
    features: float [n, LAGS, FEATURES], of `evidence.compare`.
    mean: float [FEATURES].
    spread: float [FEATURES].
  """
  x = (features - mean) / spread
  still = np.broadcast_to(x[:, [len(evidence.LAGS) // 2]], x.shape)
  size = np.abs(evidence.LAGS) / evidence.LAGS.max()
  size = np.broadcast_to(size[None, :, None], (*x.shape[:2], 1))
  return np.concatenate([x, still, size], -1).astype(np.float32)


def judge(
  features: np.ndarray, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
  """Judges moments.

  Args:
    features: float [n, LAGS, FEATURES], of `evidence.compare`.
    parameters: of the network.

  Returns:
    Probability that speed changes there, float [n]; and, given that it does,
    the distribution over `evidence.LAGS`, float [n, LAGS].
  """
  p = parameters
  x = inputs(features, p.mean, p.spread)
  h = np.maximum(_convolve(x, p.first) + p.first_bias, 0)
  h = np.maximum(_convolve(h, p.second) + p.second_bias, 0)
  logits = h @ p.out
  logits[:, np.abs(evidence.LAGS) < SMALLEST_LAG] = -np.inf
  still = x[:, 0, evidence.FEATURES : 2 * evidence.FEATURES]
  pooled = np.concatenate([still, h.mean(1), h.max(1)], -1)
  none = pooled @ p.none + p.none_bias
  peak = logits.max(1)
  weights = np.exp(logits - peak[:, None])
  total = weights.sum(1)
  log_odds = peak + np.log(total) - none
  odds = np.clip(p.scale * log_odds + p.offset, -50, 50)
  return 1 / (1 + np.exp(-odds)), weights / total[:, None]


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
  """Along the shifts: [n, LAGS, i] with [2 * REACH + 1, i, o]."""
  padded = np.pad(x, ((0, 0), (REACH, REACH), (0, 0)))
  return sum(
    padded[:, k : k + x.shape[1]] @ weight for k, weight in enumerate(kernel)
  )
