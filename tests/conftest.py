"""Small real files, and answers about them."""

import numpy as np
import pytest

from speedflow import media
from speedflow.inference import estimate as estimate_lib


@pytest.fixture
def make_video(tmp_path):
  """Gives `make_video(name, frames=25)`, a texture that moves, at 25 fps."""
  texture = np.random.default_rng(0).integers(
    0, 256, (60, 400, 3), dtype=np.uint8
  )
  texture = texture.repeat(4, axis=0)[:48].repeat(4, axis=1)

  def make(name="moving.mp4", frames=25):
    path = tmp_path / name
    with media.VideoWriter(path, 25, (64, 48)) as writer:
      for start in range(0, 3 * frames, 3):
        writer.write(np.ascontiguousarray(texture[:, start : start + 64]))
    return path

  return make


@pytest.fixture
def make_estimate():
  """Gives `make_estimate(file, speed)`, a steady answer about one second."""

  def make(file="a.mp4", speed=2.0, **fields):
    ones = np.ones(5)
    low, high = speed / 1.25, speed * 1.25
    known = {
      "file": str(file),
      "status": "ok",
      "duration_s": 1.0,
      "fps": 25.0,
      "speed": speed,
      "speed_low": low,
      "speed_high": high,
      "segments": (estimate_lib.Segment(0.0, 1.0, speed, low, high),),
      "curve": estimate_lib.SpeedCurve(
        np.linspace(0, 1, 5), speed * ones, low * ones, high * ones
      ),
    }
    return estimate_lib.Estimate(**(known | fields))

  return make
