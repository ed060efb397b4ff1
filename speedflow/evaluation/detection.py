"""Measures of detectors that say whether, and when, something happened."""

import numpy as np


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
