"""The same run on one device, on many, and on several hosts."""

import socket

import jax
import numpy as np
import pytest

from speedflow import errors

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


def test_two_processes_equal_one(
  start_toy, finished, load_checkpoint, tmp_path
):
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  processes = [
    start_toy(
      tmp_path,
      *SHARDED,
      devices=4,
      JAX_COORDINATOR_ADDRESS=f"localhost:{port}",
      JAX_NUM_PROCESSES="2",
      JAX_PROCESS_ID=str(index),
    )
    for index in range(2)
  ]
  outputs = [process.communicate(timeout=120)[0] for process in processes]
  assert [process.returncode for process in processes] == [0, 0], outputs
  assert "on 8 x" in outputs[0]
  assert "step" not in outputs[1]  # One process reports for all.
  state, _ = load_checkpoint(tmp_path, with_data=False)
  assert_close(state, load_checkpoint(finished[0])[0])
  with pytest.raises(errors.SpeedflowError, match="not saved by 1 processes"):
    load_checkpoint(tmp_path)
