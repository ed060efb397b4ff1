"""From noise to latents along a rectified flow, in few steps.

UniPC of the second order (arXiv 2302.04867; B(h) = exp(h) - 1, predicting the
clean latents), as Wan is published with, or Euler's method. Times are shifted
towards the noise (arXiv 2403.03206), which has to be looked at longer the
larger the video.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Method = Literal["unipc", "euler"]

TIMES = 1000
"""The network is told times from 0 to this, whole numbers."""

# At the very noise, the logarithm of what is left of the signal is infinite.
_NOISIEST = 1 - 1e-6
_ORDER = 2


class Step(NamedTuple):
  """A step of a sampler.

  Attributes:
    time: what the network is told, 0..1000.
    noise: share of noise before it, 0..1.
    rest: the same after it.
  """

  time: float
  noise: float
  rest: float


def steps(count: int, shift: float, method: Method = "unipc") -> list[Step]:
  """The steps from noise to latents.

  Args:
    count: of them.
    shift: of times; Wan's is 3 at 480p and 5 at 720p.
    method: of the sampler.
  """
  if method == "unipc":
    plain = np.linspace(1, 1 / TIMES, count + 1)[:-1]
  else:
    # Its last step ends where training has its least noise.
    least = shift / (TIMES * (1 + (shift - 1) / TIMES))
    plain = np.linspace(1, least, count)
  shares = shift * plain / (1 + (shift - 1) * plain)
  if method == "unipc":
    times = np.floor(np.minimum(shares, _NOISIEST) * TIMES)
    shares[0] = min(shares[0], _NOISIEST)
  else:
    times = shares * TIMES
  ends = [*shares[1:], 0.0]
  return [
    Step(float(time), float(noise), float(rest))
    for time, noise, rest in zip(times, shares, ends, strict=True)
  ]


def sample(
  velocity: Callable[[jax.Array, float], jax.Array],
  noise: jax.Array,
  plan: list[Step],
  method: Method = "unipc",
) -> Iterator[jax.Array]:
  """Follows the flow from noise.

  Args:
    velocity: of latents at a time (0..1000), from latents to noise.
    noise: of deviation 1, float [...].
    plan: see `steps`.
    method: of the sampler.

  Yields:
    The latents after each step, like `noise`, float32.
  """
  x = noise.astype(jnp.float32)
  if method == "euler":
    for step in plan:
      flow = velocity(x, step.time).astype(jnp.float32)
      x = x + (step.rest - step.noise) * flow
      yield x
    return
  cleans: list[jax.Array] = []
  before = x
  order = 1
  for number, step in enumerate(plan):
    flow = velocity(x, step.time).astype(jnp.float32)
    clean = x - step.noise * flow
    if number:
      # What the last step should have been, seen from its end.
      x = _corrected(plan, number, before, cleans, clean, order)
    cleans = [*cleans[1 - _ORDER :], clean]
    order = min(_ORDER, number + 1, len(plan) - number)
    before = x
    x = _predicted(step, plan, number, x, cleans, order)
    yield x


def _predicted(
  step: Step,
  plan: list[Step],
  number: int,
  x: jax.Array,
  cleans: list[jax.Array],
  order: int,
) -> jax.Array:
  """A step by the latents that were foreseen so far."""
  length, grown, x = _begun(step, x, cleans[-1])
  if order == 1:
    return x
  ratio = (_signal(plan[number - 1].noise) - _signal(step.noise)) / length
  slope = (cleans[-2] - cleans[-1]) / ratio
  return x - (1 - step.rest) * grown * 0.5 * slope


def _corrected(
  plan: list[Step],
  number: int,
  before: jax.Array,
  cleans: list[jax.Array],
  clean: jax.Array,
  order: int,
) -> jax.Array:
  """The last step once more, with the latents foreseen at its end."""
  step = plan[number - 1]
  length, grown, x = _begun(step, before, cleans[-1])
  new = clean - cleans[-1]
  if order == 1:
    return x - (1 - step.rest) * grown * 0.5 * new
  ratio = (_signal(plan[number - 2].noise) - _signal(step.noise)) / length
  first = grown / -length - 1
  second = first / -length - 0.5
  weights = np.linalg.solve(
    np.array([[1.0, 1.0], [ratio, 1.0]]),
    np.array([first, 2 * second]) / grown,
  )
  slope = (cleans[-2] - cleans[-1]) / ratio
  return x - (1 - step.rest) * grown * (weights[0] * slope + weights[1] * new)


def _begun(
  step: Step, x: jax.Array, clean: jax.Array
) -> tuple[float, float, jax.Array]:
  """A step's first order.

  Returns:
    Its length in log signal over noise, exp(-length) - 1, and where it ends.
  """
  length = _signal(step.rest) - _signal(step.noise)
  grown = float(np.expm1(-length))
  first = (step.rest / step.noise) * x - (1 - step.rest) * grown * clean
  return length, grown, first


def _signal(noise: float) -> float:
  """Log of signal over noise."""
  with np.errstate(divide="ignore"):
    return float(np.log(1 - noise) - np.log(np.float64(noise)))
