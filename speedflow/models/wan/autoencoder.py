"""Wan's causal video autoencoder, chunk after chunk.

A frame depends on earlier ones alone (arXiv 2503.20314): the first is encoded
by itself, then four at a time, each chunk with what the causal convolutions
remember of those before. So memory grows with the chunk and not with the
length. Wan2.1's (16 channels, 4x8x8) and Wan2.2's (48 channels, 4x16x16).
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.models import attention as attention_lib
from speedflow.models.wan.config import AutoencoderConfig, Computation

CHUNK = 4
"""Frames that are encoded together, after the first."""

# Causal convolutions see so many earlier frames.
_SEEN = 2
_SMALL = 1e-12

_Change = Literal["none", "space", "space and time"]


class Memory:
  """What causal layers remember of the chunks before, in order of use.

  Attributes:
    first: whether there are none.
    kept: what is to be remembered of this chunk.
  """

  def __init__(self, before: Sequence[jax.Array] | None = None):
    """Takes what was `kept` of the chunk before; None at the first."""
    self.first = before is None
    self._before = iter(before or ())
    self.kept: list[jax.Array] = []

  def last(self, like: jax.Array, frames: int) -> jax.Array:
    """What this layer kept, float [b, frames, ...]; zeros at first."""
    if self.first:
      return jnp.zeros((len(like), frames, *like.shape[2:]), like.dtype)
    return next(self._before)

  def keep(self, x: jax.Array) -> None:
    """Remembers this for the next chunk."""
    self.kept.append(x)


class _CausalConv(nnx.Module):
  """A convolution over time and space that sees no later frame."""

  def __init__(
    self,
    channels: tuple[int, int],
    sizes: tuple[int, int, int],
    computed: Computation,
    rngs: nnx.Rngs,
    *,
    time_stride: int = 1,
  ):
    """Convolves `channels` in to `channels` out."""
    time, rows, columns = sizes
    around = ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2))
    self.conv = nnx.Conv(
      *channels,
      sizes,
      strides=(time_stride, 1, 1),
      padding=around,
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    self.remembers = time > 1

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    """Convolves a chunk, float [b, t, h, w, c]."""
    if self.remembers:
      x = jnp.concatenate([memory.last(x, _SEEN), x], 1)
      memory.keep(x[:, -_SEEN:])
    return self.conv(x)


class _Norm(nnx.Module):
  """Scales each pixel's channels to one length, times their number's root."""

  def __init__(self, channels: int, axes: int):
    """Has one factor a channel, stored with so many further axes."""
    self.gamma = nnx.Param(jnp.ones((channels, *[1] * axes)))

  def __call__(self, x: jax.Array) -> jax.Array:
    wide = x.astype(jnp.float32)
    length = jnp.sqrt(jnp.square(wide).sum(-1, keepdims=True))
    unit = (wide / jnp.maximum(length, _SMALL)).astype(x.dtype)
    gamma = self.gamma[...].reshape(-1)
    return unit * math.sqrt(x.shape[-1]) * gamma.astype(x.dtype)


class _Residual(nnx.Module):
  """Two causal convolutions beside a shortcut."""

  def __init__(
    self, channels: tuple[int, int], computed: Computation, rngs: nnx.Rngs
  ):
    inside, outside = channels
    cube = (3, 3, 3)
    self.norm1 = _Norm(inside, 3)
    self.conv1 = _CausalConv((inside, outside), cube, computed, rngs)
    self.norm2 = _Norm(outside, 3)
    self.conv2 = _CausalConv((outside, outside), cube, computed, rngs)
    self.conv_shortcut: _CausalConv | None = nnx.data(None)
    if inside != outside:
      self.conv_shortcut = _CausalConv(channels, (1, 1, 1), computed, rngs)

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    short = self.conv_shortcut(x, memory) if self.conv_shortcut else x
    x = self.conv1(nnx.silu(self.norm1(x)), memory)
    return short + self.conv2(nnx.silu(self.norm2(x)), memory)


class _FrameAttention(nnx.Module):
  """Attention among the pixels of a frame, one head."""

  def __init__(self, channels: int, computed: Computation, rngs: nnx.Rngs):
    self.norm = _Norm(channels, 2)
    make = functools.partial(
      nnx.Conv,
      kernel_size=(1, 1),
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    self.to_qkv = make(channels, 3 * channels)
    self.proj = make(channels, channels)
    self.implementation = computed.attention

  def __call__(self, x: jax.Array) -> jax.Array:
    query, key, value = (
      part.reshape(*x.shape[:2], -1, 1, x.shape[-1])
      for part in jnp.split(self.to_qkv(self.norm(x)), 3, -1)
    )
    mixed = attention_lib.attention(query, key, value, self.implementation)
    return x + self.proj(mixed.reshape(x.shape))


class _Middle(nnx.Module):
  """The coarsest level: attention between two residual blocks."""

  def __init__(self, channels: int, computed: Computation, rngs: nnx.Rngs):
    both = (channels, channels)
    self.resnets = nnx.List([_Residual(both, computed, rngs) for _ in range(2)])
    self.attentions = nnx.List([_FrameAttention(channels, computed, rngs)])

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    x = self.attentions[0](self.resnets[0](x, memory))
    return self.resnets[1](x, memory)


class _Down(nnx.Module):
  """Halves space, and time if it is asked for."""

  def __init__(
    self, channels: int, change: _Change, computed: Computation, rngs: nnx.Rngs
  ):
    both = (channels, channels)
    self.resample = nnx.Conv(
      *both,
      (3, 3),
      strides=(2, 2),
      padding=((0, 1), (0, 1)),
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    self.time_conv: _CausalConv | None = nnx.data(None)
    if change == "space and time":
      self.time_conv = _CausalConv(
        both, (3, 1, 1), computed, rngs, time_stride=2
      )

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    x = self.resample(x)
    if self.time_conv is None:
      return x
    # The first frame of all stays by itself.
    if not memory.first:
      seen = jnp.concatenate([memory.last(x, 1), x], 1)
      memory.keep(x[:, -1:])
      return self.time_conv.conv(seen)
    memory.keep(x[:, -1:])
    return x


class _Up(nnx.Module):
  """Doubles space, and time if it is asked for."""

  def __init__(
    self,
    channels: tuple[int, int],
    change: _Change,
    computed: Computation,
    rngs: nnx.Rngs,
  ):
    inside, outside = channels
    self.resample = nnx.Conv(
      inside,
      outside,
      (3, 3),
      dtype=computed.dtype,
      param_dtype=computed.param_dtype,
      rngs=rngs,
    )
    self.time_conv: _CausalConv | None = nnx.data(None)
    if change == "space and time":
      self.time_conv = _CausalConv(
        (inside, 2 * inside), (3, 1, 1), computed, rngs
      )

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    if self.time_conv is not None:
      if memory.first:
        # The first frame of all stays one; the next does not see it.
        memory.keep(memory.last(x, _SEEN))
      else:
        twice = self.time_conv(x, memory)
        pairs = twice.reshape(*x.shape[:-1], 2, x.shape[-1])
        pairs = jnp.moveaxis(pairs, -2, 2)
        x = pairs.reshape(len(x), -1, *x.shape[2:])
    return self.resample(x.repeat(2, 2).repeat(2, 3))


class _DownLevel(nnx.Module):
  """A level of Wan2.2's encoder, which has a shortcut of its own."""

  def __init__(
    self,
    channels: tuple[int, int],
    blocks: int,
    change: _Change,
    computed: Computation,
    rngs: nnx.Rngs,
  ):
    inside, outside = channels
    widths = [inside] + [outside] * blocks
    self.resnets = nnx.List(
      [_Residual(pair, computed, rngs) for pair in itertools.pairwise(widths)]
    )
    self.channels = outside
    self.factors = _FACTORS[change]
    self.downsampler: _Down | None = nnx.data(None)
    if change != "none":
      self.downsampler = _Down(outside, change, computed, rngs)

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    short = _averaged(x, self.channels, self.factors)
    for block in self.resnets:
      x = block(x, memory)
    if self.downsampler is not None:
      x = self.downsampler(x, memory)
    return x + short


