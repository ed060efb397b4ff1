import json
import shutil
import signal
import threading
import time

import jax
import numpy as np
import pytest

from speedflow import errors
from speedflow.training import loop


def lines_of(workdir):
  text = (workdir / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


def assert_same_bits(one, other):
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(
      jax.device_get(a), jax.device_get(b)
    ),
    jax.tree.map(raw, one),
    jax.tree.map(raw, other),
  )


def raw(leaf):
  if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return jax.random.key_data(leaf)
  return leaf


def test_training_reports_metrics_norms_and_pace(finished):
  workdir, last = finished
  assert {
    "train/loss",
    "train/learning_rate",
    "train/gradient_norm",
    "train/param_norm",
    "train/update_norm",
    "train/steps_per_second",
    "train/data_wait",
    "val/rmse",
  } <= last.keys()
  lines = lines_of(workdir)
  assert [line["step"] for line in lines if "train/loss" in line] == [
    *(2, 3, 4, 6)
  ]
  assert [line["step"] for line in lines if "val/rmse" in line] == [3, 6]
  assert list((workdir / "tensorboard").iterdir())


def test_training_learns(toy, tmp_path):
  config = toy(
    *("--config.num_steps=300", "--config.log_every=100"),
    *("--config.eval_every=0", "--config.checkpoint_every=0"),
    *("--config.optimizer.learning_rate=3e-2", "--config.model.dropout=False"),
  )
  assert loop.train(config, tmp_path)["val/rmse"] < 0.5


def test_a_run_says_what_ran_on_what(finished):
  workdir, _ = finished
  record = json.loads((workdir / "run.json").read_text())
  assert record["status"] == "finished"
  assert record["seed"] == 0
  assert record["config"]["model"]["width"] == 16
  assert record["last_step"] == 6
  assert record["devices"]["count"] == jax.device_count()
  assert record["versions"]["jax"] == jax.__version__
  assert record["metrics"]["val/rmse"] > 0
  assert {"command", "git", "start", "end", "wall_seconds"} <= record.keys()


def test_a_finished_run_can_be_prolonged(toy, finished, tmp_path):
  shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
  # Work after the last checkpoint, lost and to be done again.
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"step": 7, "train/loss": 1e9}\n{"step": 8, "trai')
  loop.train(toy("--config.num_steps=8"), tmp_path)
  assert [line["step"] for line in lines_of(tmp_path)] == [
    *(2, 3, 3, 4, 6, 6, 8, 8)
  ]
  record = json.loads((tmp_path / "run.json").read_text())
  assert record["first_step"] == 6
  assert [part["last_step"] for part in record["earlier"]] == [6]


def test_every_evaluation_is_saved_when_the_best_is_wanted(toy, tmp_path):
  config = toy(
    *("--config.checkpoint.best_metric=rmse", "--config.checkpoint.keep=9"),
    "--config.checkpoint_every=0",
  )
  loop.train(config, tmp_path)
  steps = (tmp_path / "checkpoints").glob("[0-9]*")
  assert sorted(int(step.name) for step in steps) == [3, 6]


def test_a_few_steps_are_profiled_on_demand(toy, tmp_path):
  config = toy("--config.profile.start_step=1", "--config.profile.num_steps=2")
  loop.train(config, tmp_path)
  assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_a_loss_that_is_not_finite_stops_the_run(toy, tmp_path):
  config = toy("--config.model.loss_scale=inf", "--config.eval_every=0")
  with pytest.raises(
    errors.SpeedflowError, match=r"loss.* not finite at step 2; lower"
  ):
    loop.train(config, tmp_path)
  assert not list((tmp_path / "checkpoints").glob("[0-9]*"))
  record = json.loads((tmp_path / "run.json").read_text())
  assert record["status"] == "failed"


def test_a_batch_unlike_its_specification_is_refused(
  toy, tmp_path, monkeypatch
):
  from toy import experiment

  class WrongDtype(experiment.Experiment):
    def batch_spec(self):
      spec = super().batch_spec()
      return spec | {"x": jax.ShapeDtypeStruct(spec["x"].shape, np.float16)}

  monkeypatch.setattr(experiment, "Experiment", WrongDtype)
  with pytest.raises(errors.SpeedflowError, match=r"x is float32.*float16"):
    loop.train(toy(), tmp_path)


def test_evaluation_reads_the_newest_checkpoint(toy, finished):
  workdir, last = finished
  scores = loop.evaluate(toy(), workdir, "test")
  assert scores == {"rmse": last["val/rmse"]}
  assert loop.evaluate(toy(), workdir, "test", step=4) != scores


def test_sigterm_saves_and_stops(toy, tmp_path):
  config = toy("--config.num_steps=100000", "--config.checkpoint_every=0")

  def terminate():
    while not (tmp_path / "metrics.jsonl").exists():
      time.sleep(0.01)
    time.sleep(0.2)
    signal.raise_signal(signal.SIGTERM)

  threading.Thread(target=terminate).start()
  with pytest.raises(loop.PreemptedError, match="run the same command again"):
    loop.train(config, tmp_path)
  record = json.loads((tmp_path / "run.json").read_text())
  assert record["status"] == "preempted"
  assert (tmp_path / "checkpoints" / str(record["last_step"])).exists()


def test_killed_and_resumed_equals_uninterrupted(
  start_toy, run_toy, finished, load_checkpoint, tmp_path
):
  process = start_toy(tmp_path, "--config.seconds_per_batch=0.5")
  while not (tmp_path / "checkpoints" / "4").exists():
    assert process.poll() is None, process.communicate()
    time.sleep(0.01)
  process.kill()
  assert process.wait() == -signal.SIGKILL
  assert not (tmp_path / "checkpoints" / "6").exists()
  assert "step 4 of 6" in run_toy(tmp_path)

  state, batch = load_checkpoint(finished[0])
  resumed_state, resumed_batch = load_checkpoint(tmp_path)
  assert int(resumed_state.step) == 6
  assert_same_bits(resumed_state, state)
  assert_same_bits(resumed_batch, batch)


def test_stopped_after_its_time_and_resumed_equals_uninterrupted(
  toy, finished, load_checkpoint, tmp_path
):
  shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
  shutil.rmtree(tmp_path / "checkpoints" / "6")
  # Over at once: a run makes one step all the same, so that it gets on.
  with pytest.raises(
    loop.PreemptedError, match=r"minutes are over, saved at step 5; run"
  ):
    loop.train(toy("--config.stop_after_minutes=1e-9"), tmp_path)
  record = json.loads((tmp_path / "run.json").read_text())
  assert (record["status"], record["last_step"]) == ("preempted", 5)

  # The last step is not a stop.
  loop.train(toy("--config.stop_after_minutes=1e-9"), tmp_path)
  state, batch = load_checkpoint(finished[0])
  resumed_state, resumed_batch = load_checkpoint(tmp_path)
  assert int(resumed_state.step) == 6
  assert_same_bits(resumed_state, state)
  assert_same_bits(resumed_batch, batch)
