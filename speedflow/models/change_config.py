"""Sizes of the network of speed changes; without Flax, which it is built of."""

import dataclasses

import jax.numpy as jnp
from jax.typing import DTypeLike

from speedflow.models import change_statistics


@dataclasses.dataclass(frozen=True)
class ChangeNetConfig:
  """Sizes of a `ChangeNet`.

  Attributes:
    width: features of a patch; the whole picture has twice as many.
    patch: side of a patch, in cells of the motion maps.
    patch_dilations: of the temporal blocks of the patches.
    picture_dilations: of those of the whole picture.
    dropout: rate, in training.
    dtype: what the network computes in; parameters are float32.
  """

  width: int = 32
  patch: int = 4
  patch_dilations: tuple[int, ...] = (1, 2, 4)
  picture_dilations: tuple[int, ...] = (1, 2, 4, 8)
  dropout: float = 0.1
  dtype: DTypeLike = jnp.float32

  @property
  def reach(self) -> int:
    """Maps on either side that an answer depends on."""
    blocks = sum(self.patch_dilations) + sum(self.picture_dilations)
    return blocks + change_statistics.SCALES[-1]
