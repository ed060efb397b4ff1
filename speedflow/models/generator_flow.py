"""Rectified flow: from noise to clips along straight lines.

At time 0 there is noise, at time 1 the clip; on the way a point moves at the
constant velocity clip - noise, whose mean a network learns (Liu et al., arXiv
2209.03003; Lipman et al., arXiv 2210.02747).
"""

from typing import NamedTuple

import jax
import numpy as np


def interpolate(clip: jax.Array, noise: jax.Array, time: jax.Array):
  """The point at a time, float [b, t, ...], for times [b] or [b, t]."""
  time = time.reshape(*time.shape, *[1] * (clip.ndim - time.ndim))
  return (1 - time) * noise + time * clip


def sample_times(
  rng: jax.Array,
  count: int,
  distribution: str = "logit_normal",
  shift: float = 0.0,
) -> jax.Array:
  """Draws training times.

  Args:
    rng: key.
    count: how many.
    distribution: "uniform", or "logit_normal", which dwells in the middle,
      where the task is hardest (arXiv 2403.03206, section 3.1).
    shift: of the logit-normal's mean; less than 0 dwells near noise. What
      many numbers say together shows through much of it (arXiv 2403.03206,
      section 5.3.2).

  Returns:
    float32 [count] in 0..1.

  Raises:
    ValueError: there is no such distribution.
  """
  if distribution == "uniform":
    return jax.random.uniform(rng, (count,))
  if distribution == "logit_normal":
    return jax.nn.sigmoid(jax.random.normal(rng, (count,)) + shift)
  raise ValueError(
    f"times are {distribution!r}; wanted 'uniform' or 'logit_normal'"
  )


def schedule(steps: int, shift: float) -> np.ndarray:
  """Times at which to sample, denser where training dwelt.

  Args:
    steps: of the sampler.
    shift: as in `sample_times`.

  Returns:
    float64 [steps + 1], from 0 to 1.
  """
  even = np.linspace(0, 1, steps + 1)
  return even / (even + np.exp(-shift) * (1 - even))


class Scales(NamedTuple):
  """How a network's input and output are brought to unit variance."""

  skip: jax.Array
  inside: jax.Array
  out: jax.Array


def scales(time: jax.Array, deviation: jax.Array) -> Scales:
  """Preconditioning of the velocity, after EDM (arXiv 2206.00364, table 1).

  For clips of independent Gaussian pixels, `skip` times the point is the
  velocity's mean, and `out` what it deviates from that mean by. So a network
  that is multiplied by `out` starts from the best linear guess, and its
  target has unit variance at all times.

  Args:
    time: float [...].
    deviation: float, broadcastable to the same: standard deviation of pixels.
  """
  variance = (time * deviation) ** 2 + (1 - time) ** 2
  return Scales(
    skip=(time * deviation**2 - (1 - time)) / variance,
    inside=jax.lax.rsqrt(variance),
    out=deviation * jax.lax.rsqrt(variance),
  )


def guide(
  nothing: jax.Array,
  image: jax.Array,
  both: jax.Array,
  image_guidance: float,
  speed_guidance: float,
) -> jax.Array:
  """Classifier-free guidance, apart for two conditions.

  As in InstructPix2Pix (arXiv 2211.09800, equation 3): 1 and 1 follow the
  conditions as trained; more exaggerates one of them; 0 ignores it.

  Args:
    nothing: velocity without conditions.
    image: velocity given the first frame.
    both: velocity given the first frame and the speed.
    image_guidance: weight of the first frame.
    speed_guidance: weight of the speed.
  """
  return (
    nothing
    + image_guidance * (image - nothing)
    + speed_guidance * (both - image)
  )
