"""Pixels in place of an autoencoder lose nothing."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.errors import SpeedflowError
from speedflow.models.wan import pixels


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_a_video_comes_back(side, chunks, squares):
  codec = pixels.Pixels(pixels.PixelsConfig(side))
  shape = (2, 1 + 4 * chunks, side * squares, 2 * side, 3)
  video = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
  latents = codec.encode(jnp.asarray(video))
  assert latents.shape == (2, 1 + chunks, squares, 2, codec.config.z_dim)
  np.testing.assert_allclose(codec.decode(latents), video, atol=1e-6)


def test_a_latent_sees_its_own_frames_alone():
  codec = pixels.Pixels(pixels.PixelsConfig(2))
  video = np.zeros((1, 9, 4, 4, 3), np.float32)
  video[0, 5] = 1.0
  lit = np.abs(np.asarray(codec.encode(jnp.asarray(video)))[0]).max((1, 2, 3))
  assert (lit > 0).tolist() == [False, False, True]


@pytest.mark.parametrize("said", [None, 0, 2.0, "two"])
def test_a_size_that_is_none_is_refused(said):
  with pytest.raises(SpeedflowError, match=r"here\.json: scale_factor_spatial"):
    pixels.PixelsConfig.read({"scale_factor_spatial": said}, "here.json")
