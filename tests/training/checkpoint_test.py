import jax
import jax.numpy as jnp
import pytest

from speedflow import errors
from speedflow.training import checkpoint, experiment, loop, sharding, step


@pytest.fixture
def save_scores(toy, tmp_path):
  """Saves one state per score; gives the steps that are kept."""

  def save(scores, *overrides, first=1):
    config = toy(*overrides)
    made = experiment.load_experiment(config)
    data = iter(made.dataset("train", seed=0, process_index=0, process_count=1))
    mesh = sharding.make_mesh(config, jax.devices()[:1])
    state = step.TrainProgram(made, config, mesh).init()
    saved = checkpoint.Checkpointer(tmp_path, config)
    for at, score in enumerate(scores, start=first):
      saved.save(at, state, data, {} if score is None else {"rmse": score})
    saved.close()
    return sorted(int(entry.name) for entry in tmp_path.glob("[0-9]*"))

  return save


def test_the_newest_are_kept(save_scores):
  assert save_scores([None] * 5) == [4, 5]


def test_the_best_are_kept_too(save_scores):
  kept = save_scores(
    [0.5, 0.1, None, 0.4, 0.3, None],
    *("--config.checkpoint.best_metric=rmse", "--config.checkpoint.keep=1"),
  )
  assert kept == [2, 6]


def test_the_best_may_be_the_highest(save_scores):
  kept = save_scores(
    [0.5, 0.1, 0.4],
    *("--config.checkpoint.best_metric=rmse", "--config.checkpoint.keep=1"),
    "--config.checkpoint.best_mode=max",
  )
  assert kept == [1, 3]


def test_the_best_is_found_again(save_scores, toy, tmp_path):
  flags = ("--config.checkpoint.best_metric=rmse", "--config.checkpoint.keep=1")
  save_scores([0.5, 0.1, None, 0.4, 0.3, None], *flags)
  saved = checkpoint.Checkpointer(tmp_path, toy(*flags), read_only=True)
  assert (saved.best_step, saved.latest_step) == (2, 6)
  saved.close()


def test_a_run_that_goes_on_keeps_its_best(save_scores):
  flags = ("--config.checkpoint.best_metric=rmse", "--config.checkpoint.keep=1")
  assert save_scores([0.5, 0.1, 0.4], *flags) == [2, 3]
  assert save_scores([0.3, 0.2], *flags, first=4) == [2, 5]
  assert save_scores([0.05, 0.2], *flags, first=6) == [6, 7]


def test_an_unknown_best_metric_is_named(save_scores):
  with pytest.raises(errors.SpeedflowError, match=r"'speed'.* gave rmse"):
    save_scores([0.5], "--config.checkpoint.best_metric=speed")


def test_a_checkpoint_of_another_model_names_the_array(toy, finished):
  with pytest.raises(
    errors.SpeedflowError,
    match=(
      r"params/head/kernel is float32\[16, 1\], but the configuration wants "
      r"float32\[64, 1\]"
    ),
  ):
    loop.evaluate(toy(arg="wide"), finished[0], "val")


def test_a_checkpoint_without_an_average_is_named(toy, finished):
  with pytest.raises(
    errors.SpeedflowError, match=r"ema/head/bias is .* no such"
  ):
    loop.evaluate(toy("--config.ema_decay=0.0"), finished[0], "val")


def test_evaluation_without_a_checkpoint_says_to_train(toy, tmp_path):
  with pytest.raises(errors.SpeedflowError, match="no checkpoint; train first"):
    loop.evaluate(toy(), tmp_path, "val")


def test_keys_and_integers_survive(save_scores, toy, tmp_path):
  save_scores([None])
  config = toy()
  mesh = sharding.make_mesh(config, jax.devices()[:1])
  program = step.TrainProgram(experiment.load_experiment(config), config, mesh)
  saved = checkpoint.Checkpointer(tmp_path, config)
  state = saved.restore(program.abstract_state)
  saved.close()
  assert jnp.all(
    jax.random.key_data(state.rng) == jax.random.key_data(program.init().rng)
  )
  assert state.step.dtype == jnp.int32
