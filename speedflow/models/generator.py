"""A diffusion transformer that makes clips at a wanted speed.

DiT blocks with adaLN-Zero (arXiv 2212.09748), factorised: each frame's patches
attend to one another, then each patch attends to itself over time. The first
frame is given as extra channels of every frame and as a clean frame of the
sequence. The speed is given as a number: the clip's mean log2 step joins the
time embedding, and each frame has its own step and the world time since the
first frame, so that speeds may change within a clip.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from speedflow.models import generator_flow
from speedflow.models.attention import (
  Implementation,
  attention,
  grid_angles,
  rotary_angles,
  rotate,
)

CHANNELS = 3

# Frequencies of Fourier features, cycles per octave: from a slow trend to one
# that tells a tenth of an octave apart.
_SLOWEST, _FASTEST, _FREQUENCIES = 1 / 16, 1.0, 8
# Frames over which the slowest rotary pair turns by one radian.
_LONGEST = 64.0


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
  """Sizes of a `Generator`.

  Attributes:
    patch: side of a patch, pixels.
    width: features of a patch.
    depth: number of blocks.
    heads: of attention; width / heads must be a multiple of 4.
    mlp: hidden features of a block's MLP, as a multiple of the width.
    speed: how the speed is told: "fourier" (a continuous number), "buckets"
      (the nearest of some log-spaced speeds, as in the paper), or "none".
    frame_speed: whether each frame is told its own step and world time, too.
    buckets: number of log-spaced speeds.
    low: log2 step of the first bucket.
    high: log2 step of the last bucket.
    residual: standard deviation of what frames differ by from the first one,
      in units of that of frames; see `encode`.
    attention: see `speedflow.models.attention.attention`.
    dtype: what the network computes in; parameters are float32.
    remat: recompute the blocks in the backward pass, to save memory.
  """

  patch: int = 4
  width: int = 96
  depth: int = 6
  heads: int = 4
  mlp: int = 4
  speed: str = "fourier"
  frame_speed: bool = True
  buckets: int = 8
  low: float = -4.0
  high: float = 3.0
  residual: float = 0.5
  attention: Implementation = ""
  dtype: DTypeLike = jnp.float32
  remat: bool = False

  def __post_init__(self):
    if self.width % (4 * self.heads):
      raise ValueError(
        f"width {self.width} is no multiple of 4 x {self.heads} heads"
      )
    if self.speed not in ("fourier", "buckets", "none"):
      raise ValueError(
        f"speed is {self.speed!r}; wanted 'fourier', 'buckets' or 'none'"
      )


def encode(frames: jax.Array) -> jax.Array:
  """uint8 pixels [...] -> float32 of about unit variance, -2..2."""
  return (frames.astype(jnp.float32) / 255 - 0.5) * 4


def decode(values: jax.Array) -> jax.Array:
  """The inverse of `encode`, uint8."""
  return jnp.clip((values / 4 + 0.5) * 255 + 0.5, 0, 255).astype(jnp.uint8)


def to_patches(frames: jax.Array, side: int) -> jax.Array:
  """[..., h, w, c] -> [..., h/side * w/side, side * side * c]."""
  *lead, h, w, c = frames.shape
  x = frames.reshape(*lead, h // side, side, w // side, side, c)
  x = x.swapaxes(-4, -3)
  return x.reshape(*lead, (h // side) * (w // side), side * side * c)


def from_patches(patches: jax.Array, side: int, height: int) -> jax.Array:
  """The inverse of `to_patches`; `height` in pixels."""
  *lead, n, features = patches.shape
  rows = height // side
  x = patches.reshape(
    *lead, rows, n // rows, side, side, features // side**2
  ).swapaxes(-4, -3)
  return x.reshape(*lead, height, (n // rows) * side, -1)


def fourier(octaves: jax.Array) -> jax.Array:
  """Fourier features of a number in octaves, float32 [...] -> [..., 17]."""
  rates = jnp.geomspace(_SLOWEST, _FASTEST, _FREQUENCIES)
  angles = 2 * jnp.pi * octaves[..., None] * rates
  return jnp.concatenate(
    [jnp.sin(angles), jnp.cos(angles), octaves[..., None] / 4], -1
  )


def world_time(log2_step: jax.Array) -> jax.Array:
  """Seconds x 30 of the world since the first frame, float32 [b, t]."""
  steps = jnp.exp2(log2_step.astype(jnp.float32))
  return jnp.cumsum(steps, -1) - steps


def _modulate(x: jax.Array, shift: jax.Array, scale: jax.Array) -> jax.Array:
  """Scales and shifts [b, t, n, w] by [b, t, w]."""
  return x * (1 + scale[:, :, None]) + shift[:, :, None]


class _Embedding(nnx.Module):
  """A small MLP from features to the width of the network."""

  def __init__(
    self, features: int, width: int, dtype: DTypeLike, rngs: nnx.Rngs
  ):
    self.hidden = nnx.Linear(features, width, dtype=dtype, rngs=rngs)
    self.out = nnx.Linear(width, width, dtype=dtype, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    return self.out(nnx.silu(self.hidden(x)))


class _Attention(nnx.Module):
  """Self-attention of a set of tokens with rotary positions."""

  def __init__(self, config: GeneratorConfig, rngs: nnx.Rngs):
    self.heads = config.heads
    self.implementation = config.attention
    self.inside = nnx.Linear(
      config.width, 3 * config.width, dtype=config.dtype, rngs=rngs
    )
    self.out = nnx.Linear(
      config.width, config.width, dtype=config.dtype, rngs=rngs
    )

  def __call__(self, x: jax.Array, angles: jax.Array) -> jax.Array:
    """Maps [b, g, n, width] to the same; angles [n, features / 2]."""
    *lead, width = x.shape
    x = self.inside(x).reshape(*lead, 3, self.heads, width // self.heads)
    query, key, value = (x[..., i, :, :] for i in range(3))
    mixed = attention(
      rotate(query, angles), rotate(key, angles), value, self.implementation
    )
    return self.out(mixed.reshape(*lead, width))


class GeneratorBlock(nnx.Module):
  """Attention in space, attention in time, MLP; each gated by a condition."""

  def __init__(self, config: GeneratorConfig, rngs: nnx.Rngs):
    width, dtype = config.width, config.dtype
    self.norms = nnx.List(
      [
        nnx.LayerNorm(
          width, use_bias=False, use_scale=False, dtype=dtype, rngs=rngs
        )
        for _ in range(3)
      ]
    )
    # Zeros, so that the block begins as the identity (adaLN-Zero).
    self.modulation = nnx.Linear(
      width,
      9 * width,
      kernel_init=nnx.initializers.zeros,
      dtype=dtype,
      rngs=rngs,
    )
    self.space = _Attention(config, rngs)
    self.time = _Attention(config, rngs)
    hidden = config.mlp * width
    self.expand = nnx.Linear(width, hidden, dtype=dtype, rngs=rngs)
    self.contract = nnx.Linear(hidden, width, dtype=dtype, rngs=rngs)

  def __call__(
    self,
    x: jax.Array,
    condition: jax.Array,
    space_angles: jax.Array,
    time_angles: jax.Array,
  ) -> jax.Array:
    """Maps [b, t, n, width] to the same; condition [b, t, width]."""
    parts = jnp.split(self.modulation(nnx.silu(condition)), 9, -1)
    layers = (
      lambda y: self.space(y, space_angles),
      lambda y: self.time(y.swapaxes(1, 2), time_angles).swapaxes(1, 2),
      lambda y: self.contract(nnx.gelu(self.expand(y))),
    )
    for index, (norm, layer) in enumerate(zip(self.norms, layers, strict=True)):
      shift, scale, gate = parts[3 * index : 3 * index + 3]
      x = x + gate[:, :, None] * layer(_modulate(norm(x), shift, scale))
    return x


class Generator(nnx.Module):
  """Noisy clips, a first frame and speeds -> velocity of the flow."""

  def __init__(self, config: GeneratorConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    width, dtype = config.width, config.dtype
    pixels = config.patch**2 * CHANNELS
    self.embed = nnx.Linear(2 * pixels, width, dtype=dtype, rngs=rngs)
    self.embed_time = _Embedding(2 * _FREQUENCIES + 1, width, dtype, rngs)
    # Which conditions there are, and which frame is the clean one.
    self.embed_presence = nnx.Linear(3, width, dtype=dtype, rngs=rngs)
    features = 2 * _FREQUENCIES + 1
    if config.speed == "fourier":
      self.embed_speed = _Embedding(features, width, dtype, rngs)
    elif config.speed == "buckets":
      self.embed_speed = _Embedding(config.buckets, width, dtype, rngs)
    if config.speed != "none" and config.frame_speed:
      self.embed_frame = _Embedding(2 * features, width, dtype, rngs)
    self.blocks = nnx.List(
      [GeneratorBlock(config, rngs) for _ in range(config.depth)]
    )
    self.norm = nnx.LayerNorm(
      width, use_bias=False, use_scale=False, dtype=dtype, rngs=rngs
    )
    zeros = nnx.initializers.zeros
    self.modulation = nnx.Linear(
      width, 2 * width, kernel_init=zeros, dtype=dtype, rngs=rngs
    )
    self.out = nnx.Linear(width, pixels, kernel_init=zeros, rngs=rngs)

  def __call__(
    self,
    noisy: jax.Array,
    time: jax.Array,
    image: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
  ) -> jax.Array:
    """Predicts the velocity of the flow.

    Args:
      noisy: float [b, t, h, w, 3], points of the flow between noise and
        clips as `encode` gives them. Where there is an image, the first
        frame is taken from it instead.
      time: float [b, t], of the flow, 0 (noise) .. 1 (clip).
      image: float [b, h, w, 3], the clip's first frame, encoded.
      has_image: bool [b], whether it may be used.
      log2_step: float [b, t], log2 of 30 x seconds of the world from each
        frame to the next.
      has_speed: bool [b], whether it may be used.

    Returns:
      float32 [b, t, h, w, 3]. That of the first frame means nothing where
      there is an image.
    """
    config = self.config
    frames, height, width = noisy.shape[1:4]
    given = has_image[:, None] & (jnp.arange(frames) == 0)  # [b, t]
    time = jnp.where(given, 1.0, time)

    # What remains is seen, at unit variance, after the first frame has been
    # taken off: a still picture costs the network nothing.
    image = jnp.where(has_image[:, None, None, None], image, 0.0)[:, None]
    wide = time[:, :, None, None, None]
    rest = jnp.where(given[:, :, None, None, None], 0.0, noisy - wide * image)
    deviation = jnp.where(has_image, config.residual, 1.0)
    scales = generator_flow.scales(wide, deviation[:, None, None, None, None])
    seen = jnp.concatenate(
      [scales.inside * rest, jnp.broadcast_to(image, noisy.shape)], -1
    )
    seen = to_patches(seen, config.patch).astype(config.dtype)
    x = self.embed(seen)  # [b, t, n, width]

    condition = self._condition(time, given, has_image, log2_step, has_speed)
    features = config.width // config.heads
    space_angles = grid_angles(
      height // config.patch, width // config.patch, features
    )
    time_angles = rotary_angles(jnp.arange(frames), features, _LONGEST)
    for block in self.blocks:
      run = GeneratorBlock.__call__
      if config.remat:
        run = nnx.remat(run)
      x = run(block, x, condition, space_angles, time_angles)

    shift, scale = jnp.split(self.modulation(nnx.silu(condition)), 2, -1)
    x = self.out(_modulate(self.norm(x), shift, scale).astype(jnp.float32))
    return (
      image
      + scales.skip * rest
      + scales.out * from_patches(x, config.patch, height)
    )

  def _condition(
    self,
    time: jax.Array,
    given: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
  ) -> jax.Array:
    """What the blocks are told of each frame, [b, t, width]."""
    config = self.config
    flags = [has_image[:, None], has_speed[:, None], given]
    presence = jnp.stack(jnp.broadcast_arrays(*flags), -1)
    condition = self.embed_time(fourier(4 * time).astype(config.dtype))
    condition += self.embed_presence(presence.astype(config.dtype))
    if config.speed == "none":
      return condition
    told = has_speed[:, None, None]
    step = log2_step.mean(1, keepdims=True)
    if config.speed == "buckets":
      place = (step - config.low) / (config.high - config.low)
      index = jnp.round(jnp.clip(place, 0, 1) * (config.buckets - 1))
      known = jax.nn.one_hot(index.astype(jnp.int32), config.buckets)
    else:
      known = fourier(step)
    speed = self.embed_speed(known.astype(config.dtype))
    condition += jnp.where(told, speed, 0.0)
    if config.frame_speed:
      elapsed = jnp.log2(1 + 8 * world_time(log2_step))
      known = jnp.concatenate([fourier(log2_step), fourier(elapsed)], -1)
      frame = self.embed_frame(known.astype(config.dtype))
      condition += jnp.where(told, frame, 0.0)
    return condition
