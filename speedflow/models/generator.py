"""A diffusion transformer that sets a picture in motion at a wanted speed.

It generates not pixels but trajectories: the displacement of each part of the
first frame at each moment, as in latent flow diffusion (Ni et al., CVPR 2023)
and generative image dynamics (Li et al., CVPR 2024). Their unit grows with the
world time since the first frame, so that a motion is the same numbers at every
speed.

The first frame is encoded by convolutions, once for a clip, and added to the
tokens that the flow works on: DiT blocks with adaLN-Zero (arXiv
2212.09748), factorised: the patches of one moment attend to one another, then
each patch attends to itself over time. A token holds a few neighbouring points
at a few moments, for trajectories are smooth. The speed is given as
a number: the clip's mean log2 step joins the time embedding, and each moment
has its own step and the world time since the first frame, so that speeds may
change within a clip.

In a causal network no chunk attends to later ones, and each has its own time of
the flow (diffusion forcing, Chen et al., arXiv 2407.01392). So clips have no
end: generated chunks are kept as keys and values (`Memory`), and the next one
is generated from noise beside them, at the speed that is asked for then.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

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
from speedflow.timewarp import labels

# Frequencies of Fourier features, cycles per octave: from a slow trend to one
# that resolves a tenth of an octave.
_SLOWEST, _FASTEST, _FREQUENCIES = 1 / 16, 1.0, 8
_FEATURES = 2 * _FREQUENCIES + 1
# Features of a token's place.
_PLACE = 10
# Chunks over which the slowest rotary pair turns by one radian.
_LONGEST = 64.0
# Error of tracked trajectories, as seconds of typical motion. Without it, the
# first moments of slow clips would be nothing but errors.
_BLUR_S = 0.02
# Displacements beyond this are as good as out of the picture.
_FURTHEST = 6.0


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
  """Sizes of a `Generator`.

  Attributes:
    image: height and width of the conditioning picture, pixels.
    grid: points along each side of it.
    channels: numbers at each point and moment; 2 for trajectories.
    patch: points along each side of a token.
    chunk: moments that one token holds.
    width: features of a token.
    sight: convolutions over the tokens' places that encode the picture.
    depth: number of blocks.
    heads: of attention; width / heads must be a multiple of 4.
    mlp: hidden features of a block's MLP, as a multiple of the width.
    speed: how the network is conditioned on speed: "fourier" (a continuous
      number), "buckets" (the nearest of some log-spaced speeds, as in the
      paper), or "none".
    frame_speed: whether it is conditioned on each moment's own step, too.
    causal: whether chunks attend to earlier ones alone; then it can only be
      conditioned on each moment's own step.
    buckets: number of log-spaced speeds.
    low: log2 step of the first bucket.
    high: log2 step of the last bucket.
    velocity: unit of trajectories, sides of the picture per second of world
      time.
    deviation: standard deviation of trajectories in that unit.
    attention: see `speedflow.models.attention.attention`.
    dtype: what the network computes in; parameters are float32.
    remat: recompute the blocks in the backward pass, to save memory.
  """

  image: int = 64
  grid: int = 16
  channels: int = 2
  patch: int = 2
  chunk: int = 4
  width: int = 96
  sight: int = 3
  depth: int = 6
  heads: int = 4
  mlp: int = 4
  speed: str = "fourier"
  frame_speed: bool = True
  causal: bool = False
  buckets: int = 8
  low: float = -4.0
  high: float = 3.0
  velocity: float = 0.5
  deviation: float = 0.3
  attention: Implementation = ""
  dtype: DTypeLike = jnp.float32
  remat: bool = False

  def __post_init__(self):
    if self.width % (4 * self.heads):
      raise ValueError(
        f"width {self.width} is no multiple of 4 x {self.heads} heads"
      )
    across, rest = divmod(self.grid, self.patch)
    halvings = self.halvings
    if rest or halvings < 2 or self.image != across * 2**halvings:
      raise ValueError(
        f"{self.grid} points in patches of {self.patch} do not fit a picture "
        f"of {self.image} pixels that is halved twice or more often"
      )
    if self.speed not in ("fourier", "buckets", "none"):
      raise ValueError(
        f"speed is {self.speed!r}; wanted 'fourier', 'buckets' or 'none'"
      )
    mean = self.speed == "buckets" or not self.frame_speed
    if self.causal and self.speed != "none" and mean:
      raise ValueError(
        "a causal network cannot know the mean speed of a clip that goes on; "
        "wanted speed 'fourier' with frame_speed, or 'none'"
      )

  @property
  def halvings(self) -> int:
    """How often the picture is halved to give one place for each token."""
    return (self.image * self.patch // self.grid).bit_length() - 1


def encode(
  config: GeneratorConfig,
  trajectories: jax.Array,
  log2_step: jax.Array,
  since_s: jax.Array | float = 0.0,
) -> jax.Array:
  """Trajectories [b, t, g, g, c], sides of the picture -> the network's units.

  Args:
    config: of the network.
    trajectories: displacement since the first frame.
    log2_step: float [b, t], see `Generator.flow`.
    since_s: seconds of the world before the first of these steps, float [b],
      as the network was given them.
  """
  encoded = trajectories / _unit(config, log2_step, since_s)
  return jnp.clip(encoded, -_FURTHEST, _FURTHEST)


def decode(
  config: GeneratorConfig,
  encoded: jax.Array,
  log2_step: jax.Array,
  since_s: jax.Array | float = 0.0,
) -> jax.Array:
  """The inverse of `encode`."""
  return encoded * _unit(config, log2_step, since_s)


def _unit(
  config: GeneratorConfig, log2_step: jax.Array, since_s: jax.Array | float
) -> jax.Array:
  """How far things typically go, sides of the picture [b, t, 1, 1, 1]."""
  seconds = world_time(told_step(config, log2_step), since_s)
  return (config.velocity * (seconds + _BLUR_S))[..., None, None, None]


def told_step(config: GeneratorConfig, log2_step: jax.Array) -> jax.Array:
  """What a network of this kind ever learns of the speed.

  Nothing else of it may reach the network or its units: a baseline without
  conditioning gets 0 at every speed.

  Args:
    config: of the network.
    log2_step: float [b, t].

  Returns:
    float32 [b, t].
  """
  step = log2_step.astype(jnp.float32)
  if config.speed == "none":
    return jnp.zeros_like(step)
  mean = jnp.broadcast_to(step.mean(-1, keepdims=True), step.shape)
  if config.speed == "buckets":
    gap = (config.high - config.low) / (config.buckets - 1)
    index = jnp.round((mean - config.low) / gap)
    return config.low + gap * jnp.clip(index, 0, config.buckets - 1)
  return step if config.frame_speed else mean


def to_patches(cells: jax.Array, side: int) -> jax.Array:
  """[..., h, w, c] -> [..., h/side * w/side, side * side * c]."""
  *lead, h, w, c = cells.shape
  x = cells.reshape(*lead, h // side, side, w // side, side, c)
  x = x.swapaxes(-4, -3)
  return x.reshape(*lead, (h // side) * (w // side), side * side * c)


def from_patches(patches: jax.Array, side: int, height: int) -> jax.Array:
  """The inverse of `to_patches`; `height` in cells."""
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


def _places(across: int) -> jax.Array:
  """Features of each token's place in the picture, float32 [a, a, 10]."""
  axis = (jnp.arange(across) + 0.5) / across * 2 - 1
  y, x = jnp.meshgrid(axis, axis, indexing="ij")
  features = [x, y]
  for rate in (0.5, 1.0):
    for wave in (jnp.sin, jnp.cos):
      features += [wave(jnp.pi * rate * x), wave(jnp.pi * rate * y)]
  return jnp.stack(features, -1)


