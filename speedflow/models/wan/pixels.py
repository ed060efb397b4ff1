"""Pixels in place of the autoencoder, for networks of the least size.

A latent holds the pixels of four frames at a small square of places, so that
nothing is lost, and nothing has to be learnt before the transformer is.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.errors import SpeedflowError

KIND = "SpeedflowPixels"
"""The `_class_name` in its `config.json`."""

_CHUNK = 4
# Pixels lie within -1 and 1; latents are to have a deviation of about 1.
_GAIN = 2.0


@dataclasses.dataclass(frozen=True)
class PixelsConfig:
  """As `AutoencoderConfig`, as far as others ask.

  Attributes:
    scale_factor_spatial: pixels along a side that a latent holds.
  """

  scale_factor_spatial: int = 2

  @property
  def z_dim(self) -> int:
    """Channels of a latent."""
    return _CHUNK * 3 * self.scale_factor_spatial**2

  @property
  def scale_factor_temporal(self) -> int:
    """Frames that a latent holds."""
    return _CHUNK

  @classmethod
  def read(cls, fields: Mapping[str, Any], file: str) -> Self:
    """Reads what a `config.json` says.

    Raises:
      SpeedflowError: the number of pixels is none.
    """
    side = fields.get("scale_factor_spatial")
    if not isinstance(side, int) or side < 1:
      raise SpeedflowError(
        f"{file}: scale_factor_spatial is {side!r}; wanted pixels, 1 or more"
      )
    return cls(side)


class Pixels(nnx.Module):
  """Has the methods of `Autoencoder`, and no parameters."""

  def __init__(self, config: PixelsConfig):
    self.config = config

  def encode(self, video: jax.Array) -> jax.Array:
    """Puts pixels into channels.

    Args:
      video: float [b, t, h, w, 3], -1 to 1; t is 1 more than a multiple of 4.

    Returns:
      float [b, 1 + (t - 1) / 4, h / side, w / side, z_dim]; the first frame
      stands for four.
    """
    side = self.config.scale_factor_spatial
    video = jnp.concatenate([*[video[:, :1]] * (_CHUNK - 1), video], 1)
    rows, times, height, width, colours = video.shape
    x = video.reshape(
      rows,
      times // _CHUNK,
      _CHUNK,
      height // side,
      side,
      width // side,
      side,
      colours,
    )
    x = x.transpose(0, 1, 3, 5, 2, 4, 6, 7)
    return _GAIN * x.reshape(*x.shape[:4], -1)

  def decode(self, latents: jax.Array) -> jax.Array:
    """Undoes `encode`.

    Args:
      latents: float [b, t, h, w, z_dim].

    Returns:
      float [b, 1 + (t - 1) x 4, h x side, w x side, 3], -1 to 1.
    """
    side = self.config.scale_factor_spatial
    rows, times, height, width = latents.shape[:4]
    x = latents.reshape(*latents.shape[:4], _CHUNK, side, side, 3)
    x = x.transpose(0, 1, 4, 2, 5, 3, 6, 7) / _GAIN
    x = x.reshape(rows, times * _CHUNK, height * side, width * side, 3)
    first = x[:, :_CHUNK].mean(1, keepdims=True)
    return jnp.clip(jnp.concatenate([first, x[:, _CHUNK:]], 1), -1, 1)
