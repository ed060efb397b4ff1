"""What motion blur shows in a file."""

import cv2
import numpy as np
import pytest

from experiments.speed_estimator import blur
from speedflow import media


@pytest.fixture
def measured(tmp_path):
  """Measures a texture that moves sideways, blurred so many pixels long."""

  def measure(length, step=6):
    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 236, (120, 400, 3), np.uint8)
    whole = cv2.resize(coarse, (800, 240), interpolation=cv2.INTER_CUBIC)
    whole = cv2.blur(whole, (length, 1))
    path = tmp_path / f"{length}_{step}.mp4"
    with media.VideoWriter(path, 30, (320, 240), crf=12) as writer:
      for number in range(16):
        first = number * step
        writer.write(np.ascontiguousarray(whole[:, first : first + 320]))
    return blur.measure(path)

  return measure


def test_blur_along_the_motion_weakens_edges_along_it(measured):
  sharp, blurred = measured(1), measured(6)
  assert blurred["anisotropy"] > sharp["anisotropy"] + 1
  assert sharp["exposure"] < blurred["exposure"]
  per_pixel = blurred["anisotropy"] / blurred["anisotropy_per_pixel"]
  assert per_pixel == pytest.approx(6, abs=1.5)


def test_where_nothing_moves_blur_shows_nothing(measured):
  assert measured(6, step=0) == {"exposure": 0.0}
