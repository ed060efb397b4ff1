"""From motion maps to a distribution over the world time between frames.

The inputs are how each part of the picture moves, never the picture
itself: with few training scenes, a network of pixels memorises places
instead of learning dynamics. It is factorised into patches (which share one
temporal network) and the whole picture (a second temporal network), all
matrix products, since 3-D convolutions are slow to train on CPUs and this
form suits TPUs.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from speedflow.models import motion_statistics

# Motion maps are heavy-tailed: all channels enter as log(1 + scale x).
_FLOW_SCALE = 4.0

# Of maps as `encode_maps` gives them.
_CHANNELS = 10


@dataclasses.dataclass(frozen=True)
class MotionNetConfig:
  """Sizes of a `MotionNet`.

  Attributes:
    width: features of a patch; the whole picture has twice as many.
    patch: side of a patch, in cells of the motion maps.
    dilations: of the temporal blocks, one block each, for patches as well as
      for the whole picture.
    hidden: features between pooling and bins.
    statistics: whether `motion_statistics` join the pooled features.
    bins: number of bins of log2 step.
    low: log2 step at the first bin's centre.
    high: log2 step at the last bin's centre.
    dropout: rate, in training.
    dtype: what the network computes in; parameters are float32.
    remat: recompute the blocks in the backward pass, to save memory.
  """

  width: int = 64
  patch: int = 4
  dilations: tuple[int, ...] = (1, 2, 4)
  hidden: int = 128
  statistics: bool = True
  bins: int = 41
  low: float = -6.0
  high: float = 4.0
  dropout: float = 0.2
  dtype: DTypeLike = jnp.float32
  remat: bool = False

  @property
  def centres(self) -> jax.Array:
    """float32 [bins]: the log2 step at the centre of each bin."""
    return jnp.linspace(self.low, self.high, self.bins)


def encode_maps(maps: jax.Array, mask: jax.Array) -> jax.Array:
  """Makes motion maps fit for a network.

  Args:
    maps: float [b, t, h, w, 8], channels as `speedflow.data.motion.CHANNELS`.
    mask: float [b, t], 1 where there is a map.

  Returns:
    float32 [b, t, h, w, 10]: compressed channels, then flow relative to the
    typical flow of its clip, which does not change with the zoom.
  """
  maps = maps.astype(jnp.float32)
  present = mask[:, :, None, None]
  count = mask.sum(1) * maps.shape[2] * maps.shape[3]
  power = (maps[..., 2] ** 2 * present).sum((1, 2, 3)) / count
  typical = jnp.sqrt(power + 1e-3)[:, None, None, None, None]
  flow = maps[..., :2]
  signed = jnp.sign(flow) * jnp.log1p(_FLOW_SCALE * jnp.abs(flow)) / 2
  sizes = jnp.log1p(_FLOW_SCALE * maps[..., 2:4]) / 2
  intensities = jnp.log1p(maps[..., 4:]) / 3
  relative = jnp.clip(flow / typical / 2, -4.0, 4.0)
  encoded = jnp.concatenate([signed, sizes, intensities, relative], -1)
  return encoded * present[..., None]


def to_patches(maps: jax.Array, side: int) -> jax.Array:
  """[b, t, h, w, c] -> [b, t, h/side * w/side, side * side * c]."""
  b, t, h, w, c = maps.shape
  maps = maps.reshape(b, t, h // side, side, w // side, side, c)
  maps = maps.transpose(0, 1, 2, 4, 3, 5, 6)
  return maps.reshape(b, t, (h // side) * (w // side), side * side * c)


class TemporalMix(nnx.Module):
  """One place at three times -> its features: [b, t, n, width] to the same.

  A convolution over time that reaches `dilation` frames to both sides, with
  zeros beyond the ends.
  """

  def __init__(
    self, width: int, dilation: int, dtype: DTypeLike, rngs: nnx.Rngs
  ):
    self.dilation = dilation
    self.dtype = dtype
    # Past, present and future, one below the other.
    initial = nnx.initializers.lecun_normal()
    self.kernel = nnx.Param(initial(rngs.params(), (3 * width, width)))
    self.bias = nnx.Param(jnp.zeros(width))

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps float [b, t, n, width] to the same."""
    width = x.shape[-1]
    # Faster on CPUs than a matrix product with shifted copies.
    mixed = jax.lax.conv_general_dilated(
      x,
      self.kernel[...].astype(self.dtype).reshape(3, 1, width, width),
      window_strides=(1, 1),
      padding=((self.dilation, self.dilation), (0, 0)),
      rhs_dilation=(self.dilation, 1),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return mixed + self.bias[...].astype(self.dtype)


class TemporalBlock(nnx.Module):
  """A residual block that mixes each place with its past and future."""

  def __init__(
    self, width: int, dilation: int, dtype: DTypeLike, rngs: nnx.Rngs
  ):
    self.norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
    self.mix = TemporalMix(width, dilation, dtype, rngs)
    self.out = nnx.Linear(
      width,
      width,
      dtype=dtype,
      kernel_init=nnx.initializers.zeros,
      rngs=rngs,
    )

  def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Maps [b, t, n, width] to the same; mask float [b, t]."""
    y = self.norm(x) * mask[:, :, None, None].astype(x.dtype)
    return x + self.out(nnx.relu(self.mix(y)))


class MotionNet(nnx.Module):
  """Motion maps -> logits over log2 step."""

  def __init__(self, config: MotionNetConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    width, dtype = config.width, config.dtype
    self.embed = nnx.Linear(
      config.patch**2 * _CHANNELS, width, dtype=dtype, rngs=rngs
    )
    self.embed_norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
    self.patch_blocks = nnx.List(
      [TemporalBlock(width, d, dtype, rngs) for d in config.dilations]
    )
    self.gather = nnx.Linear(3 * width, 2 * width, dtype=dtype, rngs=rngs)
    self.picture_blocks = nnx.List(
      [TemporalBlock(2 * width, d, dtype, rngs) for d in config.dilations]
    )
    self.pool_norm = nnx.LayerNorm(6 * width, dtype=dtype, rngs=rngs)
    pooled = 6 * width
    if config.statistics:
      self.statistics = nnx.Linear(
        motion_statistics.COUNT, config.hidden, rngs=rngs
      )
      pooled += config.hidden
    self.dropout = nnx.Dropout(config.dropout)
    self.hidden = nnx.Linear(pooled, config.hidden, dtype=dtype, rngs=rngs)
    self.logits = nnx.Linear(
      config.hidden,
      config.bins,
      kernel_init=nnx.initializers.zeros,
      rngs=rngs,
    )

  def __call__(
    self,
    maps: jax.Array,
    length: jax.Array,
    rng: jax.Array | None = None,
  ) -> jax.Array:
    """Estimates the step between the frames of clips.

    Args:
      maps: float [b, t, h, w, 8], motion between consecutive frames; padded
        to t.
      length: int [b], how many of the t are there.
      rng: key for dropout; None: evaluation, no dropout.

    Returns:
      float32 [b, bins]: logits over `config.centres`.
    """
    x, known = self.features(maps, length)
    return self.head(x, known, rng)

  def features(
    self, maps: jax.Array, length: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """What the head is told of clips.

    Args:
      maps: as for `__call__`.
      length: as for `__call__`.

    Returns:
      float32 [b, 6 width], pooled over places and time, normalised; float32
      [b, `motion_statistics.COUNT`], or [b, 0] without statistics.
    """
    frames = jnp.arange(maps.shape[1])
    mask = (frames[None] < length[:, None]).astype(jnp.float32)
    x = to_patches(encode_maps(maps, mask), self.config.patch)
    x = self.embed_norm(self.embed(x.astype(self.config.dtype)))
    for block in self.patch_blocks:
      x = self._run(block, x, mask)
    x = x * mask[:, :, None, None].astype(x.dtype)
    # Layout and number of moving things should not matter: [b, t, n, width]
    # -> [b, t, 1, 2 width] by statistics over the patches.
    spread = jnp.sqrt(x.var(2) + 1e-4)
    x = self.gather(jnp.concatenate([x.mean(2), x.max(2), spread], -1))
    x = x[:, :, None]
    for block in self.picture_blocks:
      x = self._run(block, x, mask)
    x = self.pool_norm(_pool(x[:, :, 0].astype(jnp.float32), mask))
    if not self.config.statistics:
      return x, jnp.zeros((len(x), 0))
    return x, motion_statistics.motion_statistics(maps, mask)

  def head(
    self, x: jax.Array, known: jax.Array, rng: jax.Array | None = None
  ) -> jax.Array:
    """From what `features` returns to logits, float32 [b, bins]."""
    if self.config.statistics:
      x = jnp.concatenate([x, nnx.relu(self.statistics(known))], -1)
    keys = (None, None) if rng is None else jax.random.split(rng)
    x = self._drop(x, keys[0])
    x = self._drop(nnx.relu(self.hidden(x)), keys[1])
    return self.logits(x.astype(jnp.float32))

  def _run(
    self, block: TemporalBlock, x: jax.Array, mask: jax.Array
  ) -> jax.Array:
    if self.config.remat:
      return nnx.remat(TemporalBlock.__call__)(block, x, mask)
    return block(x, mask)

  def _drop(self, x: jax.Array, rng: jax.Array | None) -> jax.Array:
    return self.dropout(x, deterministic=rng is None, rngs=rng)


def _pool(x: jax.Array, mask: jax.Array) -> jax.Array:
  """[b, t, c] -> [b, 3 c]: mean, spread and peak over the frames there are."""
  present = mask[:, :, None]
  count = present.sum(1)
  mean = (x * present).sum(1) / count
  spread = jnp.sqrt(
    (((x - mean[:, None]) ** 2) * present).sum(1) / count + 1e-4
  )
  peak = jnp.where(present > 0, x, -jnp.inf).max(1)
  return jnp.concatenate([mean, spread, peak], -1)


def expectation(logits: jax.Array, centres: jax.Array) -> jax.Array:
  """float32 [...]: mean log2 step of the distributions [..., bins]."""
  return (jax.nn.softmax(logits) * centres).sum(-1)