class _UpLevel(nnx.Module):
  """A level of a decoder."""

  def __init__(
    self,
    channels: tuple[int, int],
    blocks: int,
    change: _Change,
    computed: Computation,
    rngs: nnx.Rngs,
    *,
    shortcut: bool,
  ):
    """Makes it; with a `shortcut`, as Wan2.2 has it."""
    inside, outside = channels
    widths = [inside] + [outside] * (blocks + 1)
    self.resnets = nnx.List(
      [_Residual(pair, computed, rngs) for pair in itertools.pairwise(widths)]
    )
    self.channels = outside
    self.factors = _FACTORS[change]
    self.shortcut = shortcut and change != "none"
    self.upsampler: _Up | None = nnx.data(None)
    if change != "none":
      last = outside if shortcut else outside // 2
      self.upsampler = _Up((outside, last), change, computed, rngs)

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    given = x
    for block in self.resnets:
      x = block(x, memory)
    if self.upsampler is not None:
      x = self.upsampler(x, memory)
    if self.shortcut:
      x = x + _repeated(given, self.channels, self.factors, memory.first)
    return x


class Encoder(nnx.Module):
  """From frames to the mean and log variance of latents."""

  def __init__(
    self, config: AutoencoderConfig, computed: Computation, rngs: nnx.Rngs
  ):
    cube = (3, 3, 3)
    dims = [config.base_dim * n for n in (1, *config.dim_mult)]
    self.conv_in = _CausalConv(
      (config.in_channels, dims[0]), cube, computed, rngs
    )
    changes = [*_changes(config.temperal_downsample), "none"]
    layers: list[nnx.Module] = []
    for inside, outside, change in zip(dims, dims[1:], changes, strict=False):
      if config.is_residual:
        layers.append(
          _DownLevel(
            (inside, outside), config.num_res_blocks, change, computed, rngs
          )
        )
        continue
      widths = [inside] + [outside] * config.num_res_blocks
      layers += [
        _Residual(pair, computed, rngs) for pair in itertools.pairwise(widths)
      ]
      if change != "none":
        layers.append(_Down(outside, change, computed, rngs))
    self.down_blocks = nnx.List(layers)
    self.mid_block = _Middle(dims[-1], computed, rngs)
    self.norm_out = _Norm(dims[-1], 3)
    self.conv_out = _CausalConv(
      (dims[-1], 2 * config.z_dim), cube, computed, rngs
    )

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    """Encodes a chunk: one frame, or `CHUNK`; float [b, t, h, w, c]."""
    x = self.conv_in(x, memory)
    for layer in self.down_blocks:
      x = layer(x, memory)
    x = nnx.silu(self.norm_out(self.mid_block(x, memory)))
    return self.conv_out(x, memory)


