"""Layers that Wan's networks share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models.wan.config import Computation


def linear(
  config: Computation,
  inside: int,
  outside: int,
  rngs: nnx.Rngs,
  *,
  name: str = "",
  bias: bool = True,
  dtype: Any = None,
) -> nnx.Linear:
  """A matrix, with low-rank matrices beside it where they are asked for.

  LoRA: arXiv 2106.09685. At first they add nothing.

  Args:
    config: how it is computed.
    inside: features in.
    outside: features out.
    rngs: for its parameters.
    name: of a projection; with low-rank matrices if it is among the targets.
    bias: whether it has one.
    dtype: to compute in, instead of that of `config`.
  """
  kind: Callable[..., nnx.Linear] = nnx.Linear
  given: dict[str, Any] = {}
  if config.lora_rank and name in config.lora_targets:
    kind, given = nnx.LoRALinear, {"lora_rank": config.lora_rank}
  return kind(
    inside,
    outside,
    use_bias=bias,
    dtype=config.dtype if dtype is None else dtype,
    param_dtype=config.param_dtype,
    rngs=rngs,
    **given,
  )


def layer_norm(
  width: int, epsilon: float, rngs: nnx.Rngs, *, learnt: bool
) -> nnx.LayerNorm:
  """Layer normalisation in float32."""
  return nnx.LayerNorm(
    width,
    epsilon=epsilon,
    use_bias=learnt,
    use_scale=learnt,
    use_fast_variance=False,
    dtype=jnp.float32,
    rngs=rngs,
  )


def rms_norm(width: int, epsilon: float, rngs: nnx.Rngs) -> nnx.RMSNorm:
  """Normalisation by the root mean square (arXiv 1910.07467), in float32."""
  return nnx.RMSNorm(width, epsilon=epsilon, dtype=jnp.float32, rngs=rngs)


def exact_gelu(x: jax.Array) -> jax.Array:
  """The Gaussian error linear unit, by the error function."""
  return jax.nn.gelu(x, approximate=False)
