"""How wide intervals must be."""

import numpy as np
import pytest

from experiments.speed_estimator import calibrate


def test_four_fifths_of_single_scenes_are_covered():
  scores = np.arange(1.0, 101.0)
  assert calibrate.conformal_width(scores, np.arange(100)) == pytest.approx(
    80, abs=1
  )


def test_a_scene_of_many_clips_does_not_decide():
  scores = np.array([9.0] * 90 + [1.0] * 9)
  groups = np.array([0] * 90 + list(range(1, 10)))
  assert calibrate.conformal_width(scores, groups) == 1.0
