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
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from speedflow.models import planes

GRID = 16
"""Height and width of the frames must be multiples of this."""

REACH = 160
"""Beyond so many pixels, apart from motion, nothing influences a pixel."""

FINE_REACH = 64
"""The same of what is made where flow is known, in the second of two stages."""

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
# Flow from the picture to both frames: refined flow, the flow of each
# frame alone, and none.
_PATHS = 4
# A path is trusted e times less, untrained, for each such difference between
# its two ends.
_TRUSTED = 1.5 / 255


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


_Pair = tuple[jax.Array, jax.Array]
"""The same of both frames."""


class Programs:
  """Runs parts of a network, each as a program of its own; see `planes`.

  The parameters are those at the first call.
  """

  def __init__(self) -> None:
    """Holds nothing yet."""
    self._held: dict[int, tuple[nnx.Module, Callable[..., jax.Array]]] = {}

  def __call__(self, part: nnx.Module, *inputs: jax.Array | None) -> jax.Array:
    """What the part makes of its inputs."""
    if id(part) not in self._held:
      self._held[id(part)] = part, _program(part)
    return self._held[id(part)][1](*inputs)


def _program(part: nnx.Module) -> Callable[..., jax.Array]:
  graph, state = nnx.split(part)
  arrays, structure = jax.tree.flatten(state)
  return functools.partial(_compiled(graph, structure), arrays)


@functools.lru_cache(maxsize=64)
def _compiled(
  graph: nnx.GraphDef, structure: jax.tree_util.PyTreeDef
) -> Callable[..., jax.Array]:
  """One program for all parameters."""

  @jax.jit
  def run(arrays: list[jax.Array], *inputs: jax.Array | None) -> jax.Array:
    return nnx.merge(graph, structure.unflatten(arrays))(*inputs)

  return run