def world_time(
  log2_step: jax.Array, since_s: jax.Array | float = 0.0
) -> jax.Array:
  """Seconds of the world from the first frame to each moment, [b, t].

  Args:
    log2_step: float [b, t].
    since_s: seconds before the first of these steps, float [b].
  """
  seconds = jnp.cumsum(jnp.exp2(log2_step), -1) / labels.REFERENCE_FPS
  return jnp.asarray(since_s)[..., None] + seconds


def of_moments(config: GeneratorConfig, time: jax.Array) -> jax.Array:
  """Times of clips [b] as they are; of chunks [b, c], as [b, t]."""
  return time if time.ndim == 1 else jnp.repeat(time, config.chunk, 1)


class Memory(NamedTuple):
  """What a causal network keeps of the chunks before.

  Attributes:
    keys: of each block's attention in time, float [b, n, w, heads, features]
      for the last w chunks; zeros where there were fewer.
    values: the same.
    chunks: how many there were, int32.
    seconds: world time since the first frame, float32
      [b].
  """

  keys: tuple[jax.Array, ...]
  values: tuple[jax.Array, ...]
  chunks: jax.Array
  seconds: jax.Array


def _modulate(x: jax.Array, shift: jax.Array, scale: jax.Array) -> jax.Array:
  """Scales and shifts [b, c, n, w] by [b, c, w]."""
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


