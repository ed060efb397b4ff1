"""Peaks are those that SciPy finds."""

import numpy as np
import pytest
from scipy import signal

from speedflow.detect.peaks import peaks


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("apart", [1, 4, 30])
def test_peaks_are_those_of_scipy(seed, apart):
  rng = np.random.default_rng(seed)
  values = rng.normal(size=300)
  if seed % 2:
    # Plateaus, no two of one height near to each other.
    values = np.repeat(values[:100], rng.integers(1, 5, 100))
  expected, _ = signal.find_peaks(values, height=0.3, distance=apart)
  assert len(expected)
  np.testing.assert_array_equal(peaks(values, 0.3, apart), expected)


def test_ends_and_constants_have_none():
  assert not len(peaks(np.zeros(5), -1.0, 1))
  assert not len(peaks(np.arange(5.0), -1.0, 1))
  assert not len(peaks(np.array([3.0, 1.0, 3.0]), -1.0, 1))
