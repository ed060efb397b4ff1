"""A shot to cut examples and windows from."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow.data import schema


def _jpeg(image):
  return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[
    1
  ].tobytes()


@pytest.fixture(scope="module")
def make_shot():
  """make_shot(step): a texture that moves by `step` pixels a frame."""

  def make(step=2, frames=40, category="realtime"):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (128, 400, 3), np.uint8)
    wide = cv2.GaussianBlur(wide, (0, 0), 3)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    images = [wide[:, step * k : step * k + 192] for k in range(frames)]
    return schema.ShotRecord(
      id="a/0/0",
      frames=[_jpeg(image) for image in images],
      ticks=np.arange(frames),
      time_base=Fraction(1, 30),
      fps=Fraction(30),
      height=128,
      width=192,
      category=category,
    )

  return make