class _Look(nnx.Module):
  """Convolutions from a picture to what is at each token's place.

  First what is there is seen, then what is around, and on which side of the
  picture: what moves is recognised by its outlines, and where it is going
  by what they have before them. Convolutions learn that from a few thousand
  clips. The result has unit variance, as the embedded noise has; otherwise it
  would be drowned, and nothing be learnt from it.
  """

  def __init__(self, config: GeneratorConfig, rngs: nnx.Rngs):
    width, dtype = config.width, config.dtype
    # A quarter of the size at once: finer convolutions cost most, and see no
    # better.
    self.shrink = (4,) + (2,) * (config.halvings - 2)
    given = 3
    halve: list[nnx.Linear] = []
    refine: list[nnx.Conv] = []
    for level, side in enumerate(self.shrink):
      features = min(64 * 2**level, width)
      halve.append(
        nnx.Linear(given * side**2, features, dtype=dtype, rngs=rngs)
      )
      refine.append(
        nnx.Conv(features, features, (3, 3), dtype=dtype, rngs=rngs)
      )
      given = features
    self.halve, self.refine = nnx.List(halve), nnx.List(refine)
    self.gather = nnx.Linear(given, width, dtype=dtype, rngs=rngs)
    self.place = nnx.Linear(_PLACE, width, dtype=dtype, rngs=rngs)
    self.around = nnx.List(
      [
        nnx.Conv(width, width, (5, 5), dtype=dtype, rngs=rngs)
        for _ in range(config.sight)
      ]
    )
    self.norm = nnx.LayerNorm(width, dtype=dtype, rngs=rngs)
    self.dtype = dtype

  def __call__(self, image: jax.Array) -> jax.Array:
    """Maps uint8 [b, s, s, 3] to [b, n, width]."""
    x = (image.astype(jnp.float32) / 127.5 - 1).astype(self.dtype)
    across = x.shape[1]
    for side, halve, refine in zip(
      self.shrink, self.halve, self.refine, strict=True
    ):
      across //= side
      x = to_patches(x, side).reshape(len(x), across, across, -1)
      x = nnx.silu(halve(x))
      x = x + nnx.silu(refine(x))
    x = self.gather(x) + self.place(_places(across).astype(self.dtype))
    for layer in self.around:
      x = x + nnx.silu(layer(x))
    return self.norm(x).reshape(len(x), across**2, -1)