def _in_place(part: nnx.Module, *inputs: jax.Array | None) -> jax.Array:
  return part(*inputs)


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
    self.flow = Head(config.coarse[0], 4)
    hidden = config.coarse[0] // 4
    inputs = 4 * (3 + 4) + 4 + 2 + _PATHS + hidden + 3
    self.fine = Pyramid(inputs, config.fine, config.dtype, rngs)
    # What enters of a shutter that was open.
    self.blur = nnx.Conv(
      4 * 2 * len(_ALONG) + 4,
      config.fine[0],
      (3, 3),
      use_bias=False,
      dtype=config.dtype,
      rngs=rngs,
    )
    # For each of 2 x 2 pixels: weights of the pixels of both frames at the end
    # of every path, and of those around; then of those along the blur.
    outputs = 2 * _PATHS + len(_AROUND)
    self.weights = Head(config.fine[0], 4 * outputs)
    self.along = Head(config.fine[0], 4 * 2 * len(_ALONG))
    self.detail = Head(config.fine[0], 5)

  def __call__(
    self,
    images: jax.Array,
    flow: jax.Array,
    bend: jax.Array,
    time: jax.Array,
    exposure: jax.Array,
    *,
    sharp: bool = False,
    strips: Sequence[tuple[int, int, int, int]] = (),
    run: Callable[..., jax.Array] = _in_place,
  ) -> Synthesis:
    """Synthesises the picture at a time, as with an open shutter of no length.

    Args:
      images: float [b, 2, h, w, 3], 0..1, or whole numbers; h and w are
        multiples of `GRID`.
      flow: float [b, 2, h, w, 2], from the first to the second and back, of
        what is at each pixel at this time as each frame has it: see
        `speedflow.data.optical_flow.at_time`; pixels.
      bend: float [b, h, w, 2], by how much that lies aside of a straight and
        even path: see `speedflow.data.optical_flow.Curve`; pixels. 0 where
        nothing is known of the frames before and after.
      time: float [b], 0 (the middle of the first frame's exposure) .. 1 (of
        the second's).
      exposure: float [b], open-shutter time / frame interval of the frames,
        0..1; nan: unknown.
      sharp: all exposures are 0; the same picture with less work.
      strips: rows that are made one after another, which takes less memory:
        start and end of what is made, and of all that it depends on, up to
        `FINE_REACH` more, in multiples of `GRID`. None: all at once.
      run: calls a part of the network with its inputs; a `Programs`, where this
        is not called within a compiled program.
    """
    height, width = images.shape[2:4]
    if height % GRID or width % GRID:
      raise ValueError(
        f"frames are {width} x {height}; wanted multiples of {GRID}"
      )
    # Called step by step, what is no longer wanted makes room at once.
    frames = _enter(images)
    scalars = _scalars(time, exposure)
    moved, others, bent, disagreement = _paths(flow, bend, time)
    del images, flow, bend
    moved, hidden = self._refine(
      frames, moved, bent, disagreement, scalars, run
    )
    del disagreement
    hidden = planes.of_image(hidden)
    made = []
    for start, end, low, high in strips or [(0, height, 0, height)]:
      cut = functools.partial(_rows, low=low, high=high)
      strip = self._weigh(
        frames,
        jax.tree.map(cut, moved),
        jax.tree.map(cut, others),
        cut(bent),
        cut(hidden),
        time,
        scalars,
        low,
        sharp=sharp,
        run=run,
      )
      made.append(_made_here(strip, start - low, end - low))
      del strip
    return jax.tree.map(lambda *parts: _one_below_another(parts), *made)

  def _weigh(
    self,
    frames: _Pair,
    moved: _Pair,
    others: tuple[_Pair, ...],
    bent: jax.Array,
    hidden: jax.Array,
    time: jax.Array,
    scalars: jax.Array,
    top: int,
    *,
    sharp: bool,
    run: Callable[..., jax.Array],
  ) -> Synthesis:
    """The picture in some rows, of which `top` is the first."""
    rows = 2 * hidden.shape[2]
    still = _still(frames, top, rows)
    # The flow learns from the pixels that it fetches in the end. Elsewhere
    # its gradient costs much and adds little.
    before = jax.lax.stop_gradient(moved)
    centres = _fetched(frames, before, top)
    rest = [*(_fetched(frames, path, top) for path in others), still]
    del others, still
    doubts = _doubts([centres, *rest])
    x = planes.features(
      _contrast(*centres),
      _change(*centres),
      *_told(moved, bent, doubts),
      hidden,
      _spread(scalars, *bent.shape[-2:]),
    )
    along: list[jax.Array] = []
    more = None
    # Without blur, all pixels along its path are the same one.
    if not sharp:
      blur = _blur(*before, scalars)
      along = [
        _less(planes.warp(frame, _aside(flow, blur, place), top), centre)
        for frame, flow, centre in zip(frames, before, centres, strict=True)
        for place in _ALONG
      ]
      more = run(self.blur, planes.features(*_told_of_blur(blur, along)))
    del hidden, before, bent, centres
    features = run(self.fine, x, more)
    del x, more

    # The last correction of the flow, and the uncertainty.
    detail = run(self.detail, features)
    moved = _changed(moved, planes.enlarge(detail, 2), 1.0)
    fetched = tuple(
      planes.warp_sharply(frame, flow, top)
      for frame, flow in zip(frames, moved, strict=True)
    )
    weights = run(self.weights, features)
    shares = _shares(weights, planes.enlarge(doubts, 2), time)
    del doubts
    fused = _fuse([*fetched, *itertools.chain(*rest)], shares)
    del fetched, rest, shares
    image = fused
    if not sharp:
      image = _add_along(image, along, run(self.along, features))
    image = _add_around(
      planes.join(image), planes.pad(planes.join(fused)), _around(weights)
    )
    return Synthesis(
      planes.to_image(image), _uncertainty(detail), _as_images(*moved)
    )

  def _refine(
    self,
    frames: _Pair,
    moved: _Pair,
    bent: jax.Array,
    disagreement: jax.Array,
    scalars: jax.Array,
    run: Callable[..., jax.Array],
  ) -> tuple[_Pair, jax.Array]:
    """Better flow, as phases, and features [b, h / 2, w / 2, c]."""
    halves = [_half(frame) for frame in frames]
    flows = [_halved(flow) for flow in moved]
    fetched = _fetched(halves, flows)
    x = planes.features(
      _contrast(*fetched),
      *_told_coarsely(fetched, flows, bent, disagreement),
      _spread(scalars, *disagreement.shape[-2:]),
    )
    features = run(self.coarse, x)
    change = planes.enlarge(run(self.flow, features), 4)
    return _changed(moved, change, _FLOW_UNIT), depth_to_space(features)


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

  def __call__(self, x: jax.Array, more: jax.Array | None = None) -> jax.Array:
    """Maps [b, h, w, inputs] to float32 [b, h, w, widths[0]].

    Args:
      x: the input.
      more: [b, h, w, widths[0]], what else is to enter.
    """
    x = self.enter(x.astype(self.dtype))
    x = nnx.leaky_relu(x if more is None else x + more)
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


