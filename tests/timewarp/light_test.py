"""Code values and linear light."""

import numpy as np
import pytest

from speedflow.timewarp import light


def test_every_code_survives_the_round_trip():
  codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
  np.testing.assert_array_equal(
    light.from_linear(light.to_linear(codes)), codes
  )


def test_known_values_of_srgb():
  got = light.to_linear(np.array([[0, 10, 128, 255]], np.uint8))
  expected = [[0, 0.0030353, 0.2158605, 1]]  # IEC 61966-2-1.
  np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_clips_of_any_rank_decode_alike():
  clip = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
  np.testing.assert_array_equal(
    light.to_linear(clip), np.stack([light.to_linear(f) for f in clip])
  )


def test_over_and_underexposure_clip():
  assert light.from_linear(np.array([-0.1, 1.7])).tolist() == [0, 255]


def test_floats_are_not_taken_for_pixels():
  with pytest.raises(ValueError, match="float64, not uint8"):
    light.to_linear(np.zeros((2, 2)))
