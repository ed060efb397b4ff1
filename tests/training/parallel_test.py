"""The same run on one device, on many, and on several hosts."""

import socket
import time

import jax
import numpy as np
import pytest

from speedflow import errors
from speedflow.training import distributed

SHARDED = (
  "--config.mesh.fsdp=4",
  '--config.sharding=((".*","fsdp"),)',
)


def assert_close(one, other):
  for leaf, same in zip(
    jax.tree.leaves((one.params, one.ema, one.model_state)),
    jax.tree.leaves((other.params, other.ema, other.model_state)),
    strict=True,
  ):
    np.testing.assert_allclose(leaf, same, rtol=2e-5, atol=2e-6)


def test_eight_devices_equal_one(run_toy, finished, load_checkpoint, tmp_path):
  output = run_toy(tmp_path, *SHARDED, devices=8)
  assert "on 8 x" in output
  state, batch = load_checkpoint(tmp_path)
  expected, expected_batch = load_checkpoint(finished[0])
  assert_close(state, expected)
  np.testing.assert_array_equal(batch["x"], expected_batch["x"])


@pytest.fixture
def start_two_processes(start_toy):
  def start(workdir, *flags, devices):
    with socket.socket() as free:
      free.bind(("localhost", 0))
      port = free.getsockname()[1]
    return [
      start_toy(
        workdir,
        *flags,
        devices=devices,
        JAX_COORDINATOR_ADDRESS=f"localhost:{port}",
        JAX_NUM_PROCESSES="2",
        JAX_PROCESS_ID=str(index),
      )
      for index in range(2)
    ]

  return start


@pytest.mark.slow
def test_two_processes_equal_one(
  start_two_processes, finished, load_checkpoint, tmp_path
):
  processes = start_two_processes(tmp_path, *SHARDED, devices=4)
  outputs = [process.communicate(timeout=120)[0] for process in processes]
  assert [process.returncode for process in processes] == [0, 0], outputs
  assert "on 8 x" in outputs[0]
  assert "step" not in outputs[1]  # One process reports for all.
  state, _ = load_checkpoint(tmp_path, with_data=False)
  assert_close(state, load_checkpoint(finished[0])[0])
  with pytest.raises(errors.SpeedflowError, match="not saved by 1 processes"):
    load_checkpoint(tmp_path)


def test_all_processes_stop_at_one_step_when_one_is_terminated(
  start_two_processes, tmp_path
):
  processes = start_two_processes(
    tmp_path,
    *("--config.num_steps=100000", "--config.checkpoint_every=0"),
    *("--config.eval_every=0", "--config.seconds_per_batch=0.01"),
    devices=1,
  )
  while not (tmp_path / "metrics.jsonl").exists():
    assert processes[0].poll() is None, processes[0].communicate()
    time.sleep(0.05)
  processes[1].terminate()
  outputs = [process.communicate(timeout=120)[0] for process in processes]
  (saved,) = (tmp_path / "checkpoints").glob("[0-9]*")
  for output in outputs:
    assert f"asked to stop, saved at step {saved.name}; run the" in output


@pytest.mark.slow
def test_the_time_of_all_processes_is_over_at_one_step(
  start_two_processes, tmp_path
):
  processes = start_two_processes(
    tmp_path,
    *("--config.num_steps=100000", "--config.checkpoint_every=0"),
    *("--config.eval_every=0", "--config.stop_after_minutes=1e-9"),
    devices=1,
  )
  outputs = [process.communicate(timeout=120)[0] for process in processes]
  for output in outputs:
    # The first that is logged.
    assert "are over, saved at step 2; run the" in output


def test_a_half_described_group_of_processes_is_refused(toy, monkeypatch):
  monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "localhost:1234")
  with pytest.raises(errors.SpeedflowError, match="JAX_PROCESS_ID not set"):
    distributed.start(toy())
