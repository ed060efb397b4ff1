"""How good are estimates of speed? All in log2 speed (octaves)."""

import dataclasses
from collections.abc import Callable

import numpy as np

Z80 = 1.2815515655446004
"""Half width of an 80 % interval of a Gaussian, in standard deviations."""


@dataclasses.dataclass(frozen=True)
class SpeedScores:
  """Agreement of estimated with true log2 speeds.

  Attributes:
    count: number of windows.
    mae: mean absolute error, octaves.
    factor_error: typical factor error, 2 ** mae; 1 is perfect.
    pearson: linear correlation.
    spearman: rank correlation.
    within_1_25: share of estimates within a factor of 1.25.
    within_1_5: share of estimates within a factor of 1.5.
  """

  count: int
  mae: float
  factor_error: float
  pearson: float
  spearman: float
  within_1_25: float
  within_1_5: float


def score(estimate: np.ndarray, truth: np.ndarray) -> SpeedScores:
  """Compares log2 speeds.

  Args:
    estimate: float [n].
    truth: float [n].
  """
  # It takes a second to import, and who estimates needs the width above only.
  from scipy import stats

  error = np.abs(estimate - truth)
  mae = float(error.mean())
  varied = len(truth) > 1 and np.ptp(truth) > 0 and np.ptp(estimate) > 0
  nan = float("nan")
  return SpeedScores(
    count=len(truth),
    mae=mae,
    factor_error=float(2.0**mae),
    pearson=float(stats.pearsonr(estimate, truth)[0]) if varied else nan,
    spearman=float(stats.spearmanr(estimate, truth)[0]) if varied else nan,
    within_1_25=float((error <= np.log2(1.25)).mean()),
    within_1_5=float((error <= np.log2(1.5)).mean()),
  )


def nearest(estimate: np.ndarray, choices: np.ndarray) -> np.ndarray:
  """The choice nearest to each estimate, float [n]; both in log2 speed."""
  return choices[np.abs(estimate[:, None] - choices).argmin(1)]


def accuracy(chosen: np.ndarray, truth: np.ndarray) -> float:
  """Share of windows for which the right speed was chosen.

  Two choices, 1x and 2x, are the task of SpeedNet (Benaim et al., CVPR 2020).

  Args:
    chosen: log2 speeds, float [n].
    truth: log2 speeds, float [n].
  """
  return float((np.abs(chosen - truth) < 1e-6).mean())


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float:
  """Share of true values that lie in their interval; all float [n]."""
  return float(((low <= truth) & (truth <= high)).mean())


def bootstrap(
  measure: Callable[[np.ndarray], float],
  groups: np.ndarray,
  *,
  confidence: float = 0.95,
  samples: int = 1000,
  seed: int = 0,
) -> tuple[float, float]:
  """Percentile interval of a measure, resampling whole groups.

  Windows of one scene resemble each other; resampling windows one by one
  would make every interval too narrow.

  Args:
    measure: from window numbers, int [m], to a figure.
    groups: the scene group of each window, [n].
    confidence: of the interval.
    samples: how often to resample.
    seed: of the resampling.

  Returns:
    The lower and upper end.
  """
  rng = np.random.default_rng(seed)
  names, member = np.unique(groups, return_inverse=True)
  order = np.argsort(member, kind="stable")
  members = np.split(order, np.cumsum(np.bincount(member))[:-1])
  figures = []
  for _ in range(samples):
    drawn = rng.integers(len(names), size=len(names))
    figures.append(measure(np.concatenate([members[i] for i in drawn])))
  tail = 100 * (1 - confidence) / 2
  low, high = np.nanpercentile(figures, [tail, 100 - tail])
  return float(low), float(high)