# Keys and values.
Past = tuple[jax.Array, jax.Array]


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

  def __call__(
    self,
    x: jax.Array,
    angles: jax.Array,
    past: Past | None = None,
    mask: jax.Array | None = None,
  ) -> tuple[jax.Array, Past]:
    """Attends to the tokens, and to some that are past.

    Args:
      x: float [b, g, n, width].
      angles: float [n, features / 2].
      past: keys and values of earlier tokens, [b, g, m, heads, features].
      mask: bool [n, m + n], see `attention`.

    Returns:
      The same shape as x; all keys and values [b, g, m + n, heads, features].
    """
    *lead, width = x.shape
    x = self.inside(x).reshape(*lead, 3, self.heads, width // self.heads)
    query, key, value = (x[..., i, :, :] for i in range(3))
    query, key = rotate(query, angles), rotate(key, angles)
    if past is not None:
      key = jnp.concatenate([past[0], key], 2)
      value = jnp.concatenate([past[1], value], 2)
    mixed = attention(query, key, value, self.implementation, mask)
    return self.out(mixed.reshape(*lead, width)), (key, value)


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
    past: Past | None = None,
    mask: jax.Array | None = None,
  ) -> tuple[jax.Array, Past]:
    """Works on some chunks.

    Args:
      x: float [b, c, n, width].
      condition: float [b, c, width].
      space_angles: float [n, features / 2].
      time_angles: float [c, features / 2].
      past: of the attention in time, of m chunks before.
      mask: bool [c, m + c], which chunks each of these attends to.

    Returns:
      The same shape as x; keys and values of all m + c chunks.
    """
    parts = jnp.split(self.modulation(nnx.silu(condition)), 9, -1)

    def prepare(layer: int, x: jax.Array) -> jax.Array:
      return _modulate(self.norms[layer](x), *parts[3 * layer : 3 * layer + 2])

    def add(layer: int, x: jax.Array, change: jax.Array) -> jax.Array:
      return x + parts[3 * layer + 2][:, :, None] * change

    mixed, _ = self.space(prepare(0, x), space_angles)
    x = add(0, x, mixed)
    mixed, past = self.time(
      prepare(1, x).swapaxes(1, 2), time_angles, past, mask
    )
    x = add(1, x, mixed.swapaxes(1, 2))
    hidden = nnx.gelu(self.expand(prepare(2, x)))
    return add(2, x, self.contract(hidden)), past


