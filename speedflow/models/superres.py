"""Joint deblurring and interpolation: two frames -> the picture at any time.

Classical flow, carried to the wanted time along paths that the frames before
and after may bend, is refined in two stages, from coarse to fine, and the
refined flow fetches pixels of both frames: at the
place itself, from around it, and along the path of motion, as far as the
shutter was open. The picture is a weighted sum of these. The weights of each
pixel come from a small 2-D convolutional network and add up to one, so where
all fetched pixels are alike (a static region, an overlay) nothing can change,
and no colour appears that neither frame holds nearby. Untrained, the network
interpolates classically.

Flow refinement after IFRNet (Kong et al., CVPR 2022), weights for pixels after
kernel prediction (Niklaus et al., "Video Frame Interpolation via Adaptive
Separable Convolution", ICCV 2017).
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

GRID = 16
"""Height and width of the frames must be multiples of this."""

REACH = 160
"""Beyond so many pixels, apart from motion, nothing influences a pixel."""

# Places along the path of motion, in lengths of the blur. Blur of one length
# is undone by differences of what lies so far apart.
_ALONG = (-1.0, -0.5, 0.5, 1.0)
_AROUND = tuple(
  (y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)
)
# Flow enters and leaves in units of so many pixels.
_FLOW_UNIT = 8.0
# How far a path is bent enters in units of so many pixels.
_BEND_UNIT = 1.0
# Differences of pixels (0..1) enter magnified: most are small.
_DIFFERENCE = 8.0
# Ways to get from the picture to both frames: refined flow, the flow of each
# frame alone, and none.
_PATHS = 4
# A path is trusted e times less, untrained, for each such difference between
# its two ends.
_TRUSTED = 1.5 / 255
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class SuperResConfig:
  """Sizes of a `SuperResNet`.

  Attributes:
    coarse: features at 1/4, 1/8 and 1/16 of the size, where flow is refined.
    fine: features at 1/2, 1/4, ... of the size, where pixels are weighed.
    dtype: what the convolutions compute in; parameters are float32.
  """

  coarse: tuple[int, ...] = (40, 64, 80)
  fine: tuple[int, ...] = (24, 32, 48)
  dtype: DTypeLike = jnp.float32


class Synthesis(NamedTuple):
  """A picture at a time between two frames.

  Attributes:
    image: float32 [b, h, w, 3], 0..1 but for overshoot.
    uncertainty: float32 [b, h / 2, w / 2], expected absolute error, in units
      of full scale.
    flow: float32 [b, 2, h, w, 2], where in each frame a pixel comes from,
      relative to itself, in pixels.
  """

  image: jax.Array
  uncertainty: jax.Array
  flow: jax.Array


def warp(image: jax.Array, flow: jax.Array) -> jax.Array:
  """Fetches every pixel from where the flow points, bilinearly.

  Args:
    image: float [b, h, w, c].
    flow: float [b, h, w, 2], x and y in pixels; beyond the border, the border
      is repeated.

  Returns:
    float [b, h, w, c].
  """
  batch, height, width, channels = image.shape
  x = jnp.clip(jnp.arange(width) + flow[..., 0], 0, width - 1)
  y = jnp.clip(jnp.arange(height)[:, None] + flow[..., 1], 0, height - 1)
  left = jnp.clip(jnp.floor(x), 0, width - 2)
  top = jnp.clip(jnp.floor(y), 0, height - 2)
  right_share = (x - left)[..., None]
  lower_share = (y - top)[..., None]
  index = (top * width + left).astype(jnp.int32).reshape(batch, -1)
  flat = image.reshape(batch, height * width, channels)

  def fetch(offset: int) -> jax.Array:
    rows = jax.vmap(
      lambda pixels, i: pixels.at[i].get(mode="promise_in_bounds")
    )(flat, index + offset)
    return rows.reshape(image.shape)

  upper = fetch(0) * (1 - right_share) + fetch(1) * right_share
  lower = fetch(width) * (1 - right_share) + fetch(width + 1) * right_share
  # Fused into several consumers, it would be computed anew for each.
  return jax.lax.optimization_barrier(
    upper * (1 - lower_share) + lower * lower_share
  )


def warp_sharply(image: jax.Array, flow: jax.Array) -> jax.Array:
  """As `warp`, with the cubic convolution of Keys (1981) instead.

  Bilinear pixels are corrected by second differences, of the luma alone and
  without the mixed term: it takes the places that `warp` takes.

  Args:
    image: float [b, h, w, 3].
    flow: float [b, h, w, 2].

  Returns:
    float [b, h, w, 3].
  """
  height, width = image.shape[1:3]
  gray = luma(image)
  padded = jnp.pad(gray, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
  across = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] - 2 * gray
  down = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] - 2 * gray
  fetched = warp(jnp.concatenate([image, across, down], -1), flow)
  x = jnp.clip(jnp.arange(width) + flow[..., 0], 0, width - 1)
  y = jnp.clip(jnp.arange(height)[:, None] + flow[..., 1], 0, height - 1)
  part = jnp.stack([x, y], -1)
  part -= jnp.floor(part)
  bent = (part * (1 - part) / 2 * fetched[..., 3:]).sum(-1, keepdims=True)
  return fetched[..., :3] - bent


class SuperResNet(nnx.Module):
  """Two frames, their flow and a time -> the picture at that time."""

  def __init__(self, config: SuperResConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    self.coarse = Pyramid(38, config.coarse, config.dtype, rngs)
    self.flow = _head(config.coarse[0], 4, rngs)
    hidden = config.coarse[0] // 4
    inputs = 4 * (7 + 2 * len(_ALONG)) + 10 + _PATHS + 3 + hidden
    self.fine = Pyramid(inputs, config.fine, config.dtype, rngs)
    # For each of 2 x 2 pixels: weights of the pixels of both frames at the end
    # of every path, then of those around and along.
    outputs = 2 * _PATHS + len(_AROUND) + 2 * len(_ALONG)
    self.weights = _head(config.fine[0], 4 * outputs, rngs)
    self.detail = _head(config.fine[0], 5, rngs)

  def __call__(
    self,
    images: jax.Array,
    flow: jax.Array,
    bend: jax.Array,
    time: jax.Array,
    exposure: jax.Array,
    *,
    sharp: bool = False,
  ) -> Synthesis:
    """Synthesises the picture at a time, as with an open shutter of no length.

    Args:
      images: float [b, 2, h, w, 3], 0..1; h and w are multiples of `GRID`.
      flow: float [b, 2, h, w, 2], from the first to the second and back, of
        what is at each pixel at this time as each frame tells it: see
        `speedflow.data.optical_flow.at_time`; pixels.
      bend: float [b, h, w, 2], by how much that lies aside of a straight and
        even path: see `speedflow.data.optical_flow.Curve`; pixels. 0 where
        nothing is known of the frames before and after.
      time: float [b], 0 (the middle of the first frame's exposure) .. 1 (of
        the second's).
      exposure: float [b], open-shutter time / frame interval of the frames,
        0..1; nan: unknown.
      sharp: all exposures are 0; the same picture with less work.
    """
    height, width = images.shape[2:4]
    if height % GRID or width % GRID:
      raise ValueError(
        f"frames are {width} x {height}; wanted multiples of {GRID}"
      )
    known = ~jnp.isnan(exposure)
    shutter = jnp.where(known, exposure, 1.0)
    t = time[:, None, None, None]
    scalars = jnp.stack([time, shutter, known.astype(jnp.float32)], -1)
    ahead = (flow[:, 0] - flow[:, 1]) / 2
    aside = bend[:, None]
    moved = jnp.stack([-t * ahead, (1 - t) * ahead], 1) + aside
    bent = pool(bend) / _BEND_UNIT
    disagreement = pool(pool(flow[:, 0] + flow[:, 1]))
    moved, hidden = self._refine(images, moved, bent, disagreement, scalars)
    others = [
      # The flow of one frame alone, in both directions: where things overlap,
      # one of them is right.
      jnp.stack([-t * flow[:, 0], (1 - t) * flow[:, 0]], 1) + aside,
      jnp.stack([t * flow[:, 1], -(1 - t) * flow[:, 1]], 1) + aside,
      # What stands still although its surroundings move.
      jnp.zeros_like(flow),
    ]
    return self._synthesise(images, moved, others, bent, hidden, scalars, sharp)

  def _refine(
    self,
    images: jax.Array,
    moved: jax.Array,
    bent: jax.Array,
    disagreement: jax.Array,
    scalars: jax.Array,
  ) -> tuple[jax.Array, jax.Array]:
    """Better flow [b, 2, h, w, 2], and features [b, h/2, w/2, c]."""
    halves = [pool(images[:, i]) for i in range(2)]
    flows = [pool(moved[:, i]) for i in range(2)]
    fetched = [
      warp(half, flow / 2) for half, flow in zip(halves, flows, strict=True)
    ]
    difference = fetched[0] - fetched[1]
    x = [
      space_to_depth(_contrast(fetched[0] + fetched[1])),
      space_to_depth(difference) * _DIFFERENCE,
      *(pool(flow) / _FLOW_UNIT for flow in flows),
      disagreement / _FLOW_UNIT,
      pool(bent),
      pool(jnp.abs(difference)) * _DIFFERENCE,
    ]
    features = self.coarse(_with_scalars(x, scalars))
    change = enlarge(self.flow(features), 4) * _FLOW_UNIT
    moved = moved + jnp.stack([change[..., :2], change[..., 2:]], 1)
    return moved, depth_to_space(features)

  def _synthesise(
    self,
    images: jax.Array,
    moved: jax.Array,
    others: Sequence[jax.Array],
    bent: jax.Array,
    hidden: jax.Array,
    scalars: jax.Array,
    sharp: bool,
  ) -> Synthesis:
    time, shutter = scalars[:, 0], scalars[:, 1]
    # The flow learns from the pixels that it fetches in the end. Elsewhere
    # its gradient costs much and adds little.
    before = jax.lax.stop_gradient(moved)
    blur = shutter[:, None, None, None] * (before[:, 1] - before[:, 0])
    path = jnp.concatenate([moved[:, 0], moved[:, 1], blur, jnp.abs(blur)], -1)
    centres = [warp(images[:, i], before[:, i]) for i in range(2)]
    difference = centres[0] - centres[1]
    rest = [
      [warp(images[:, i], path[:, i]) for i in range(2)] for path in others
    ]
    doubts = jnp.stack([_doubt(*pair) for pair in [centres, *rest]], -1)
    # Without blur, all pixels along its path are the same one.
    along = [
      jnp.zeros_like(centres[i])
      if sharp
      else warp(images[:, i], before[:, i] + place * blur) - centres[i]
      for i in range(2)
      for place in _ALONG
    ]
    edges = [luma(far) for far in along]
    x = [
      space_to_depth(_contrast(centres[0] + centres[1])),
      space_to_depth(
        jnp.concatenate([difference, luma(jnp.abs(difference)), *edges], -1)
      )
      * _DIFFERENCE,
      pool(path) / _FLOW_UNIT,
      bent,
      doubts * _DIFFERENCE,
      hidden,
    ]
    features = self.fine(_with_scalars(x, scalars))

    # The last correction of the flow, and the uncertainty.
    detail = self.detail(features)
    change = enlarge(detail[..., :4], 2)
    moved = moved + jnp.stack([change[..., :2], change[..., 2:]], 1)
    uncertainty = jnp.exp(detail[..., 4] - 4.0)

    weights = depth_to_space(self.weights(features))
    share = jnp.log(jnp.maximum(jnp.stack([1 - time, time], -1), 1e-4))
    prior = jnp.tile(share, (1, _PATHS))[:, None, None]
    prior -= jnp.repeat(enlarge(doubts, 2), 2, -1) / _TRUSTED
    shares = jax.nn.softmax(weights[..., : 2 * _PATHS] + prior, -1)
    fetched = [warp_sharply(images[:, i], moved[:, i]) for i in range(2)]
    fused = _weighted([*fetched, *itertools.chain(*rest)], shares)
    # Weighted differences: whatever the weights, those of the pixels add up to
    # one.
    centre = jax.lax.stop_gradient(fused)
    differences = [pixels - centre for pixels in _neighbours(centre)]
    differences += [] if sharp else along
    image = fused + _weighted(
      differences, weights[..., 2 * _PATHS :][..., : len(differences)]
    )
    return Synthesis(image, uncertainty, moved)


class Pyramid(nnx.Module):
  """A small U-Net; the first size is that of its input."""

  def __init__(
    self, inputs: int, widths: Sequence[int], dtype: DTypeLike, rngs: nnx.Rngs
  ):
    def conv(features_in: int, features_out: int, strides: int = 1) -> nnx.Conv:
      return nnx.Conv(
        features_in,
        features_out,
        (3, 3),
        strides=strides,
        dtype=dtype,
        rngs=rngs,
      )

    self.enter = conv(inputs, widths[0])
    self.down = nnx.List([conv(a, b, 2) for a, b in itertools.pairwise(widths)])
    self.middle = nnx.List([conv(w, w) for w in widths])
    self.up = nnx.List(
      [
        nnx.Linear(b, 4 * a, dtype=dtype, rngs=rngs)
        for a, b in itertools.pairwise(widths)
      ]
    )
    self.leave = nnx.List([conv(w, w) for w in widths])
    self.dtype = dtype

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [b, h, w, inputs] to float32 [b, h, w, widths[0]]."""
    x = nnx.leaky_relu(self.enter(x.astype(self.dtype)))
    levels = []
    for level, middle in enumerate(self.middle):
      x = x + nnx.leaky_relu(middle(x))
      levels.append(x)
      if level < len(self.down):
        x = nnx.leaky_relu(self.down[level](x))
    for level in reversed(range(len(levels))):
      if level < len(self.up):
        x = levels[level] + depth_to_space(self.up[level](x))
      x = x + nnx.leaky_relu(self.leave[level](x))
    return x.astype(jnp.float32)


def _head(features: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
  """Starts at zero, so that training starts at classical interpolation."""
  return nnx.Linear(
    features, outputs, kernel_init=nnx.initializers.zeros, rngs=rngs
  )


def _weighted(images: Sequence[jax.Array], weights: jax.Array) -> jax.Array:
  """Sums n images [b, h, w, c] by weights [b, h, w, n]."""
  total = jnp.zeros_like(images[0])
  for number, image in enumerate(images):
    total += image * weights[..., number, None]
  return total


def _doubt(first: jax.Array, second: jax.Array) -> jax.Array:
  """Mean difference around each place, [b, h, w, 3] -> [b, h / 2, w / 2]."""
  difference = jnp.abs(pool(first) - pool(second)).mean(-1, keepdims=True)
  padded = jnp.pad(difference, ((0, 0), (2, 2), (2, 2), (0, 0)), "edge")
  around = nnx.avg_pool(padded, (5, 5))
  return jax.lax.stop_gradient(around[..., 0])


def _neighbours(x: jax.Array) -> list[jax.Array]:
  """The eight pixels around each; at the border, itself."""
  height, width = x.shape[1:3]
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
  return [
    padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    for down, right in _AROUND
  ]


def _with_scalars(x: Sequence[jax.Array], scalars: jax.Array) -> jax.Array:
  """Appends scalars [b, c] to every pixel of maps [b, h, w, ...]."""
  batch, height, width, _ = x[0].shape
  shape = (batch, height, width, scalars.shape[-1])
  planes = jnp.broadcast_to(scalars[:, None, None], shape)
  return jnp.concatenate([*x, planes], -1)


def space_to_depth(x: jax.Array) -> jax.Array:
  """[b, h, w, c] -> [b, h / 2, w / 2, 4 c]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, h // 2, w // 2, 4 * c)


def depth_to_space(x: jax.Array) -> jax.Array:
  """[b, h, w, 4 c] -> [b, 2 h, 2 w, c]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, 2 * h, 2 * w, c // 4)


def luma(x: jax.Array) -> jax.Array:
  """[b, h, w, 3] -> [b, h, w, 1]."""
  return x @ _LUMA[:, None]


def pool(x: jax.Array) -> jax.Array:
  """[b, h, w, c] -> [b, h / 2, w / 2, c], means of 2 x 2."""
  b, h, w, c = x.shape
  return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _contrast(x: jax.Array) -> jax.Array:
  """What differs from the wider surroundings, of a sum of two images."""
  return 2 * (x - enlarge(pool(pool(pool(x))), 8))


def enlarge(x: jax.Array, factor: int) -> jax.Array:
  """Bilinear, in both directions."""
  b, h, w, c = x.shape
  return jax.image.resize(x, (b, factor * h, factor * w, c), "bilinear")
