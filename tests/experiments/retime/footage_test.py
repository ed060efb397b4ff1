"""What retimed footage is compared with."""

from fractions import Fraction

import numpy as np
import pytest

from experiments.clocks import retiming
from experiments.retime import evaluate, footage
from speedflow.retime.curve import SpeedCurve
from speedflow.timewarp import light


def test_exposed_frames_are_averages_in_linear_light():
  images = [np.full((2, 2, 3), 255 * (k % 2), np.uint8) for k in range(9)]
  found = footage.exposed(images, 4, 2)
  assert len(found) == 2
  half = light.from_linear(np.full((2, 2, 3), 0.5))
  for image in found:
    np.testing.assert_array_equal(image, half)


def test_ffmpegs_ramp_is_the_same_curve():
  images = [
    np.full((32, 32, 3), 40 + 3 * number, np.uint8) for number in range(60)
  ]
  recipe = evaluate.ramped(60 / 30)
  made = list(retiming.retimed(images, Fraction(30), recipe))
  curve = SpeedCurve(np.array([0.0, 2.0]), np.array([0.5, 2.0]))
  shown = curve.input_s(np.arange(len(made)) / 30) * 30
  greys = np.array([image.mean() for image in made])
  assert len(made) == pytest.approx(curve.output_s(np.array(2.0)) * 30, abs=4)
  np.testing.assert_allclose((greys - 40) / 3, shown, atol=1.5)
