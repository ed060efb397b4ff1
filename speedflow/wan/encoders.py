"""Wan's encoders of videos, texts and pictures, loaded as they are wanted."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.models.wan import (
  autoencoder,
  config,
  image_encoder,
  pixels,
  text_encoder,
)
from speedflow.wan import words
from speedflow.weights import wan as weights


class Encoders:
  """Of one pipeline."""

  def __init__(
    self,
    folder: pathlib.Path,
    computed: config.Computation,
    *,
    keep_text_encoder: bool = False,
  ):
    """Loads nothing yet.

    Args:
      folder: as diffusers keeps it.
      computed: how texts and pictures are encoded; videos are in float32.
      keep_text_encoder: for further texts; else it is let go, for it is large.
    """
    self._folder, self._computed = folder, computed
    self._keep_text_encoder = keep_text_encoder

  @functools.cached_property
  def autoencoder(self) -> autoencoder.Autoencoder | pixels.Pixels:
    """Of videos."""
    exact = config.Computation(dtype=jnp.float32, param_dtype=jnp.float32)
    return weights.load_autoencoder(self._folder / "vae", exact)

  def texts(self, texts: Sequence[str]) -> jax.Array:
    """Encodes texts.

    Args:
      texts: some.

    Returns:
      float [texts, 512, features]; 0 after the end of each.
    """
    numbers, present = words.Tokenizer(self._folder / "tokenizer")(list(texts))
    encoder = self._text_encoder
    if not self._keep_text_encoder:
      del self._text_encoder
    return _encoded(encoder, jnp.asarray(numbers), jnp.asarray(present))

  @functools.cached_property
  def _text_encoder(self) -> text_encoder.TextEncoder:
    return weights.load_text_encoder(
      self._folder / "text_encoder", self._computed
    )

  def image(self, image: np.ndarray) -> jax.Array:
    """Encodes a picture, by its middle.

    Args:
      image: uint8 [h, w, 3].

    Returns:
      float [tokens, features].
    """
    side = self._image_encoder.config.image_size
    given = jnp.asarray(_middle(image, side), self._computed.dtype)
    return _encoded(self._image_encoder, given[None])[0]

  @functools.cached_property
  def _image_encoder(self) -> image_encoder.ImageEncoder:
    return weights.load_image_encoder(
      self._folder / "image_encoder", self._computed
    )


@nnx.jit
def _encoded(network: Any, *given: jax.Array) -> jax.Array:
  return network(*given)


def _middle(image: np.ndarray, side: int) -> np.ndarray:
  """A picture as the image encoder wants it: its middle, float [s, s, 3]."""
  height, width = image.shape[:2]
  scale = side / min(height, width)
  size = max(side, round(width * scale)), max(side, round(height * scale))
  small = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
  top, left = (small.shape[0] - side) // 2, (small.shape[1] - side) // 2
  middle = small[top : top + side, left : left + side] / np.float32(255)
  return (middle - image_encoder.MEAN) / image_encoder.DEVIATION
