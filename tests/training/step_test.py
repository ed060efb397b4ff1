import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from speedflow import errors
from speedflow.training import experiment, sharding, state, step

EXACT = ("--config.model.dropout=False", "--config.model.batch_norm=False")


@pytest.fixture
def run_steps(toy):
  def run(count, *overrides):
    config = toy(*overrides)
    made = experiment.load_experiment(config)
    mesh = sharding.make_mesh(config, jax.devices()[:1])
    program = step.TrainProgram(made, config, mesh)
    compiled = program.trace_step().lower().compile()
    data = iter(made.dataset("train", seed=0, process_index=0, process_count=1))
    current = program.init()
    history = [jax.device_get(current.params)]
    for _ in range(count):
      batch = sharding.global_batch(next(data), program.abstract_batch)
      current, metrics = compiled(current, batch)
      history.append(jax.device_get(current.params))
    return current, history, metrics

  return run


def assert_close(one, other, tolerance=1e-5):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=tolerance, atol=tolerance
    ),
    one,
    other,
  )


def test_accumulated_gradients_equal_a_big_batch(run_steps):
  big, _, metrics = run_steps(2, *EXACT)
  small, _, same_metrics = run_steps(2, *EXACT, "--config.microbatches=4")
  assert_close(small.params, big.params)
  assert_close(same_metrics, metrics, 1e-4)


def test_average_is_the_weighted_sum_of_all_parameters(run_steps):
  current, history, _ = run_steps(3, "--config.ema_decay=0.15")
  expected = history[0]
  for done, params in enumerate(history[1:]):
    decay = min(0.15, (1 + done) / (10 + done))
    expected = jax.tree.map(
      lambda a, b, decay=decay: decay * a + (1 - decay) * b, expected, params
    )
  assert_close(current.ema, expected, 1e-6)


def test_average_can_be_switched_off(run_steps):
  current, _, _ = run_steps(1, "--config.ema_decay=0.0")
  assert current.ema is None
  assert current.best_params is current.params


def test_parameters_stay_float32_and_statistics_move(run_steps):
  current, _, _ = run_steps(1)
  assert {leaf.dtype for leaf in jax.tree.leaves(current.params)} == {
    jnp.dtype("float32")
  }
  assert np.any(current.model_state["norm"]["mean"])


def test_optimizer_equals_optax_adamw(toy):
  config = toy("--config.optimizer.clip_norm=0.5")
  params = {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}
  gradients = jax.tree.map(lambda leaf: leaf * 3.0, params)
  reference = optax.chain(
    optax.clip_by_global_norm(0.5),
    optax.adamw(
      state.learning_rate_schedule(config),
      b1=0.9,
      b2=0.99,
      weight_decay=1e-2,
      mask={"kernel": True, "bias": False},
    ),
  )

  def two_updates(optimizer):
    memory = optimizer.init(params)
    for _ in range(2):
      updates, memory = optimizer.update(gradients, memory, params)
    return updates

  assert_close(
    two_updates(state.create_optimizer(config)), two_updates(reference), 1e-7
  )


def test_learning_rate_warms_up_then_falls_to_its_fraction(toy):
  schedule = state.learning_rate_schedule(
    toy(
      *("--config.num_steps=100", "--config.optimizer.warmup_steps=10"),
      *("--config.optimizer.final_fraction=0.1",),
    )
  )
  peak = 1e-3
  np.testing.assert_allclose(
    [schedule(at) for at in (0, 5, 10, 55, 100)],
    [0, peak / 2, peak, peak * 0.55, peak * 0.1],
    rtol=1e-5,
    atol=1e-9,
  )


def test_a_batch_that_does_not_split_is_refused(toy):
  config = toy("--config.microbatches=3")
  with pytest.raises(errors.SpeedflowError, match="a multiple of 3"):
    step.TrainProgram(
      experiment.load_experiment(config),
      config,
      sharding.make_mesh(config, jax.devices()[:1]),
    )
