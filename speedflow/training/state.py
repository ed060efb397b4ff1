"""The train state: everything that an update reads and writes, as a pytree."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from flax import nnx

Params = Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
  """All of a run that lives on devices.

  Attributes:
    step: int32 [], updates made so far.
    rng: the key that every step's randomness is folded from; never changes.
    params: nested dict of the model's parameters, float32.
    model_state: nested dict of what else the model keeps (batch statistics).
    opt_state: of the optimizer.
    ema: exponential moving average of `params`, or None.
  """

  step: jax.Array
  rng: jax.Array
  params: Params
  model_state: Any
  opt_state: optax.OptState
  ema: Params | None

  @property
  def best_params(self) -> Params:
    """What to evaluate and ship: the average, or else the parameters."""
    return self.params if self.ema is None else self.ema


def split_model(model: nnx.Module) -> tuple[Params, Any]:
  """The parameters of a model, and its other state, as nested dicts."""
  params, model_state = nnx.state(model, nnx.Param, ...)
  return nnx.to_pure_dict(params), nnx.to_pure_dict(model_state)


def create_state(
  model: nnx.Module,
  optimizer: optax.GradientTransformation,
  rng: jax.Array,
  *,
  average: bool,
) -> TrainState:
  """Splits a fresh model, once, into the state at step 0."""
  params, model_state = split_model(model)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    rng=rng,
    params=params,
    model_state=model_state,
    opt_state=optimizer.init(params),
    # A copy, as two leaves of a donated state must not share a buffer.
    ema=jax.tree.map(jnp.copy, params) if average else None,
  )


def learning_rate_schedule(config: ml_collections.ConfigDict) -> optax.Schedule:
  """Linear warm-up, then half a cosine (SGDR, arXiv 1608.03983)."""
  fields = config.optimizer
  return optax.warmup_cosine_decay_schedule(
    init_value=0.0,
    peak_value=fields.learning_rate,
    # Optax wants at least one step of decay after the warm-up.
    warmup_steps=min(fields.warmup_steps, config.num_steps - 1),
    decay_steps=config.num_steps,
    end_value=fields.learning_rate * fields.final_fraction,
  )


def create_optimizer(
  config: ml_collections.ConfigDict,
) -> optax.GradientTransformation:
  """Clipping by global norm, then AdamW (arXiv 1711.05101)."""
  fields = config.optimizer
  clip = (
    optax.clip_by_global_norm(fields.clip_norm)
    if fields.clip_norm
    else optax.identity()
  )
  return optax.chain(
    clip,
    optax.scale_by_adam(b1=fields.b1, b2=fields.b2, eps=fields.eps),
    # Biases and scales are left out: shrinking them only harms.
    optax.add_decayed_weights(
      fields.weight_decay,
      mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    ),
    optax.scale_by_learning_rate(learning_rate_schedule(config)),
  )


def update_average(
  average: Params, params: Params, step: jax.Array, decay: float
) -> Params:
  """One update of the exponential moving average.

  Args:
    average: the average so far.
    params: the parameters after update number `step + 1`.
    step: int32 [], updates made before this one.
    decay: the largest decay; early on it is (1 + step) / (10 + step), so that
      the random start is soon forgotten.
  """
  keep = jnp.minimum(decay, (1 + step) / (10 + step))
  return jax.tree.map(
    lambda old, new: keep * old + (1 - keep) * new, average, params
  )
