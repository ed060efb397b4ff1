"""Small sources are seen more often."""

import numpy as np
import pytest

from speedflow.data import balance


@pytest.mark.parametrize(
  ("power", "expected"), [(0.0, 12), (0.5, 2 * 4), (1.0, 4)]
)
def test_small_sources_are_repeated(power, expected):
  sources = ["large"] * 12 + ["small"] * 4
  found = balance.indices(sources, power)
  assert np.bincount(found)[:12].tolist() == [1] * 12
  assert (found >= 12).sum() == expected
  assert (np.diff(found) >= 0).all()
