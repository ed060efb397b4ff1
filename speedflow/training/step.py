"""One update, and the program that runs it over a mesh of devices."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from speedflow import errors
from speedflow.training import experiment as experiment_lib
from speedflow.training import sharding
from speedflow.training import state as state_lib


class TrainProgram:
  """The jitted functions of one experiment on one mesh.

  Nothing runs and no array is made until a method is called, so that the same
  program can be compiled for devices that are not there.

  Attributes:
    abstract_state: the train state's shapes, dtypes and shardings.
    abstract_batch: the global batch's shapes, dtypes and shardings.

  Args:
    experiment: gives the model and the loss.
    config: the whole configuration.
    mesh: the devices.

  Raises:
    SpeedflowError: the batch cannot be split as the configuration asks.
  """

  def __init__(
    self,
    experiment: experiment_lib.Experiment,
    config: ml_collections.ConfigDict,
    mesh: Mesh,
  ):
    self._experiment = experiment
    self._config = config
    self._mesh = mesh
    self._optimizer = state_lib.create_optimizer(config)
    self._schedule = state_lib.learning_rate_schedule(config)

    # Shapes -> shardings -> programs, in this order, with nothing allocated.
    self._graph = nnx.graphdef(
      nnx.eval_shape(lambda: experiment.init_model(nnx.Rngs(0)))
    )
    shapes = jax.eval_shape(self._create_state)
    self._state_sharding = sharding.infer_sharding(
      shapes, config.sharding, mesh, min_size=config.fsdp_min_size
    )
    self.abstract_state: state_lib.TrainState = sharding.with_sharding(
      shapes, self._state_sharding
    )
    self.abstract_batch = self._abstract_batch()
    self._gather = jax.jit(
      lambda tree: tree, out_shardings=NamedSharding(mesh, PartitionSpec())
    )

  def _abstract_batch(self) -> Any:
    spec = self._experiment.batch_spec()
    rows = {leaf.shape[0] for leaf in jax.tree.leaves(spec)}
    parts = sharding.batch_parts(self._mesh) * self._config.microbatches
    if any(count % parts for count in rows):
      raise errors.SpeedflowError(
        f"a batch of {sorted(rows)} rows does not split into "
        f"{sharding.batch_parts(self._mesh)} devices x "
        f"{self._config.microbatches} "
        f"microbatches; make config.batch_size a multiple of {parts}"
      )
    split = sharding.batch_sharding(self._mesh)
    return sharding.with_sharding(spec, jax.tree.map(lambda _: split, spec))

  # -- Creating the state ----------------------------------------------------

  def _create_state(self, given: Any = None) -> state_lib.TrainState:
    """The state at step 0; `given`: parameters and other state, if any."""
    init_key, step_key = jax.random.split(jax.random.key(self._config.seed))
    if given is None:
      model = self._experiment.init_model(nnx.Rngs(init_key))
    else:
      model = nnx.merge(self._graph, *given)
    return state_lib.create_state(
      model,
      self._optimizer,
      step_key,
      average=self._config.ema_decay > 0,
    )

  def init(self) -> state_lib.TrainState:
    """Makes the state at step 0, each shard on its own device."""
    create = jax.jit(
      self._create_state, out_shardings=self._state_sharding, donate_argnums=0
    )
    if isinstance(self._experiment, experiment_lib.LoadsModel):
      places = {
        sharding.path_name(path): place
        for path, place in jax.tree_util.tree_leaves_with_path(
          {
            "params": self._state_sharding.params,
            "model_state": self._state_sharding.model_state,
          }
        )
      }

      def place(path: str, shape: tuple[int, ...]) -> jax.sharding.Sharding:
        del shape
        return places.get(f"params/{path}") or places[f"model_state/{path}"]

      if (model := self._experiment.load_model(place)) is not None:
        return create(state_lib.split_model(model))
    return create()

  # -- Updating it -----------------------------------------------------------

  def trace_step(self) -> jax.stages.Traced:
    """Traces the update, ready to be lowered and compiled.

    Once compiled, it maps (state, batch) to (state, metrics): the old state's
    memory is reused, and the metrics are scalars.
    """
    step = jax.jit(
      self._train_step,
      out_shardings=(
        self._state_sharding,
        NamedSharding(self._mesh, PartitionSpec()),
      ),
      donate_argnums=0,
    )
    # Networks ask for the mesh; see `models.spread`.
    with jax.sharding.use_abstract_mesh(self._mesh.abstract_mesh):
      return step.trace(self.abstract_state, self.abstract_batch)

  def _train_step(
    self, state: state_lib.TrainState, batch: Any
  ) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
    gradients, model_state, metrics = self._gradients(state, batch)
    updates, opt_state = self._optimizer.update(
      gradients, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
      ema = state_lib.update_average(
        ema, params, state.step, self._config.ema_decay
      )
    metrics |= {
      "learning_rate": jnp.asarray(self._schedule(state.step)),
      "gradient_norm": optax.tree.norm(gradients),
      "param_norm": optax.tree.norm(params),
      "update_norm": optax.tree.norm(updates),
    }
    state = state_lib.TrainState(
      step=state.step + 1,
      rng=state.rng,
      params=params,
      model_state=model_state,
      opt_state=opt_state,
      ema=ema,
    )
    return state, metrics

  def _gradients(self, state: state_lib.TrainState, batch: Any):
    """Mean gradients and metrics of a batch, microbatch after microbatch."""
    count = self._config.microbatches
    rng = jax.random.fold_in(state.rng, state.step)
    differentiate = jax.grad(self._loss, has_aux=True)
    if count == 1:
      gradients, (model_state, metrics) = differentiate(
        state.params, state.model_state, batch, rng
      )
      return gradients, model_state, metrics

    def accumulate(carry, inputs):
      total, model_state = carry
      microbatch, rng = inputs
      gradients, (model_state, metrics) = differentiate(
        state.params, model_state, microbatch, rng
      )
      return (jax.tree.map(jnp.add, total, gradients), model_state), metrics

    zeros = jax.tree.map(jnp.zeros_like, state.params)
    (total, model_state), metrics = jax.lax.scan(
      accumulate,
      (zeros, state.model_state),
      (
        jax.tree.map(self._split_microbatches, batch),
        jax.random.split(rng, count),
      ),
    )
    gradients = jax.tree.map(lambda leaf: leaf / count, total)
    return gradients, model_state, jax.tree.map(jnp.mean, metrics)

  def _split_microbatches(self, array: jax.Array) -> jax.Array:
    """[rows, ...] -> [microbatches, rows / microbatches, ...]."""
    count = self._config.microbatches
    devices = sharding.batch_parts(self._mesh)
    rows, *rest = array.shape
    # Each device takes its part of every microbatch from its own rows, so
    # that none travels: [devices, microbatches, rows of one, ...].
    array = array.reshape(devices, count, rows // devices // count, *rest)
    array = array.swapaxes(0, 1).reshape(count, rows // count, *rest)
    axes = sharding.batch_sharding(self._mesh).spec
    return jax.lax.with_sharding_constraint(
      array, NamedSharding(self._mesh, PartitionSpec(None, *axes))
    )

  def _loss(self, params, model_state, batch, rng):
    model = nnx.merge(self._graph, params, model_state)
    model.train()
    loss, metrics = self._experiment.loss(model, batch, rng)
    _, model_state = state_lib.split_model(model)
    return loss, (model_state, {"loss": loss, **metrics})

  # -- Using it --------------------------------------------------------------

  def evaluation_model(self, state: state_lib.TrainState) -> nnx.Module:
    """The model with its averaged parameters, on one device per process.

    Or on all of them, see `experiment.StaysSharded`.
    """
    arrays = state.best_params, state.model_state
    if not getattr(self._experiment, "stays_sharded", False):
      arrays = jax.tree.map(
        lambda array: array.addressable_data(0), self._gather(arrays)
      )
    params, model_state = arrays
    model = nnx.merge(self._graph, params, model_state)
    model.eval()
    return model
