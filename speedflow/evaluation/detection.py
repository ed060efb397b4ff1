"""Measures of detectors that say whether, and when, something happened."""

import numpy as np
from scipy import stats


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
  """Area under the precision-recall curve, as a sum over thresholds.

  Args:
    score: float [n], higher where the detector is surer.
    truth: bool [n].

  Returns:
    The mean of the precision at each positive; tied scores count together;
    nan when there are no positives.
  """
  positives = truth.sum()
  if not positives:
    return float("nan")
  order = np.argsort(-score, kind="stable")
  found = np.cumsum(truth[order])
  precision = found / np.arange(1, len(score) + 1)
  # A threshold lies below all that are tied.
  last = np.append(np.diff(score[order]) != 0, True)
  recall = found[last] / positives
  return float((np.diff(recall, prepend=0.0) * precision[last]).sum())


def area_under_roc(score: np.ndarray, truth: np.ndarray) -> float:
  """Chance that a positive scores higher than another (Mann and Whitney).

  Args:
    score: float [n], higher where the detector is surer.
    truth: bool [n], with positives and others.

  Returns:
    0..1; ties count by half.
  """
  test = stats.mannwhitneyu(score[truth], score[~truth])
  return float(test.statistic / (truth.sum() * (~truth).sum()))
