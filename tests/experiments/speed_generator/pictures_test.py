import cv2
import numpy as np
import pytest

from experiments.speed_generator import evaluate, pictures


@pytest.fixture(scope="module")
def texture():
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (16, 16, 3), np.uint8)
  return cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC)


def panned(texture, pixels, frames=4):
  def shifted(way):
    matrix = np.array([[1.0, 0, way], [0, 1, 0]])
    return cv2.warpAffine(
      texture, matrix, (128, 128), borderMode=cv2.BORDER_WRAP
    )

  return np.stack([shifted(pixels * n) for n in range(frames)])


def test_flow_of_a_pan_is_its_way_in_sides_of_the_picture(texture):
  found = pictures.flow_magnitudes(panned(texture, 2))
  assert found.shape == (3,)
  np.testing.assert_allclose(found, 2 / 128, rtol=0.15)


def test_pans_in_proportion_to_the_speed_are_obedient(texture):
  clips = np.stack([[panned(texture, 2 * s) for s in evaluate.SPEEDS]])
  found = evaluate.flow_obedience(clips)
  assert found["spearman"] == pytest.approx(1.0)
  assert found["factor_error"] < 1.25


def test_frechet_distance_is_that_of_gaussians():
  rng = np.random.default_rng(0)
  one = rng.normal(0, 1, (20_000, 3))
  assert pictures.frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
  # Shifted by 2 and twice as wide in every dimension: 3 * (4 + 1).
  other = 2 * rng.normal(0, 1, (20_000, 3)) + 2
  assert pictures.frechet_distance(one, other) == pytest.approx(15, rel=0.05)


def test_psnr_of_a_grey_level():
  grey = np.full((4, 4, 3), 100, np.uint8)
  assert pictures.psnr(grey, grey + 1) == pytest.approx(48.13, abs=0.01)
