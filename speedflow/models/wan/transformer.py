"""Wan's transformer: the velocity of a rectified flow over video latents.

Wan: Open and Advanced Large-Scale Video Generative Models (arXiv 2503.20314):
2.1's T2V-1.3B, T2V-14B and I2V-14B, and 2.2's TI2V-5B, by their configuration.
Names of modules and parameters are near those of the library diffusers, so
that `names` finds them by rule.
"""

import functools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models import attention as attention_lib
from speedflow.models import spread
from speedflow.models.wan import conditioning, layers, rotary
from speedflow.models.wan.config import Computation, TransformerConfig

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out", "expand", "contract")
"""Names of those that can have low-rank matrices beside them."""

# Of the image's norms, which are torch's default.
_IMAGE_EPS = 1e-5
# Slowest sine of the time.
_PERIOD = 10_000.0


class _Mlp(nnx.Module):
  """Two matrices, with a GELU between them."""

  def __init__(
    self,
    widths: tuple[int, int, int],
    computed: Computation,
    rngs: nnx.Rngs,
    *,
    exact: bool = False,
  ):
    """Sizes are features in, hidden and out."""
    inside, hidden, outside = widths
    self.exact = exact
    self.expand = layers.linear(computed, inside, hidden, rngs, name="expand")
    self.contract = layers.linear(
      computed, hidden, outside, rngs, name="contract"
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    act = layers.exact_gelu if self.exact else jax.nn.gelu
    return self.contract(act(self.expand(x)))


class _TimeEmbedder(nnx.Module):
  """Sines and cosines of the time, through two matrices, in float32."""

  def __init__(
    self, sines: int, width: int, computed: Computation, rngs: nnx.Rngs
  ):
    self.sines = sines
    make = functools.partial(layers.linear, computed, dtype=jnp.float32)
    self.linear_1 = make(sines, width, rngs)
    self.linear_2 = make(width, width, rngs)

  def __call__(self, time: jax.Array) -> jax.Array:
    half = self.sines // 2
    rates = jnp.exp(-math.log(_PERIOD) * jnp.arange(half) / half)
    turns = time.astype(jnp.float32)[..., None] * rates
    waves = jnp.concatenate([jnp.cos(turns), jnp.sin(turns)], -1)
    return self.linear_2(nnx.silu(self.linear_1(waves)))


class _ImageEmbedder(nnx.Module):
  """From the image encoder's tokens to those that blocks attend to."""

  def __init__(
    self, config: TransformerConfig, computed: Computation, rngs: nnx.Rngs
  ):
    assert config.image_dim is not None
    given, width = config.image_dim, config.width
    self.dtype = computed.dtype
    self.pairs = config.pos_embed_seq_len
    if self.pairs:
      self.pos_embed = nnx.Param(jnp.zeros((1, self.pairs, given)))
    self.norm1 = layers.layer_norm(given, _IMAGE_EPS, rngs, learnt=True)
    self.ff = _Mlp((given, given, width), computed, rngs, exact=True)
    self.norm2 = layers.layer_norm(width, _IMAGE_EPS, rngs, learnt=True)

  def __call__(self, tokens: jax.Array) -> jax.Array:
    if self.pairs:
      # A pair of images, one after the other.
      tokens = tokens.reshape(-1, self.pairs, tokens.shape[-1])
      tokens = tokens + self.pos_embed[...]
    inside = self.norm1(tokens).astype(self.dtype)
    return self.norm2(self.ff(inside)).astype(self.dtype)


class Attention(nnx.Module):
  """Attention whose queries and keys are normalised across heads."""

  def __init__(
    self,
    config: TransformerConfig,
    computed: Computation,
    rngs: nnx.Rngs,
    *,
    image: bool = False,
  ):
    """Of tokens to themselves or to text; with `image`, to images as well."""
    width = config.width
    self.heads = config.num_attention_heads
    self.implementation = computed.attention
    make = functools.partial(layers.linear, computed)
    self.to_q = make(width, width, rngs, name="to_q")
    self.to_k = make(width, width, rngs, name="to_k")
    self.to_v = make(width, width, rngs, name="to_v")
    self.to_out = make(width, width, rngs, name="to_out")
    self.norm_q = layers.rms_norm(width, config.eps, rngs)
    self.norm_k = layers.rms_norm(width, config.eps, rngs)
    self.add_k_proj: nnx.Linear | None = nnx.data(None)
    self.add_v_proj: nnx.Linear | None = nnx.data(None)
    self.norm_added_k: nnx.RMSNorm | None = nnx.data(None)
    if image:
      assert config.added_kv_proj_dim is not None
      added = config.added_kv_proj_dim
      self.add_k_proj = make(added, width, rngs)
      self.add_v_proj = make(added, width, rngs)
      self.norm_added_k = layers.rms_norm(width, config.eps, rngs)

  def __call__(
    self,
    x: jax.Array,
    context: jax.Array | None = None,
    image: jax.Array | None = None,
    turns: jax.Array | None = None,
  ) -> jax.Array:
    """Attends.

    Args:
      x: tokens, float [b, n, width].
      context: what they attend to, float [b, m, width]; themselves if None.
      image: tokens of an image that they attend to besides, on its own.
      turns: rotary angles, float [n, features / 2]; without places if None.

    Returns:
      float [b, n, width].
    """
    seen = x if context is None else context
    query = self._heads(self.norm_q(self.to_q(x)).astype(x.dtype))
    key = self._heads(self.norm_k(self.to_k(seen)).astype(x.dtype))
    value = self._heads(self.to_v(seen))
    if turns is not None:
      query, key = rotary.turn(query, turns), rotary.turn(key, turns)
    mixed = self._mix(query, key, value)
    if image is not None:
      assert self.add_k_proj and self.add_v_proj and self.norm_added_k
      key = self.norm_added_k(self.add_k_proj(image)).astype(x.dtype)
      value = self._heads(self.add_v_proj(image))
      mixed += self._mix(query, self._heads(key), value)
    return self.to_out(mixed)

  def _heads(self, x: jax.Array) -> jax.Array:
    return x.reshape(*x.shape[:-1], self.heads, -1)

  def _mix(self, query: jax.Array, key: jax.Array, value: jax.Array):
    mixed = attention_lib.attention(query, key, value, self.implementation)
    return mixed.reshape(*mixed.shape[:-2], -1)


class Block(nnx.Module):
  """Attention to itself, to text and image, and an MLP; modulated by time."""

  def __init__(
    self, config: TransformerConfig, computed: Computation, rngs: nnx.Rngs
  ):
    width, eps = config.width, config.eps
    self.norm1 = layers.layer_norm(width, eps, rngs, learnt=False)
    self.attn1 = Attention(config, computed, rngs)
    self.norm2: nnx.LayerNorm | None = nnx.data(None)
    if config.cross_attn_norm:
      self.norm2 = layers.layer_norm(width, eps, rngs, learnt=True)
    image = config.added_kv_proj_dim is not None
    self.attn2 = Attention(config, computed, rngs, image=image)
    self.norm3 = layers.layer_norm(width, eps, rngs, learnt=False)
    self.ffn = _Mlp((width, config.ffn_dim, width), computed, rngs)
    self.scale_shift_table = nnx.Param(_table(rngs, 6, width))

  def __call__(
    self,
    x: jax.Array,
    text: jax.Array,
    image: jax.Array | None,
    modulation: jax.Array,
    turns: jax.Array,
  ) -> jax.Array:
    """One block.

    Args:
      x: tokens, float [b, n, width].
      text: float [b, m, width].
      image: float [b, k, width], or None.
      modulation: float [b, 1 or n, 6, width].
      turns: rotary angles.

    Returns:
      Like x.
    """
    dtype = x.dtype
    table = modulation.astype(jnp.float32) + self.scale_shift_table[...]
    shift, scale, gate, shift2, scale2, gate2 = (
      table[..., part, :] for part in range(6)
    )
    inside = (self.norm1(x) * (1 + scale) + shift).astype(dtype)
    x = (x + self.attn1(inside, turns=turns) * gate).astype(dtype)
    inside = x if self.norm2 is None else self.norm2(x).astype(dtype)
    x = x + self.attn2(inside, text, image)
    inside = (self.norm3(x) * (1 + scale2) + shift2).astype(dtype)
    return (x + self.ffn(inside).astype(jnp.float32) * gate2).astype(dtype)


class Transformer(nnx.Module):
  """The whole network. Before it is trained on speeds, it is Wan to the bit."""

  def __init__(
    self,
    config: TransformerConfig,
    rngs: nnx.Rngs,
    computed: Computation | None = None,
  ):
    """Makes it with random parameters.

    Args:
      config: its sizes.
      rngs: for the parameters.
      computed: how it is computed.
    """
    computed = computed or Computation()
    width = config.width
    self.config, self.computed = config, computed
    make = functools.partial(layers.linear, computed)
    self.patch_embedding = nnx.Conv(
      config.in_channels,
      width,
      config.patch_size,
      strides=config.patch_size,
      padding="VALID",
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    self.time_embedder = _TimeEmbedder(config.freq_dim, width, computed, rngs)
    self.time_proj = make(width, 6 * width, rngs)
    self.text_embedder = _Mlp((config.text_dim, width, width), computed, rngs)
    self.image_embedder: _ImageEmbedder | None = nnx.data(None)
    if config.image_dim is not None:
      self.image_embedder = _ImageEmbedder(config, computed, rngs)
    self.speed: conditioning.SpeedEmbedder | None = nnx.data(None)
    if computed.speed != "none":
      self.speed = conditioning.SpeedEmbedder(width, computed, rngs)

    @nnx.split_rngs(splits=config.num_layers)
    @nnx.vmap(in_axes=0, out_axes=0)
    def blocks(rngs: nnx.Rngs) -> Block:
      return Block(config, computed, rngs)

    self.blocks = blocks(rngs)
    self.norm_out = layers.layer_norm(width, config.eps, rngs, learnt=False)
    self.proj_out = make(
      width, config.out_channels * math.prod(config.patch_size), rngs
    )
    self.scale_shift_table = nnx.Param(_table(rngs, 2, width))
    if computed.trained == "added":
      layers.freeze(self)

  def __call__(
    self,
    latents: jax.Array,
    time: jax.Array,
    text: jax.Array,
    image: jax.Array | None = None,
    log2_speed: jax.Array | None = None,
    has_speed: jax.Array | None = None,
  ) -> jax.Array:
    """The velocity from latents to noise.

    Args:
      latents: noisy, with those of the condition, float [b, t, h, w, channels].
      time: of the flow, 0 (clean) to 1000 (noise), float [b]; or of each latent
        frame, [b, t] (Wan2.2 TI2V knows the first frame by its time).
      text: the text encoder's tokens, float [b, m, text_dim].
      image: the image encoder's, float [b, k, image_dim], where it is told one.
      log2_speed: of each latent frame, float [b, t]; where it is told speeds.
      has_speed: bool [b], which clips are told theirs; all if None.

    Returns:
      float [b, t, h, w, out_channels].
    """
    dtype = self.computed.dtype
    grid = tuple(
      size // patch
      for size, patch in zip(
        latents.shape[1:4], self.config.patch_size, strict=True
      )
    )
    frames, places = grid[0], grid[1] * grid[2]
    tokens = self.patch_embedding(latents.astype(dtype))
    embedded = self.time_embedder(time if time.ndim == 2 else time[:, None])
    if self.speed is not None and log2_speed is not None:
      of_clip, of_frames = self.speed(log2_speed, has_speed)
      embedded = embedded + of_clip[:, None]
      tokens = tokens + of_frames[:, :, None, None].astype(dtype)
    x = spread.tokens(tokens.reshape(len(tokens), frames * places, -1))
    embedded = embedded.astype(dtype)
    modulation = self.time_proj(nnx.silu(embedded))
    modulation = modulation.reshape(*modulation.shape[:-1], 6, -1)
    if time.ndim == 2:
      embedded = jnp.repeat(embedded, places, 1)
      modulation = jnp.repeat(modulation, places, 1)
    words = self.text_embedder(text.astype(dtype))
    if image is not None:
      assert self.image_embedder is not None
      image = self.image_embedder(image.astype(dtype))
    turns = jnp.asarray(
      rotary.angles(grid, self.config.attention_head_dim)  # type: ignore[arg-type]
    )

    x = layers.through(
      self.blocks,
      x,
      lambda block, x: block(x, words, image, modulation, turns),
      self.computed.remat,
    )
    table = self.scale_shift_table[...] + embedded[..., None, :]
    shift, scale = table[..., 0, :], table[..., 1, :]
    x = (self.norm_out(x) * (1 + scale) + shift).astype(dtype)
    return self._unpatched(self.proj_out(x), grid)

  def _unpatched(self, x: jax.Array, grid: tuple[int, ...]) -> jax.Array:
    sizes = self.config.patch_size
    x = x.reshape(len(x), *grid, *sizes, -1)
    x = x.transpose(0, 1, 4, 2, 5, 3, 6, 7)
    whole = [n * size for n, size in zip(grid, sizes, strict=True)]
    return x.reshape(len(x), *whole, -1)


def _table(rngs: nnx.Rngs, rows: int, width: int) -> jax.Array:
  drawn = jax.random.normal(rngs.params(), (1, rows, width))
  return drawn / math.sqrt(width)