class Head(nnx.Module):
  """Planes from features, by one linear map.

  It starts at zero, so that training starts at classical interpolation.
  """

  def __init__(self, features: int, outputs: int):
    """Builds it."""
    self.kernel = nnx.Param(jnp.zeros((features, outputs)))
    self.bias = nnx.Param(jnp.zeros((outputs,)))

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [b, h, w, features] to [b, outputs, h, w]."""
    outputs = jnp.tensordot(self.kernel[...], x, ((0,), (3,)))  # [o, b, h, w]
    return outputs.swapaxes(0, 1) + self.bias[...][:, None, None]


# The steps of the network, each a program of its own as in `planes`.


@jax.jit
def _enter(images: jax.Array) -> _Pair:
  """Both frames, [b, h, w, 3], 0..1, to fetch from."""
  if jnp.issubdtype(images.dtype, jnp.integer):
    images = images.astype(jnp.float32) / jnp.iinfo(images.dtype).max
  return images[:, 0], images[:, 1]


@functools.partial(jax.jit, static_argnums=2)
def _still(frames: _Pair, top: jax.Array, rows: int) -> _Pair:
  """Some rows of both frames, as phases."""
  first, second = (
    planes.part(
      planes.of_image(jax.lax.dynamic_slice_in_dim(frame, top, rows, 1))
    )
    for frame in frames
  )
  return first, second


def _rows(x: jax.Array, low: int, high: int) -> jax.Array:
  """Of planes of half the size, or phases, some rows of the picture's."""
  if high - low == 2 * x.shape[-2]:
    return x
  return _cut(x, low // 2, (high - low) // 2)


@functools.partial(jax.jit, static_argnums=2)
def _cut(x: jax.Array, start: jax.Array, count: int) -> jax.Array:
  return jax.lax.dynamic_slice_in_dim(x, start, count, x.ndim - 2)


def _made_here(strip: Synthesis, start: int, end: int) -> Synthesis:
  """Without the rows that are made elsewhere."""
  return Synthesis(
    strip.image[:, start:end],
    strip.uncertainty[:, start // 2 : end // 2],
    strip.flow[:, :, start:end],
  )


def _one_below_another(parts: Sequence[jax.Array]) -> jax.Array:
  """Pictures [..., h, w, c], or planes [b, h, w]."""
  if len(parts) == 1:
    return parts[0]
  return jnp.concatenate(parts, 1 if parts[0].ndim < 5 else 2)


@jax.jit
def _scalars(time: jax.Array, exposure: jax.Array) -> jax.Array:
  """Time, length of the shutter, and whether that is known: [b, 3]."""
  known = ~jnp.isnan(exposure)
  shutter = jnp.where(known, exposure, 1.0)
  return jnp.stack([time, shutter, known.astype(jnp.float32)], -1)


@jax.jit
def _paths(
  flow: jax.Array, bend: jax.Array, time: jax.Array
) -> tuple[_Pair, tuple[_Pair, _Pair], jax.Array, jax.Array]:
  """Flow from the picture to both frames, and what is known about them.

  Returns:
    phases of what both flows agree upon, and of the flow of each frame alone,
    in both directions (where things overlap, one of them is right); planes of
    how far paths are bent, of half the size, and of the disagreement, of a
    quarter.
  """
  both = [planes.part(planes.of_image(flow[:, i])) for i in range(2)]
  aside = planes.part(planes.of_image(bend))
  t = time[:, None, None, None, None, None]
  ahead = (both[0] - both[1]) / 2

  def along(flow: jax.Array) -> _Pair:
    return aside - t * flow, aside + (1 - t) * flow

  bent = planes.pool(aside) / _BEND_UNIT
  disagreement = planes.halve(planes.pool(both[0] + both[1]))
  return along(ahead), (along(both[0]), along(-both[1])), bent, disagreement


def _fetched(
  frames: Sequence[jax.Array], path: Sequence[jax.Array], top: int = 0
) -> _Pair:
  first, second = (
    planes.warp(frame, flow, top)
    for frame, flow in zip(frames, path, strict=True)
  )
  return first, second


@jax.jit
def _half(frame: jax.Array) -> jax.Array:
  """A picture [b, h, w, c] of half the size."""
  return planes.to_image(planes.halve(planes.of_image(frame)))


@jax.jit
def _halved(flow: jax.Array) -> jax.Array:
  """The flow between pictures of half the size: phases of them."""
  return planes.part(planes.pool(flow)) / 2


@jax.jit
def _contrast(first: jax.Array, second: jax.Array) -> jax.Array:
  """Of two pictures, phases, what differs from the wider surroundings."""
  return planes.flat(2 * planes.contrast(first + second))


@jax.jit
def _told_coarsely(
  fetched: _Pair, flows: Sequence[jax.Array], bent: jax.Array, astray: jax.Array
) -> list[jax.Array]:
  """Planes of a quarter of the size."""
  difference = fetched[0] - fetched[1]
  return [
    planes.flat(difference * _DIFFERENCE),
    *(planes.pool(flow) * (2 / _FLOW_UNIT) for flow in flows),
    astray / _FLOW_UNIT,
    planes.halve(bent),
    planes.pool(jnp.abs(difference)) * _DIFFERENCE,
  ]


@jax.jit
def _change(first: jax.Array, second: jax.Array) -> jax.Array:
  """Of two pictures, phases, how they differ: planes of half the size."""
  difference = first - second
  size = planes.luma(jnp.abs(difference))
  return planes.flat(jnp.concatenate([difference, size], 1) * _DIFFERENCE)


@jax.jit
def _told(moved: _Pair, bent: jax.Array, doubts: jax.Array) -> list[jax.Array]:
  """Planes of half the size."""
  flows = [planes.pool(flow) / _FLOW_UNIT for flow in moved]
  return [*flows, bent, doubts * _DIFFERENCE]


@jax.jit
def _blur(first: jax.Array, second: jax.Array, scalars: jax.Array) -> jax.Array:
  """How far things move while the shutter is open."""
  return scalars[:, 1, None, None, None, None, None] * (second - first)


@jax.jit
def _aside(flow: jax.Array, blur: jax.Array, place: jax.Array) -> jax.Array:
  return flow + place * blur


@jax.jit
def _less(first: jax.Array, second: jax.Array) -> jax.Array:
  return first - second


@jax.jit
def _told_of_blur(
  blur: jax.Array, along: Sequence[jax.Array]
) -> list[jax.Array]:
  """Planes of half the size."""
  return [
    *(planes.flat(planes.luma(far) * _DIFFERENCE) for far in along),
    planes.pool(blur) / _FLOW_UNIT,
    planes.pool(jnp.abs(blur)) / _FLOW_UNIT,
  ]


def _doubts(pairs: Sequence[Sequence[jax.Array]]) -> jax.Array:
  """How much pairs of pictures differ around each place.

  Args:
    pairs: n of them, phases.

  Returns:
    planes [b, n, h / 2, w / 2], means of 5 x 5.
  """
  differences = _stacked([_difference(*pair) for pair in pairs])
  return jax.lax.stop_gradient(_blurred(_blurred(differences, 2), 3))


@jax.jit
def _difference(first: jax.Array, second: jax.Array) -> jax.Array:
  red, green, blue = jnp.moveaxis(
    jnp.abs(planes.pool(first) - planes.pool(second)), 1, 0
  )
  return ((red + green + blue) / 3)[:, None]


@jax.jit
def _stacked(parts: Sequence[jax.Array]) -> jax.Array:
  return jnp.concatenate(parts, 1)


@functools.partial(jax.jit, static_argnums=1)
def _blurred(x: jax.Array, axis: int) -> jax.Array:
  """Means of five along an axis; the border is repeated."""
  length = x.shape[axis]
  ends = [(0, 0)] * x.ndim
  ends[axis] = (2, 2)
  padded = jnp.pad(x, ends, "edge")
  parts = [
    jax.lax.slice_in_dim(padded, k, k + length, axis=axis) for k in range(5)
  ]
  return sum(parts[1:], parts[0]) / 5


@functools.partial(jax.jit, static_argnums=(1, 2))
def _spread(scalars: jax.Array, height: int, width: int) -> jax.Array:
  """As planes."""
  return jnp.broadcast_to(
    scalars[..., None, None], (*scalars.shape, height, width)
  )


@jax.jit
def _changed(moved: _Pair, change: jax.Array, unit: jax.Array) -> _Pair:
  """Phases of flow, changed by planes of both together."""
  first, second = moved
  return (
    first + unit * planes.part(change[:, :2]),
    second + unit * planes.part(change[:, 2:4]),
  )


@jax.jit
def _uncertainty(detail: jax.Array) -> jax.Array:
  return jnp.exp(detail[:, 4] - 4.0)


@jax.jit
def _parted(x: jax.Array) -> jax.Array:
  """Planes [b, 4 c, h, w], as the heads have them, to phases."""
  b, c, h, w = x.shape
  return x.reshape(b, c // 4, 2, 2, h, w)


def _shares(
  weights: jax.Array, doubts: jax.Array, time: jax.Array
) -> jax.Array:
  """Unnormalised shares of both ends of all paths: phases [b, 2 n, ...]."""
  return _exponential(_logits(weights, doubts, time))


@jax.jit
def _logits(
  weights: jax.Array, doubts: jax.Array, time: jax.Array
) -> jax.Array:
  near = jnp.log(jnp.maximum(jnp.stack([1 - time, time], -1), 1e-4))
  prior = jnp.tile(near, (1, _PATHS))[..., None, None, None, None]
  doubt = jnp.repeat(planes.part(doubts), 2, 1) / _TRUSTED
  return _parted(weights)[:, : 2 * _PATHS] + prior - doubt


@jax.jit
def _exponential(logits: jax.Array) -> jax.Array:
  most = functools.reduce(jnp.maximum, jnp.moveaxis(logits, 1, 0))
  return jnp.exp(logits - most[:, None])


@jax.jit
def _fuse(images: Sequence[jax.Array], shares: jax.Array) -> jax.Array:
  """The mean of n pictures, phases, weighed by shares [b, n, ...]."""
  total = functools.reduce(jnp.add, jnp.moveaxis(shares, 1, 0))
  return _weighted(images, shares) / total[:, None]


def _weighted(images: Sequence[jax.Array], weights: jax.Array) -> jax.Array:
  """Sums n pictures [b, c, ...] by weights [b, n, ...]."""
  total = jnp.zeros_like(images[0])
  for number, image in enumerate(images):
    total += image * weights[:, number, None]
  return total


# Weighted differences: whatever the weights, those of the pixels add up to one.


@jax.jit
def _add_along(
  image: jax.Array, along: Sequence[jax.Array], weights: jax.Array
) -> jax.Array:
  """Adds what differs along the blur."""
  return image + _weighted(along, _parted(weights))


@jax.jit
def _around(weights: jax.Array) -> jax.Array:
  """The weights of the pixels around each: planes."""
  return planes.join(_parted(weights)[:, 2 * _PATHS :])


@jax.jit
def _add_around(
  image: jax.Array, padded: jax.Array, weights: jax.Array
) -> jax.Array:
  """Adds what differs around each pixel.

  Args:
    image: planes.
    padded: of the picture that differs, with its border repeated.
    weights: planes [b, 8, h, w].
  """
  height, width = image.shape[2:]
  near = jax.lax.stop_gradient(padded)
  centre = near[:, :, 1:-1, 1:-1]
  differences = [
    near[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    - centre
    for down, right in _AROUND
  ]
  return image + _weighted(differences, weights)


@jax.jit
def _as_images(first: jax.Array, second: jax.Array) -> jax.Array:
  """Phases of flow as [b, 2, h, w, 2]."""
  return jnp.stack(
    [planes.to_image(planes.join(flow)) for flow in (first, second)], 1
  )


@jax.jit
def depth_to_space(x: jax.Array) -> jax.Array:
  """[b, h, w, 4 c] -> [b, 2 h, 2 w, c]."""
  b, h, w, c = x.shape
  x = x.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, 2 * h, 2 * w, c // 4)
