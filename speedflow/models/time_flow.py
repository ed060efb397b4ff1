"""Learnt flow from the picture at a time between two frames to both of them.

What is at the wanted time looks alike in both frames. At 1/16 of the size, all
displacements within `REACH` pixels are compared; at 1/8 and 1/4, what was found
is corrected. Nothing is looked for from the frames' own places, so flow has no
holes where things uncover each other.

Matching about the middle as in BMBC (Park et al., ECCV 2020), from coarse to
fine as in IFRNet (Kong et al., CVPR 2022).
"""

import dataclasses
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from speedflow.models import planes

GRID = 16
"""Height and width of the frames must be multiples of this."""

_CELLS = 6
REACH = _CELLS * GRID
"""Pixels between the frames, along x and along y, that are searched."""

# Cells of 8 and of 4 pixels, on either side of what was found before.
_NEAR = (3, 2)
_FLOW_UNIT = 16.0
_HIDDEN = 16
_SLOPE = 0.1


@dataclasses.dataclass(frozen=True)
class TimeFlowConfig:
  """Sizes of a `TimeFlow`.

  Attributes:
    features: of each frame, at 1/4, 1/8 and 1/16 of the size.
    matching: of both together, at 1/16, 1/8 and 1/4.
    dtype: what the convolutions compute in; parameters are float32.
  """

  features: tuple[int, int, int] = (24, 40, 64)
  matching: tuple[int, int, int] = (64, 48, 32)
  dtype: DTypeLike = jnp.float32


class Found(NamedTuple):
  """Flow to both frames, from coarse to fine.

  Attributes:
    flows: float32 [b, 2, h / n, w / n, 2] for n = 16, 8 and 4: from the picture
      to both frames, in pixels of the frames.
    share: float32 [b, h / 4, w / 4], logit of the share of the first frame.
  """

  flows: tuple[jax.Array, ...]
  share: jax.Array


