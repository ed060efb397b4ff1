"""Wan's image encoder: CLIP's vision transformer (arXiv 2103.00020).

What the transformer attends to is the input of its last block, which is not
computed.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models import attention as attention_lib
from speedflow.models.wan import layers
from speedflow.models.wan.config import Computation, ImageConfig

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Of red, green and blue, 0 to 1, that the network is given as 0."""

DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the same, that it is given as 1."""


class _Block(nnx.Module):
  """Attention and an MLP."""

  def __init__(
    self, config: ImageConfig, computed: Computation, rngs: nnx.Rngs
  ):
    self.heads = config.num_attention_heads
    self.implementation = computed.attention
    self.quick = config.hidden_act == "quick_gelu"
    width, eps = config.hidden_size, config.layer_norm_eps

    def make(given: int, wanted: int) -> nnx.Linear:
      return layers.linear(computed, given, wanted, rngs)

    self.layer_norm1 = layers.layer_norm(width, eps, rngs, learnt=True)
    self.q_proj, self.k_proj = make(width, width), make(width, width)
    self.v_proj, self.out_proj = make(width, width), make(width, width)
    self.layer_norm2 = layers.layer_norm(width, eps, rngs, learnt=True)
    self.fc1 = make(width, config.intermediate_size)
    self.fc2 = make(config.intermediate_size, width)

  def __call__(self, x: jax.Array) -> jax.Array:
    inside = self.layer_norm1(x).astype(x.dtype)
    query, key, value = (
      part(inside).reshape(*x.shape[:2], self.heads, -1)
      for part in (self.q_proj, self.k_proj, self.v_proj)
    )
    mixed = attention_lib.attention(query, key, value, self.implementation)
    x = x + self.out_proj(mixed.reshape(x.shape))
    hidden = self.fc1(self.layer_norm2(x).astype(x.dtype))
    if self.quick:
      hidden = hidden * nnx.sigmoid(1.702 * hidden)
    else:
      hidden = layers.exact_gelu(hidden)
    return x + self.fc2(hidden)


class ImageEncoder(nnx.Module):
  """Turns a picture into tokens."""

  def __init__(
    self,
    config: ImageConfig,
    rngs: nnx.Rngs,
    computed: Computation | None = None,
  ):
    """Makes it with random parameters."""
    computed = computed or Computation()
    self.config = config
    width, side = config.hidden_size, config.patch_size
    self.class_embedding = nnx.Param(jnp.zeros(width, computed.param_dtype))
    self.patch_embedding = nnx.Conv(
      3,
      width,
      (side, side),
      strides=(side, side),
      padding="VALID",
      use_bias=False,
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    places = (config.image_size // side) ** 2 + 1
    self.position_embedding = nnx.Embed(
      places, width, param_dtype=computed.param_dtype, rngs=rngs
    )
    # The spelling is the file's.
    self.pre_layrnorm = layers.layer_norm(
      width, config.layer_norm_eps, rngs, learnt=True
    )

    @nnx.split_rngs(splits=config.num_hidden_layers - 1)
    @nnx.vmap(in_axes=0, out_axes=0)
    def blocks(rngs: nnx.Rngs) -> _Block:
      return _Block(config, computed, rngs)

    self.layers = blocks(rngs)

  def __call__(self, pictures: jax.Array) -> jax.Array:
    """Encodes pictures.

    Args:
      pictures: with mean 0 and deviation 1, float [b, s, s, 3], where s is the
        configuration's `image_size`.

    Returns:
      float [b, 1 + (s / patch) ** 2, hidden_size].
    """
    x = self.patch_embedding(pictures)
    x = x.reshape(len(x), -1, x.shape[-1])
    first = self.class_embedding[...].astype(x.dtype)
    first = jnp.broadcast_to(first, (len(x), 1, x.shape[-1]))
    x = jnp.concatenate([first, x], 1)
    x = x + self.position_embedding.embedding[...].astype(x.dtype)
    x = self.pre_layrnorm(x).astype(x.dtype)

    return layers.through(self.layers, x, lambda block, x: block(x))
