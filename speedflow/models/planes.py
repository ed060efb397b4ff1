"""Pictures as planes, [b, c, h, w], and planes parted by phase.

Rows and columns come last, where loops are long. A picture's phases, [b, c, 2,
2, h / 2, w / 2], are the pixels of even and odd rows and columns: what is at
[..., y, x, i, j] is the pixel in row 2 i + y and column 2 j + x. They stand in
for one another at half the size, so that neither halving nor what a network of
half the size reads or writes has to move pixels about.

Every function is a program of its own when called as such, and a part of the
program that calls it otherwise. On a CPU, XLA fuses a long chain of these into
loops that compute the same again and again: there, called one by one, they are
faster.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@jax.jit
def of_image(image: jax.Array) -> jax.Array:
  """[b, h, w, c] -> [b, c, h, w]."""
  return image.transpose(0, 3, 1, 2)


@jax.jit
def to_image(planes: jax.Array) -> jax.Array:
  """[b, c, h, w] -> [b, h, w, c]."""
  return planes.transpose(0, 2, 3, 1)


@jax.jit
def part(planes: jax.Array) -> jax.Array:
  """[b, c, h, w] -> [b, c, 2, 2, h / 2, w / 2]."""
  b, c, h, w = planes.shape
  x = planes.reshape(b, c, h // 2, 2, w // 2, 2)
  return x.transpose(0, 1, 3, 5, 2, 4)


@jax.jit
def join(phases: jax.Array) -> jax.Array:
  """[b, c, 2, 2, h / 2, w / 2] -> [b, c, h, w]."""
  b, c, _, _, h, w = phases.shape
  return phases.transpose(0, 1, 4, 2, 5, 3).reshape(b, c, 2 * h, 2 * w)


@jax.jit
def pool(phases: jax.Array) -> jax.Array:
  """Means of 2 x 2: [b, c, 2, 2, h / 2, w / 2] -> [b, c, h / 2, w / 2]."""
  upper = phases[:, :, 0, 0] + phases[:, :, 0, 1]
  lower = phases[:, :, 1, 0] + phases[:, :, 1, 1]
  return (upper + lower) / 4


@jax.jit
def halve(planes: jax.Array) -> jax.Array:
  """Means of 2 x 2: [b, c, h, w] -> [b, c, h / 2, w / 2]."""
  return pool(part(planes))


@jax.jit
def flat(phases: jax.Array) -> jax.Array:
  """[b, c, 2, 2, h / 2, w / 2] -> [b, 4 c, h / 2, w / 2]."""
  b, c, _, _, h, w = phases.shape
  return phases.reshape(b, 4 * c, h, w)


@jax.jit
def luma(x: jax.Array) -> jax.Array:
  """Planes or phases, [b, 3, ...] -> [b, 1, ...]."""
  red, green, blue = _LUMA
  return (red * x[:, 0] + green * x[:, 1] + blue * x[:, 2])[:, None]


def enlarge(planes: jax.Array, factor: int) -> jax.Array:
  """Bilinear: [b, c, h, w] -> [b, c, factor h, factor w]."""
  return _stretch(_stretch(planes, factor, 2), factor, 3)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _stretch(x: jax.Array, factor: int, axis: int) -> jax.Array:
  before, after = _beside(x, axis)
  parts = []
  for k in range(factor):
    place = (k + 0.5) / factor - 0.5
    other = before if place < 0 else after
    parts.append((1 - abs(place)) * x + abs(place) * other)
  shape = list(x.shape)
  shape[axis] *= factor
  return jnp.stack(parts, axis + 1).reshape(shape)


def _beside(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
  """What is before and after each place; at the end, the place itself."""
  length = x.shape[axis]
  low = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
  high = jax.lax.slice_in_dim(x, length - 1, length, axis=axis)
  padded = jnp.concatenate([low, x, high], axis)
  return (
    jax.lax.slice_in_dim(padded, 0, length, axis=axis),
    jax.lax.slice_in_dim(padded, 2, length + 2, axis=axis),
  )


def warp(image: jax.Array, flow: jax.Array, top: int = 0) -> jax.Array:
  """Fetches every pixel from where the flow points, bilinearly.

  Args:
    image: float [b, h, w, c].
    flow: float, planes [b, 2, h, w] or phases [b, 2, 2, 2, h / 2, w / 2], x and
      y in pixels; beyond the border, the border is repeated. It may be that of
      some rows alone.
    top: row of the image at which the flow begins.

  Returns:
    float [b, c, ...], planes or phases as the flow.
  """
  return _as(_fetch(image, flow, top), flow.shape[2:])


@jax.jit
def _fetch(image: jax.Array, flow: jax.Array, top: jax.Array) -> jax.Array:
  """Pixels in the order of the flow: float [b, h * w, c]."""
  b, height, width, c = image.shape
  x, y = _places(flow, top, height, width)
  left = jnp.clip(jnp.floor(x), 0, width - 2)
  top = jnp.clip(jnp.floor(y), 0, height - 2)
  right_share = (x - left).reshape(b, -1, 1)
  lower_share = (y - top).reshape(b, -1, 1)
  index = (top * width + left).astype(jnp.int32).reshape(b, -1)
  pixels = image.reshape(b, height * width, c)

  def at(offset: int) -> jax.Array:
    return jax.vmap(lambda row, i: row.at[i].get(mode="promise_in_bounds"))(
      pixels, index + offset
    )

  upper = at(0) * (1 - right_share) + at(1) * right_share
  lower = at(width) * (1 - right_share) + at(width + 1) * right_share
  # Fused into several consumers, it would be computed anew for each.
  return jax.lax.optimization_barrier(
    upper * (1 - lower_share) + lower * lower_share
  )


@functools.partial(jax.jit, static_argnums=1)
def _as(pixels: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  b, _, c = pixels.shape
  return pixels.transpose(0, 2, 1).reshape(b, c, *shape)


def _places(
  flow: jax.Array, top: jax.Array, height: int, width: int
) -> tuple[jax.Array, jax.Array]:
  """Where in the picture the flow points: x and y, [b, ...]."""
  rows, columns = flow.shape[-2:]
  x, y = jnp.arange(columns), jnp.arange(rows)[:, None]
  if flow.ndim == 6:
    x = 2 * x + jnp.arange(2)[:, None, None]
    y = 2 * y + jnp.arange(2)[:, None, None, None]
  return (
    jnp.clip(x + flow[:, 0], 0, width - 1),
    jnp.clip(y + top + flow[:, 1], 0, height - 1),
  )


def warp_sharply(image: jax.Array, flow: jax.Array, top: int = 0) -> jax.Array:
  """As `warp`, with the cubic convolution of Keys (1981) instead.

  Bilinear pixels are corrected by second differences, of the luma alone and
  without the mixed term: it takes the places that `warp` takes.

  Args:
    image: float [b, h, w, 3].
    flow: as there.
    top: as there.

  Returns:
    float [b, 3, ...].
  """
  fetched = warp(_with_bends(image), flow, top)
  return _correct(fetched, flow, top, *image.shape[1:3])


@jax.jit
def _with_bends(image: jax.Array) -> jax.Array:
  """Appends second differences along x and y: [b, h, w, 3 + 2]."""
  gray = (image @ _LUMA)[..., None]
  bends = [sum(_beside(gray, axis)) - 2 * gray for axis in (2, 1)]
  return jnp.concatenate([image, *bends], -1)


@functools.partial(jax.jit, static_argnums=(3, 4))
def _correct(
  fetched: jax.Array, flow: jax.Array, top: jax.Array, height: int, width: int
) -> jax.Array:
  bent = jnp.zeros_like(fetched[:, 0])
  for axis, place in enumerate(_places(flow, top, height, width)):
    share = place - jnp.floor(place)
    bent += share * (1 - share) / 2 * fetched[:, 3 + axis]
  return fetched[:, :3] - bent[:, None]


@jax.jit
def contrast(phases: jax.Array) -> jax.Array:
  """What differs from the surroundings, eight pixels wide: as `phases`."""
  wide = enlarge(halve(halve(pool(phases))), 8)
  return phases - part(wide)


@jax.jit
def pad(planes: jax.Array) -> jax.Array:
  """Repeats the border: [b, c, h, w] -> [b, c, h + 2, w + 2]."""
  return jnp.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")


@jax.jit
def features(*planes: jax.Array) -> jax.Array:
  """Several [b, c, h, w] -> [b, h, w, sum of c], as convolutions want them."""
  return to_image(jnp.concatenate(planes, 1))
