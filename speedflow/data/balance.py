"""How often each example is seen, where some sources have many of them."""

import collections
from collections.abc import Sequence

import numpy as np


def indices(sources: Sequence[str], power: float) -> np.ndarray:
  """Repeats the examples of small sources.

  Args:
    sources: of each example, at least one.
    power: a source of n examples is seen n ** power as often as one of a
      single example; 1 is no balancing at all, 0 the strictest.

  Returns:
    int64 [at least as many], numbers of examples, never decreasing.
  """
  counts = collections.Counter(sources)
  weights = np.array([counts[source] ** (power - 1.0) for source in sources])
  repeats = np.maximum(1, np.round(weights / weights.min())).astype(int)
  return np.repeat(np.arange(len(sources)), repeats)