class Decoder(nnx.Module):
  """From latents to frames."""

  def __init__(
    self, config: AutoencoderConfig, computed: Computation, rngs: nnx.Rngs
  ):
    cube = (3, 3, 3)
    mult = config.dim_mult
    base = config.decoder_base_dim or config.base_dim
    dims = [base * n for n in (mult[-1], *mult[::-1])]
    self.conv_in = _CausalConv((config.z_dim, dims[0]), cube, computed, rngs)
    self.mid_block = _Middle(dims[0], computed, rngs)
    changes = [*_changes(config.temperal_downsample[::-1]), "none"]
    levels = []
    for number, change in enumerate(changes):
      inside, outside = dims[number], dims[number + 1]
      if number and not config.is_residual:
        inside //= 2
      levels.append(
        _UpLevel(
          (inside, outside),
          config.num_res_blocks,
          change,
          computed,
          rngs,
          shortcut=config.is_residual,
        )
      )
    self.up_blocks = nnx.List(levels)
    self.norm_out = _Norm(dims[-1], 3)
    self.conv_out = _CausalConv(
      (dims[-1], config.out_channels), cube, computed, rngs
    )

  def __call__(self, x: jax.Array, memory: Memory) -> jax.Array:
    """Decodes one latent frame, float [b, 1, h, w, z_dim]."""
    x = self.mid_block(self.conv_in(x, memory), memory)
    for level in self.up_blocks:
      x = level(x, memory)
    return self.conv_out(nnx.silu(self.norm_out(x)), memory)


