"""Layers that Wan's networks share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from speedflow.models.wan.config import Computation


class Frozen(nnx.Variable):
  """A parameter that is not trained: it has no gradient and no moments."""


ADDED = frozenset({"speed", "lora"})
"""Parts of the paths of what Wan does not have."""


def freeze(model: nnx.Module) -> None:
  """Makes everything `Frozen` but what is added to Wan."""
  for path, module in nnx.iter_modules(model):
    if ADDED & set(map(str, path)):
      continue
    for name, value in list(vars(module).items()):
      if isinstance(value, nnx.Param):
        setattr(module, name, Frozen(value.get_value()))


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
    kind = nnx.LoRALinear
    given = {"lora_rank": config.lora_rank, "lora_dtype": config.dtype}
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


def through(
  stack: Any,
  x: jax.Array,
  apply: Callable[[Any, jax.Array], jax.Array],
  remat: str = "none",
) -> jax.Array:
  """Sends tokens through stacked blocks, one program for all of them.

  Args:
    stack: blocks whose parameters have a first axis for the layers.
    x: what goes in, float [...].
    apply: of a block and x, gives the next x.
    remat: see `Computation`.

  Returns:
    What comes out, like x.
  """
  graph, states = nnx.split(stack)

  def one(x: jax.Array, state: Any) -> tuple[jax.Array, None]:
    return apply(nnx.merge(graph, state), x), None

  if remat != "none":
    policy = None
    if remat == "dots":
      policy = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    one = jax.checkpoint(one, policy=policy, prevent_cse=False)
  return jax.lax.scan(one, x, states)[0]


def exact_gelu(x: jax.Array) -> jax.Array:
  """The Gaussian error linear unit, by the error function."""
  return jax.nn.gelu(x, approximate=False)
