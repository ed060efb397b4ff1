"""Wan's text encoder: the encoder of UMT5 (arXiv 2304.09151).

As T5 (arXiv 1910.10683), it has no positions but a bias of attention by the
distance between tokens, here one of each block's own.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.models.wan import layers
from speedflow.models.wan.config import Computation, TextConfig


def buckets(length: int, count: int, furthest: int) -> np.ndarray:
  """The bucket of the distance from each token to each other.

  Half of the buckets are for tokens before, half for those after; of these,
  half are for one distance each, and the others grow with it.

  Args:
    length: number of tokens, n.
    count: of buckets.
    furthest: distance from which on all are in the last bucket.

  Returns:
    int32 [n, n], queries by keys.
  """
  places = np.arange(length)
  distance = places[None, :] - places[:, None]
  half = count // 2
  exact = half // 2
  far = np.abs(distance)
  grown = np.log(np.maximum(far, 1).astype(np.float32) / exact)
  grown = grown / math.log(furthest / exact) * (half - exact)
  grown = np.minimum(exact + grown.astype(np.int32), half - 1)
  found = np.where(far < exact, far, grown) + np.where(distance > 0, half, 0)
  return found.astype(np.int32)


class Block(nnx.Module):
  """Attention and a gated MLP."""

  def __init__(self, config: TextConfig, computed: Computation, rngs: nnx.Rngs):
    self.heads = config.num_heads
    width, inside = config.d_model, config.num_heads * config.d_kv

    def make(given: int, wanted: int) -> nnx.Linear:
      return layers.linear(computed, given, wanted, rngs, bias=False)

    self.attention_norm = layers.rms_norm(
      width, config.layer_norm_epsilon, rngs
    )
    self.q, self.k = make(width, inside), make(width, inside)
    self.v, self.o = make(width, inside), make(inside, width)
    self.bias = nnx.Embed(
      config.relative_attention_num_buckets, config.num_heads, rngs=rngs
    )
    self.mlp_norm = layers.rms_norm(width, config.layer_norm_epsilon, rngs)
    self.wi_0, self.wi_1 = make(width, config.d_ff), make(width, config.d_ff)
    self.wo = make(config.d_ff, width)

  def __call__(
    self, x: jax.Array, distances: jax.Array, masked: jax.Array
  ) -> jax.Array:
    """One block.

    Args:
      x: float [b, n, d_model].
      distances: buckets, int32 [n, n].
      masked: 0 where there is a token and -inf where there is none, float32
        [b, n].

    Returns:
      Like x.
    """
    inside = self.attention_norm(x).astype(x.dtype)
    query, key, value = (
      part(inside).reshape(*x.shape[:2], self.heads, -1)
      for part in (self.q, self.k, self.v)
    )
    logits = jnp.einsum("bnhd,bmhd->bhnm", query, key).astype(jnp.float32)
    logits += self.bias(distances).transpose(2, 0, 1)
    logits += masked[:, None, None]
    weights = jax.nn.softmax(logits).astype(x.dtype)
    mixed = jnp.einsum("bhnm,bmhd->bnhd", weights, value)
    x = x + self.o(mixed.reshape(*x.shape[:2], -1))
    inside = self.mlp_norm(x).astype(x.dtype)
    return x + self.wo(jax.nn.gelu(self.wi_0(inside)) * self.wi_1(inside))


class TextEncoder(nnx.Module):
  """Turns the numbers of tokens into what the transformer attends to."""

  def __init__(
    self,
    config: TextConfig,
    rngs: nnx.Rngs,
    computed: Computation | None = None,
  ):
    """Makes it with random parameters."""
    computed = computed or Computation()
    self.config = config
    self.shared = nnx.Embed(
      config.vocab_size,
      config.d_model,
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )

    @nnx.split_rngs(splits=config.num_layers)
    @nnx.vmap(in_axes=0, out_axes=0)
    def blocks(rngs: nnx.Rngs) -> Block:
      return Block(config, computed, rngs)

    self.block = blocks(rngs)
    self.final_layer_norm = layers.rms_norm(
      config.d_model, config.layer_norm_epsilon, rngs
    )

  def __call__(self, tokens: jax.Array, present: jax.Array) -> jax.Array:
    """Encodes texts.

    Args:
      tokens: int32 [b, n].
      present: bool [b, n], where there is one.

    Returns:
      float [b, n, d_model], zero where there is no token, as Wan has it.
    """
    config = self.config
    distances = jnp.asarray(
      buckets(
        tokens.shape[1],
        config.relative_attention_num_buckets,
        config.relative_attention_max_distance,
      )
    )
    masked = jnp.where(present, 0.0, -jnp.inf)

    x = layers.through(
      self.block,
      self.shared(tokens),
      lambda block, x: block(x, distances, masked),
    )
    x = self.final_layer_norm(x).astype(x.dtype)
    return jnp.where(present[..., None], x, 0)