class Autoencoder(nnx.Module):
  """Encodes videos to latents of mean 0 and deviation 1, and back."""

  def __init__(
    self,
    config: AutoencoderConfig,
    rngs: nnx.Rngs,
    computed: Computation | None = None,
  ):
    """Makes it with random parameters."""
    computed = computed or Computation()
    self.config = config
    z, one = config.z_dim, (1, 1, 1)
    self.encoder = Encoder(config, computed, rngs)
    self.quant_conv = _CausalConv((2 * z, 2 * z), one, computed, rngs)
    self.post_quant_conv = _CausalConv((z, z), one, computed, rngs)
    self.decoder = Decoder(config, computed, rngs)

  def frames_of(self, latent_frames: int) -> int:
    """How many frames so many latent ones are."""
    return 1 + (latent_frames - 1) * self.config.scale_factor_temporal

  def encode(self, video: jax.Array) -> jax.Array:
    """Encodes to the latents' most likely values.

    Args:
      video: float [b, t, h, w, 3], -1 to 1; t is 1 more than a multiple of 4:
        frames beyond the last whole chunk are left out.

    Returns:
      float [b, 1 + (t - 1) / 4, h / 8, w / 8, z_dim] (Wan2.2: / 16).
    """
    x = _patched(video, self.config.patch_size or 1)
    memory = Memory()
    parts = [self.encoder(x[:, :1], memory)]
    chunks = (x.shape[1] - 1) // CHUNK
    if chunks:
      rest = x[:, 1 : 1 + chunks * CHUNK]
      rest = rest.reshape(len(x), chunks, CHUNK, *x.shape[2:])
      parts.append(self._scanned(self.encoder, memory, rest))
    found = self.quant_conv(jnp.concatenate(parts, 1), Memory())
    mean = found[..., : self.config.z_dim]
    return (mean - self._mean) / self._std

  def decode(self, latents: jax.Array) -> jax.Array:
    """Decodes latents.

    Args:
      latents: float [b, t, h, w, z_dim].

    Returns:
      float [b, 1 + (t - 1) x 4, 8 h, 8 w, 3] (Wan2.2: 16), -1 to 1.
    """
    given = latents * self._std + self._mean
    x = self.post_quant_conv(given.astype(latents.dtype), Memory())
    memory = Memory()
    parts = [self.decoder(x[:, :1], memory)]
    if x.shape[1] > 1:
      parts.append(self._scanned(self.decoder, memory, x[:, 1:, None]))
    video = jnp.concatenate(parts, 1)
    return jnp.clip(_unpatched(video, self.config.patch_size or 1), -1, 1)

  def _scanned(
    self,
    part: Callable[[jax.Array, Memory], jax.Array],
    memory: Memory,
    chunks: jax.Array,
  ) -> jax.Array:
    """Works on chunks, float [b, n, t, ...], after what is in a memory."""

    def one(kept: list[jax.Array], chunk: jax.Array):
      now = Memory(kept)
      made = part(chunk, now)
      return now.kept, made

    _, made = jax.lax.scan(one, memory.kept, jnp.moveaxis(chunks, 1, 0))
    made = jnp.moveaxis(made, 0, 1)
    return made.reshape(len(chunks), -1, *made.shape[3:])

  @property
  def _mean(self) -> np.ndarray:
    values = self.config.latents_mean or (0.0,) * self.config.z_dim
    return np.array(values, np.float32)

  @property
  def _std(self) -> np.ndarray:
    values = self.config.latents_std or (1.0,) * self.config.z_dim
    return np.array(values, np.float32)


_FACTORS = {"none": (1, 1), "space": (1, 2), "space and time": (2, 2)}
"""By how much time and space change."""


def _changes(halve_time: Sequence[bool]) -> list[_Change]:
  return ["space and time" if halves else "space" for halves in halve_time]


def _averaged(
  x: jax.Array, channels: int, factors: tuple[int, int]
) -> jax.Array:
  """Puts neighbours into channels, and averages groups of these."""
  time, space = factors
  # Zeros come before the first.
  x = jnp.pad(x, ((0, 0), (-x.shape[1] % time, 0), *[(0, 0)] * 3))
  b, t, h, w, c = x.shape
  x = x.reshape(b, t // time, time, h // space, space, w // space, space, c)
  x = x.transpose(0, 1, 3, 5, 7, 2, 4, 6)
  return x.reshape(*x.shape[:4], channels, -1).mean(-1)


def _repeated(
  x: jax.Array, channels: int, factors: tuple[int, int], first: bool
) -> jax.Array:
  """Spreads channels, repeated, over neighbours: the way back."""
  time, space = factors
  x = x.repeat(channels * time * space**2 // x.shape[-1], -1)
  b, t, h, w, _ = x.shape
  x = x.reshape(b, t, h, w, channels, time, space, space)
  x = x.transpose(0, 1, 5, 2, 6, 3, 7, 4)
  x = x.reshape(b, t * time, h * space, w * space, channels)
  return x[:, time - 1 :] if first else x


def _patched(x: jax.Array, size: int) -> jax.Array:
  """Puts patches of pixels into channels: color, then column, then row."""
  b, t, h, w, c = x.shape
  x = x.reshape(b, t, h // size, size, w // size, size, c)
  return x.transpose(0, 1, 2, 4, 6, 5, 3).reshape(
    b, t, h // size, w // size, c * size**2
  )


def _unpatched(x: jax.Array, size: int) -> jax.Array:
  b, t, h, w, c = x.shape
  x = x.reshape(b, t, h, w, c // size**2, size, size)
  return x.transpose(0, 1, 2, 6, 3, 5, 4).reshape(
    b, t, h * size, w * size, c // size**2
  )
