"""The mark on frames that nobody filmed."""

import numpy as np
import pytest

from speedflow.superres import marker


@pytest.mark.parametrize("kind", ["restored", "synthesised", "held"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_lower_left_corner_wears_its_colour(kind, channels, dtype):
  image = np.zeros((180, 320, channels), dtype)
  made = marker.marked(image, kind)
  full = np.iinfo(dtype).max
  colour = np.array(marker.COLOURS[kind]) * (full // 255)
  assert (made[176, 4, :3] == colour).all()
  assert made[:, :, :3].min(axis=-1).max() > 0.8 * full  # White letters.
  if channels == 4:
    assert made[176, 4, 3] == full
  assert not made[:150].any()
  assert not image.any()


def test_what_was_observed_is_left_as_it_was():
  image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
  assert marker.marked(image, "observed") is image


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (16, 9)])
def test_it_fits_the_smallest_pictures(size):
  image = np.zeros((*size, 3), np.uint8)
  assert marker.marked(image, "held").shape == image.shape
