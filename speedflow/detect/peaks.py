"""Peaks of a curve; importing those of SciPy takes most of a second."""

import numpy as np


def peaks(values: np.ndarray, least: float, apart: int) -> np.ndarray:
  """Finds local maxima, the middles of plateaus among them.

  As `scipy.signal.find_peaks` with its height and distance: the ends are none,
  and of peaks that are too near to each other the highest stays.

  Args:
    values: float [n].
    least: lower ones are none.
    apart: least distance, in values.

  Returns:
    Their places, increasing, int64 [k].
  """
  # Runs of equal values, each by its first place.
  firsts = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
  lasts = np.append(firsts[1:], len(values)) - 1
  level = values[firsts]
  rises = np.diff(level, prepend=np.inf) > 0
  falls = np.diff(level, append=np.inf) < 0
  tops = np.flatnonzero(rises & falls & (level >= least))
  places = (firsts[tops] + lasts[tops]) // 2
  kept = np.ones(len(places), bool)
  for one in np.argsort(level[tops], kind="stable")[::-1]:
    if kept[one]:
      kept &= np.abs(places - places[one]) >= apart
      kept[one] = True
  return places[kept]
