"""Detail that is made up: a rectified flow over what a synthesis lacks.

`superres.SuperResNet` gives, of all pictures that could have been, about their
mean, which is smoother than any of them. Here a small network carries noise
to one residual of many that the frames allow (Liu et al., "Flow Straight and
Fast", arXiv 2209.03003), in a few Euler steps. It changes the luma alone, and
in units of the error that the synthesis expects of itself, so that where the
synthesis is sure nothing is made up.

Noise belongs to the pixels of the first frame and travels with the motion, so
that made-up texture moves with its body.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from speedflow.models import generator_flow, planes, superres

REACH = 24
"""Pixels further away do not influence a step."""

# Residuals are in units of the expected error and this, of full scale.
_LEAST_ERROR = 1 / 255
# Larger residuals than this, in those units, are not learnt.
_LARGEST = 6.0
# Differences of pixels (0..1) enter magnified: most are small.
_DIFFERENCE = 8.0
# Inputs at each pixel of half the size: the point and the picture, both frames
# beside it, each of 2 x 2 pixels; colours; the error; three numbers.
_INPUTS = 4 * 4 + 3 + 1 + 3


@dataclasses.dataclass(frozen=True)
class RefinerConfig:
  """Sizes of a `SuperResRefiner`.

  Attributes:
    widths: features at 1/2 and 1/4 of the size.
    dtype: what the convolutions compute in; parameters are float32.
  """

  widths: tuple[int, ...] = (24, 40)
  dtype: DTypeLike = jnp.float32


class SuperResRefiner(nnx.Module):
  """The velocity from noise to a residual of the luma."""

  def __init__(self, config: RefinerConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    self.trunk = superres.Pyramid(_INPUTS, config.widths, config.dtype, rngs)
    self.velocity = nnx.Linear(
      config.widths[0], 4, kernel_init=nnx.initializers.zeros, rngs=rngs
    )

  def __call__(
    self, point: jax.Array, moment: jax.Array, condition: jax.Array
  ) -> jax.Array:
    """The mean velocity at a point.

    Args:
      point: float [b, h, w, 1], between noise and residual.
      moment: float [b], 0 (noise) .. 1 (residual).
      condition: of `condition`.

    Returns:
      float32 [b, h, w, 1].
    """
    b, height, width, _ = condition.shape
    moments = jnp.broadcast_to(
      moment[:, None, None, None], (b, height, width, 1)
    )
    x = jnp.concatenate([_half_size(point), condition, moments], -1)
    return superres.depth_to_space(self.velocity(self.trunk(x)))


def condition(
  images: jax.Array,
  made: superres.Synthesis,
  time: jax.Array,
  exposure: jax.Array,
) -> jax.Array:
  """What the residual may depend on.

  Args:
    images: float [b, 2, h, w, 3], the frames, 0..1.
    made: from them.
    time: float [b], of the synthesis, 0..1.
    exposure: float [b], of the frames, 0..1; nan: unknown.

  Returns:
    float32 [b, h / 2, w / 2, `_INPUTS` - 5].
  """
  picture = planes.of_image(made.image)
  luma = planes.luma(picture)
  beside = [
    planes.warp(_luma(images[:, i]), planes.of_image(made.flow[:, i])) - luma
    for i in range(2)
  ]
  smooth = planes.enlarge(planes.halve(planes.halve(luma)), 4)
  b, _, height, width = luma.shape
  scalars = jnp.stack([time, jnp.nan_to_num(exposure, nan=1.0)], -1)
  return planes.features(
    *(
      planes.flat(planes.part(each * _DIFFERENCE))
      for each in (luma - smooth, *beside)
    ),
    planes.halve(picture) - 0.5,
    jnp.log(made.uncertainty + _LEAST_ERROR)[:, None] + 4.0,
    jnp.broadcast_to(scalars[..., None, None], (b, 2, height // 2, width // 2)),
  )


def unit(made: superres.Synthesis) -> jax.Array:
  """Of residuals: float32 [b, h, w, 1], of full scale."""
  wide = planes.enlarge(made.uncertainty[:, None], 2)
  return planes.to_image(wide) + _LEAST_ERROR


def residual(made: superres.Synthesis, truth: jax.Array) -> jax.Array:
  """What the luma lacks, in its unit.

  Args:
    made: a synthesis.
    truth: float [b, h, w, 3], 0..1.

  Returns:
    float32 [b, h, w, 1].
  """
  lacking = _luma(truth) - _luma(made.image)
  return jnp.clip(lacking / unit(made), -_LARGEST, _LARGEST)


def refine(
  refiner: SuperResRefiner,
  images: jax.Array,
  made: superres.Synthesis,
  time: jax.Array,
  exposure: jax.Array,
  noise: jax.Array,
  steps: int,
) -> jax.Array:
  """Adds one residual of many.

  Args:
    refiner: the network.
    images: as of `condition`.
    made: the same.
    time: the same.
    exposure: the same.
    noise: float [b, h, w, 1], normal, of the first frame's pixels.
    steps: of Euler's method; 0 changes nothing, 1 adds the residual's mean.

  Returns:
    float32 [b, h, w, 3].
  """
  if not steps:
    return made.image
  given = condition(images, made, time, exposure)
  point = carried(noise, made.flow[:, 0])
  for step in range(steps):
    moment = jnp.full(time.shape, step / steps)
    point += refiner(point, moment, given) / steps
  return made.image + unit(made) * point


def carried(noise: jax.Array, flow: jax.Array) -> jax.Array:
  """Noise that travels with the motion: each pixel's from the nearest one.

  Args:
    noise: float [b, h, w, 1].
    flow: float [b, h, w, 2], pixels.
  """
  nearest = jnp.round(planes.of_image(flow))
  return planes.to_image(planes.warp(noise, nearest))


def velocity(
  noise: jax.Array, lacking: jax.Array, moment: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """A point on the way from noise to a residual, and its velocity."""
  return generator_flow.interpolate(lacking, noise, moment), lacking - noise


def _luma(image: jax.Array) -> jax.Array:
  """[b, h, w, 3] -> [b, h, w, 1]."""
  return planes.to_image(planes.luma(planes.of_image(image)))


def _half_size(image: jax.Array) -> jax.Array:
  """[b, h, w, 1] -> [b, h / 2, w / 2, 4]."""
  return planes.to_image(planes.flat(planes.part(planes.of_image(image))))