class TimeFlow(nnx.Module):
  """Two frames and a time -> flow from there to both."""

  def __init__(self, config: TimeFlowConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    self.eye = _Eye(config.features, config.dtype, rngs)
    self.sharpness = nnx.Param(jnp.array(10.0))
    f4, f8, f16 = config.features
    m16, m8, m4 = config.matching
    corner = (2 * _CELLS + 1) ** 2
    near8, near4 = ((2 * n + 1) ** 2 for n in _NEAR)
    told = 4 + 2
    self.steps = nnx.List(
      [
        _Step(corner + 2 * f16 + told, m16, 3, config.dtype, rngs),
        _Step(near8 + 2 * f8 + told + _HIDDEN, m8, 3, config.dtype, rngs),
        _Step(near4 + 2 * f4 + told + _HIDDEN, m4, 2, config.dtype, rngs),
      ]
    )

  def __call__(self, images: jax.Array, time: jax.Array) -> Found:
    """Finds the flow.

    Args:
      images: float [b, 2, h, w, 3], 0..1; h and w are multiples of `GRID`.
      time: float [b], 0 (first frame) .. 1 (second).
    """
    b, _, height, width, _ = images.shape
    if height % GRID or width % GRID:
      raise ValueError(
        f"frames are {width} x {height}; wanted multiples of {GRID}"
      )
    both = self.eye(images.reshape(2 * b, height, width, 3))
    levels = [x.reshape(b, 2, *x.shape[1:]) for x in both]
    return self.between(levels, time)

  def between(self, levels: list[jax.Array], time: jax.Array) -> Found:
    """As when called, from what `eye` sees in both: [b, 2, h / n, w / n, c]."""
    t = time[:, None, None, None]
    first, second = levels[-1][:, 0], levels[-1][:, 1]
    alike, most = self._everywhere(first, second, time)
    flow = jnp.concatenate([-t * most, (1 - t) * most], -1)
    flow, hidden = self._improve(0, levels[2], flow, time, [alike])
    flows = [flow]
    for step, near in enumerate(_NEAR, 1):
      level = levels[2 - step]
      flow = _enlarged(flow)
      hidden = _enlarged(hidden)
      flow, hidden = self._improve(step, level, flow, time, [hidden], near)
      flows.append(flow)
    return Found(tuple(map(_parted, flows)), hidden[..., 0])

  def _everywhere(
    self, first: jax.Array, second: jax.Array, time: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Likeness for every displacement, and the most likely one, in pixels."""
    b, h, w, _ = first.shape
    pairs = jnp.einsum("bic,bjc->bij", _unit(first), _unit(second))
    steps = jnp.arange(-_CELLS, _CELLS + 1)
    # The part of a displacement that lies before the time, in whole cells.
    early = jnp.round(time[:, None] * steps).astype(jnp.int32)  # [b, d]

    def places(length: int) -> tuple[jax.Array, jax.Array, jax.Array]:
      here = jnp.arange(length)[:, None]
      a = here - early[:, None, :]
      z = a + steps
      inside = (a >= 0) & (a < length) & (z >= 0) & (z < length)
      return (
        jnp.clip(a, 0, length - 1),
        jnp.clip(z, 0, length - 1),
        inside,
      )  # [b, length, d]

    ya, yz, y_in = (p[:, :, None, :, None] for p in places(h))
    xa, xz, x_in = (p[:, None, :, None, :] for p in places(w))
    index = (ya * w + xa) * (h * w) + (yz * w + xz)
    found = jnp.take_along_axis(
      pairs.reshape(b, -1), index.reshape(b, -1), axis=1
    ).reshape(index.shape)
    found = jnp.where(y_in & x_in, found, 0.0).reshape(b, h, w, -1)
    shares = jax.nn.softmax(self.sharpness[...] * found, -1)
    d = steps.astype(jnp.float32) * GRID
    grid = jnp.stack(jnp.meshgrid(d, d), -1).reshape(-1, 2)  # x, y
    return found, shares @ grid

  def _improve(
    self,
    step: int,
    level: jax.Array,
    flow: jax.Array,
    time: jax.Array,
    told: list[jax.Array],
    near: int = 0,
  ) -> tuple[jax.Array, jax.Array]:
    size = (16, 8, 4)[step]
    # Where the flow points is not to be learnt from the features there.
    where = jax.lax.stop_gradient(flow) / size
    first = _fetched(level[:, 0], where[..., :2])
    second = _fetched(level[:, 1], where[..., 2:])
    if near:
      told = [*told, _likeness(first, second, near)]
    t = jnp.broadcast_to(time[:, None, None, None] - 0.5, (*flow.shape[:-1], 1))
    middle = (first + second) / 2
    x = jnp.concatenate(
      [
        *told,
        jnp.abs(first - second),
        middle,
        flow / _FLOW_UNIT,
        t,
        jnp.abs(t),
      ],
      -1,
    )
    change, hidden = self.steps[step](x)
    return flow + change * size, hidden


class _Eye(nnx.Module):
  """What a frame looks like, at 1/4, 1/8 and 1/16 of its size."""

  def __init__(
    self, widths: tuple[int, int, int], dtype: DTypeLike, rngs: nnx.Rngs
  ):
    a, b, c = widths
    self.dtype = dtype
    self.down = nnx.List(
      [
        nnx.Conv(i, o, (3, 3), strides=2, dtype=dtype, rngs=rngs)
        for i, o in ((12, a), (a, b), (b, c))
      ]
    )
    self.more = nnx.List(
      [nnx.Conv(n, n, (3, 3), dtype=dtype, rngs=rngs) for n in (a, b, c)]
    )

  def __call__(self, images: jax.Array) -> list[jax.Array]:
    """Maps [b, h, w, 3], 0..1, to [b, h / n, w / n, c] for n = 4, 8, 16."""
    x = planes.to_image(planes.flat(planes.part(planes.of_image(images))))
    x = (4 * (x - 0.45)).astype(self.dtype)
    levels = []
    for down, more in zip(self.down, self.more, strict=True):
      x = nnx.leaky_relu(down(x), _SLOPE)
      x = x + nnx.leaky_relu(more(x), _SLOPE)
      levels.append(x.astype(jnp.float32))
    return levels


class _Step(nnx.Module):
  """A correction of the flow, in cells, and features for the next step."""

  def __init__(
    self, inputs: int, width: int, depth: int, dtype: DTypeLike, rngs: nnx.Rngs
  ):
    self.dtype = dtype
    self.enter = nnx.Linear(inputs, width, dtype=dtype, rngs=rngs)
    self.middle = nnx.List(
      [
        nnx.Conv(width, width, (3, 3), dtype=dtype, rngs=rngs)
        for _ in range(depth)
      ]
    )
    self.leave = nnx.Linear(
      width,
      4 + _HIDDEN,
      kernel_init=nnx.initializers.normal(1e-3),
      dtype=dtype,
      rngs=rngs,
    )

  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = nnx.leaky_relu(self.enter(x.astype(self.dtype)), _SLOPE)
    for conv in self.middle:
      x = x + nnx.leaky_relu(conv(x), _SLOPE)
    out = self.leave(x).astype(jnp.float32)
    return out[..., :4], out[..., 4:]


def _unit(x: jax.Array) -> jax.Array:
  """[b, h, w, c] -> [b, h w, c], of length one."""
  x = x.reshape(x.shape[0], -1, x.shape[-1])
  x = x - x.mean(1, keepdims=True)
  return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-4)


def _likeness(first: jax.Array, second: jax.Array, near: int) -> jax.Array:
  """Of shifts against each other: [b, h, w, c] -> [b, h, w, (2 n + 1)^2]."""
  _, h, w, c = first.shape
  half = (near + 1) // 2
  pad = ((0, 0), (half, half), (half, half), (0, 0))
  one, two = jnp.pad(first, pad), jnp.pad(second, pad)
  found = []
  for down, right in itertools.product(range(-near, near + 1), repeat=2):
    # What was moved is shared between both.
    up, left = half - down // 2, half - right // 2
    low, far = up + down, left + right
    found.append(
      (
        one[:, up : up + h, left : left + w]
        * two[:, low : low + h, far : far + w]
      ).sum(-1)
    )
  return jnp.stack(found, -1) / c**0.5


def _fetched(x: jax.Array, flow: jax.Array) -> jax.Array:
  """[b, h, w, c] from where [b, h, w, 2] points, in cells."""
  return planes.to_image(planes.warp(x, planes.of_image(flow)))


def _enlarged(x: jax.Array) -> jax.Array:
  return planes.to_image(planes.enlarge(planes.of_image(x), 2))


def _parted(flow: jax.Array) -> jax.Array:
  """[b, h, w, 4] -> [b, 2, h, w, 2]."""
  return jnp.stack([flow[..., :2], flow[..., 2:]], 1)
