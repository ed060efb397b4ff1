"""Small videos for the tests of the data package."""

from fractions import Fraction

import numpy as np
import pytest

from speedflow import media


def _shot(rng, count, size, speed=2.0):
  """Frames of a texture that slides; uint8 RGB [count, h, w, 3]."""
  width, height = size
  texture = rng.integers(0, 256, (height // 8, width // 4, 3), np.uint8)
  texture = np.kron(texture, np.ones((8, 8, 1), np.uint8))
  tint = rng.integers(0, 120, 3)
  for frame in range(count):
    moved = np.roll(texture, -round(frame * speed), 1)[:, :width]
    yield (moved // 2 + tint).astype(np.uint8)


@pytest.fixture(scope="session")
def write_video():
  """Writes shots of the given lengths one after another; returns the path."""

  def write(
    path, lengths=(20,), *, fps=Fraction(30), size=(128, 96), seed=0, audio=None
  ):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with media.VideoWriter(path, fps, size, crf=18, audio=audio) as writer:
      for length in lengths:
        for image in _shot(rng, length, size):
          writer.write(image)
    return path

  return write
