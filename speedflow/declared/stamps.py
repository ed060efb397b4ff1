"""The rate at which pictures are stored, by their times alone."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

# Phones' stamps scatter by a tenth, a dropped picture doubles an interval, and
# the first and last are sometimes held: the pace of the others is the pace.
_NEAR = (0.5, 1.5)
_MOST_ARE_NEAR = 0.8


class Pace(NamedTuple):
  """How fast the stored pictures follow one another.

  Attributes:
    fps: frames per second, by the mean of the intervals that are about as long
      as the median one: pictures that were dropped or held do not change the
      pace of what is shown. None of fewer than two pictures.
    steady: whether nearly all intervals are such.
  """

  fps: float | None
  steady: bool


def pace(times: Sequence[Fraction]) -> Pace:
  """The pace of a file.

  Args:
    times: of its pictures, seconds, rising.
  """
  intervals = np.diff(np.array([float(t - times[0]) for t in times]))
  if not intervals.size:
    return Pace(None, True)
  # One that occurs: of two, the mean may be near to neither.
  middle = np.percentile(intervals, 50, method="lower")
  low, high = (share * middle for share in _NEAR)
  near = (intervals >= low) & (intervals <= high)
  fps = 1 / float(np.mean(intervals[near]))
  return Pace(fps, bool(near.mean() >= _MOST_ARE_NEAR))