class Generator(nnx.Module):
  """Noisy trajectories, a first frame and speeds -> velocity of the flow."""

  def __init__(self, config: GeneratorConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    width, dtype = config.width, config.dtype
    numbers = config.chunk * config.patch**2 * config.channels
    self.embed = nnx.Linear(numbers, width, dtype=dtype, rngs=rngs)
    self.look = _Look(config, rngs)
    # Rotary positions are relative; which way is out is not.
    self.embed_place = nnx.Linear(_PLACE, width, dtype=dtype, rngs=rngs)
    self.embed_time = _Embedding(_FEATURES, width, dtype, rngs)
    # Which conditions there are.
    self.embed_presence = nnx.Linear(2, width, dtype=dtype, rngs=rngs)
    if config.speed != "none":
      self.embed_speed = _Embedding(_FEATURES, width, dtype, rngs)
    if config.speed == "fourier" and config.frame_speed:
      features = 2 * config.chunk * _FEATURES
      self.embed_chunk = _Embedding(features, width, dtype, rngs)
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
    self.out = nnx.Linear(width, numbers, kernel_init=zeros, rngs=rngs)

  def __call__(
    self,
    noisy: jax.Array,
    time: jax.Array,
    image: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
  ) -> jax.Array:
    """Predicts the velocity of the flow from the first frame itself.

    Args:
      noisy: see `flow`.
      time: see `flow`.
      image: uint8 [b, s, s, 3], the first frame.
      has_image: see `flow`.
      log2_step: see `flow`.
      has_speed: see `flow`.

    Returns:
      float32 [b, t, g, g, channels].
    """
    velocity, _ = self.flow(
      noisy, time, self.look(image), has_image, log2_step, has_speed
    )
    return velocity

  def flow(
    self,
    noisy: jax.Array,
    time: jax.Array,
    picture: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
    memory: Memory | None = None,
    mask: jax.Array | None = None,
  ) -> tuple[jax.Array, Memory]:
    """Predicts the velocity of the flow.

    Args:
      noisy: float [b, t, g, g, channels], points of the flow between noise
        and trajectories as `encode` gives them; t is a multiple of `chunk`.
      time: of the flow, 0 (noise) .. 1 (data), float [b], or [b, t / chunk] if
        causal.
      picture: float [b, n, width], of `look`, the encoding of the first frame.
      has_image: bool [b], whether it may be used.
      log2_step: float [b, t], log2 of 30 x seconds of the world that lead
        from each moment's predecessor to it.
      has_speed: bool [b], whether it may be used.
      memory: of the chunks before these, where a causal network goes on.
      mask: bool [c, window + c], which chunks each of these attends to, of
        those in the memory and of these; all before it, if None and causal.

    Returns:
      float32 [b, t, g, g, channels]; the memory with these chunks in it, and
      as many of the earlier ones fewer.
    """
    config = self.config
    rows, moments = noisy.shape[:2]
    chunks = moments // config.chunk
    if memory is None:
      memory = self.remember_nothing(rows, 0)
    times = of_moments(config, time).reshape(rows, -1, 1, 1, 1)
    scales = generator_flow.scales(times, jnp.float32(config.deviation))
    # Neighbouring moments become channels.
    seen = (scales.inside * noisy).reshape(
      rows, chunks, config.chunk, *noisy.shape[2:]
    )
    seen = jnp.moveaxis(seen, 2, -2).reshape(
      rows, chunks, *noisy.shape[2:4], -1
    )
    x = self.embed(to_patches(seen, config.patch).astype(config.dtype))
    across = config.grid // config.patch
    places = _places(across).reshape(across**2, _PLACE)
    x += self.embed_place(places.astype(config.dtype))
    x += jnp.where(has_image[:, None, None], picture, 0.0)[:, None]

    condition = self._condition(
      time, has_image, log2_step, has_speed, memory.seconds
    )
    features = config.width // config.heads
    space_angles = grid_angles(across, across, features)
    places = memory.chunks + jnp.arange(chunks)
    time_angles = rotary_angles(places, features, _LONGEST)
    if mask is None and config.causal:
      mask = self._mask(memory, chunks)
    pasts = []
    for block, key, value in zip(
      self.blocks, memory.keys, memory.values, strict=True
    ):
      run = GeneratorBlock.__call__
      if config.remat:
        run = nnx.remat(run)
      x, new = run(
        block, x, condition, space_angles, time_angles, (key, value), mask
      )
      pasts.append([kept[:, :, chunks:] for kept in new])

    shift, scale = jnp.split(self.modulation(nnx.silu(condition)), 2, -1)
    x = self.out(_modulate(self.norm(x), shift, scale).astype(jnp.float32))
    x = from_patches(x, config.patch, config.grid)
    x = x.reshape(*x.shape[:-1], config.chunk, config.channels)
    x = jnp.moveaxis(x, -2, 2).reshape(noisy.shape)
    step = told_step(config, log2_step)
    now = Memory(
      keys=tuple(key for key, _ in pasts),
      values=tuple(value for _, value in pasts),
      chunks=memory.chunks + chunks,
      seconds=world_time(step, memory.seconds)[:, -1],
    )
    return scales.skip * noisy + scales.out * x, now

  def beside_the_truth(
    self,
    noisy: jax.Array,
    time: jax.Array,
    image: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
    trajectories: jax.Array,
  ) -> jax.Array:
    """What a causal network predicts of each chunk after a true history.

    Args:
      noisy: see `flow`, and so are the others of this name.
      time: float [b, t / chunk].
      image: uint8 [b, s, s, 3].
      has_image: bool [b].
      log2_step: float [b, t].
      has_speed: bool [b].
      trajectories: as `encode` gives them, [b, t, g, g, channels].

    Returns:
      float32 [b, t, g, g, channels], all chunks at once.
    """
    rows, chunks = time.shape
    given = self.look(image), has_image, log2_step, has_speed
    nothing = self.remember_nothing(rows, chunks)
    _, memory = self.flow(trajectories, jnp.ones(rows), *given, nothing)
    # Back to the first frame, with all that is to come in the memory: of it,
    # each chunk attends to what is past.
    memory = memory._replace(chunks=nothing.chunks, seconds=nothing.seconds)
    past, itself = (
      jnp.tri(chunks, k=-1, dtype=bool),
      jnp.eye(chunks, dtype=bool),
    )
    mask = jnp.concatenate([past, itself], 1)
    velocity, _ = self.flow(noisy, time, *given, memory, mask)
    return velocity

  def remember_nothing(self, rows: int, window: int) -> Memory:
    """The memory before the first chunk, with room for some chunks."""
    config = self.config
    shape = (
      rows,
      (config.grid // config.patch) ** 2,
      window,
      config.heads,
      config.width // config.heads,
    )
    empty = (jnp.zeros(shape, config.dtype),) * config.depth
    return Memory(empty, empty, jnp.int32(0), jnp.zeros(rows))

  def _mask(self, memory: Memory, chunks: int) -> jax.Array:
    """Which chunks each new one attends to, bool [c, window + c]."""
    window = memory.keys[0].shape[2] if memory.keys else 0
    known = jnp.arange(window) >= window - memory.chunks
    past = jnp.broadcast_to(known, (chunks, window))
    return jnp.concatenate([past, jnp.tri(chunks, dtype=bool)], 1)

  def _condition(
    self,
    time: jax.Array,
    has_image: jax.Array,
    log2_step: jax.Array,
    has_speed: jax.Array,
    since_s: jax.Array,
  ) -> jax.Array:
    """Conditioning of the blocks for each chunk, [b, c, width]."""
    config = self.config
    rows, moments = log2_step.shape
    chunks = moments // config.chunk
    presence = jnp.stack([has_image, has_speed], -1).astype(config.dtype)
    time = jnp.broadcast_to(time.reshape(rows, -1), (rows, chunks))
    condition = self.embed_time(fourier(4 * time).astype(config.dtype))
    condition += self.embed_presence(presence)[:, None]
    if config.speed == "none":
      return condition
    given = has_speed[:, None, None]
    step = told_step(config, log2_step)
    # A causal network has no conditioning on speeds that are to come.
    groups = step.reshape(rows, chunks if config.causal else 1, -1)
    mean = fourier(groups.mean(-1)).astype(config.dtype)
    condition += jnp.where(given, self.embed_speed(mean), 0.0)
    if config.speed == "fourier" and config.frame_speed:
      elapsed = jnp.log2(world_time(step, since_s) + _BLUR_S)
      known = jnp.concatenate([fourier(step), fourier(elapsed)], -1)
      known = known.reshape(rows, chunks, -1).astype(config.dtype)
      condition += jnp.where(given, self.embed_chunk(known), 0.0)
    return condition


def velocity_error(
  model: Generator,
  batch: Mapping[str, jax.Array],
  *,
  noise: jax.Array,
  time: jax.Array,
  has_image: jax.Array,
  has_speed: jax.Array,
  weight: jax.Array | None = None,
  true_history: bool = False,
) -> jax.Array:
  """The squared error of the predicted velocity.

  Args:
    model: the network.
    batch: image uint8 [b, s, s, 3], trajectories float [b, t, g, g, 2],
      log2_step float [b, t].
    noise: as the trajectories.
    time: of the flow, float [b], or [b, t / chunk] if causal.
    has_image: bool [b], whether the first frame is given.
    has_speed: bool [b], whether the speed is given.
    weight: float [b, t, g, g], by which the errors of points count; all alike
      when None.
    true_history: see `Generator.beside_the_truth`.

  Returns:
    float32 [b], the mean (weighted) error of each clip.
  """
  trajectories = encode(model.config, batch["trajectories"], batch["log2_step"])
  given = (
    generator_flow.interpolate(
      trajectories, noise, of_moments(model.config, time)
    ),
    time,
    batch["image"],
    has_image,
    batch["log2_step"],
    has_speed,
  )
  if true_history:
    predicted = model.beside_the_truth(*given, trajectories)
  else:
    predicted = model(*given)
  error = jnp.square(predicted - (trajectories - noise)).mean(-1)
  if weight is not None:
    error *= weight
  return error.mean((1, 2, 3))
