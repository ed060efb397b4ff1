"""Overlays and backgrounds that stand still are not touched."""

import numpy as np
import pytest

from speedflow.pictures.still import StillParts


@pytest.fixture
def frames():
  """A texture that moves, with an overlay and another texture that do not."""

  def make(dtype=np.uint8, noise=0):
    rng = np.random.default_rng(0)
    wide = rng.integers(40, 216, (60, 240, 3)).repeat(2, axis=1)
    wall = rng.integers(40, 216, (60, 90, 3))
    pair = []
    for x in (0, 8):
      image = wide[:, x : x + 240].copy()
      image[:, :90] = wall
      image[20:50, 140:200] = (200, 200, 60)
      image += rng.integers(-noise, noise + 1, image.shape)
      pair.append((image * (np.iinfo(dtype).max // 255)).astype(dtype))
    return pair

  return make


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_stands_still_is_kept_and_what_moves_is_made(frames, dtype):
  first, second = frames(dtype)
  made = first - first // 32  # A tremor, everywhere.
  kept = StillParts(first, second).keep(made, 0.5)
  for part in (np.s_[:, :80], np.s_[30:40, 150:190]):
    np.testing.assert_array_equal(kept[part], first[part])
  moving = np.s_[:, 215:]
  np.testing.assert_array_equal(kept[moving], made[moving])
  assert kept.dtype == dtype


def test_noise_is_no_motion(frames):
  first, second = frames(noise=3)
  kept = StillParts(first, second).keep(first, 0.25)
  wanted = 0.75 * first[:, :80].astype(float) + 0.25 * second[:, :80]
  assert np.abs(kept[:, :80] - wanted).mean() < 1


def test_what_passes_between_two_frames_is_not_wiped_out(frames):
  first, second = frames()
  made = first.copy()
  made[20:30, 30:40] = 255 - made[20:30, 30:40] // 4
  kept = StillParts(first, second).keep(made, 0.5)
  np.testing.assert_allclose(kept[20:30, 30:40], made[20:30, 30:40], atol=40)
  changed = np.abs(kept.astype(int) - first)[20:30, 30:40]
  assert np.median(changed) > 50


def test_where_all_moves_nothing_is_kept(frames):
  first, _ = frames()
  made = np.full_like(first, 7)
  kept = StillParts(first, np.roll(first, 5, axis=1)).keep(made, 0.5)
  assert (kept == made).mean() > 0.9
