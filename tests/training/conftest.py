"""The toy experiment of tests/training/toy, in this process and others."""

import os
import pathlib
import subprocess
import sys

import pytest

_HERE = pathlib.Path(__file__).parent
TOY = str(_HERE / "toy" / "config.py")


@pytest.fixture(scope="session")
def toy():
  """Gives `toy("--config.num_steps=4", ...)`, the toy's configuration."""
  from speedflow.training import config

  with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(_HERE)
    yield lambda *overrides, arg="small": config.load_config(
      f"{TOY}:{arg}", overrides
    )


@pytest.fixture(scope="session")
def finished(toy, tmp_path_factory):
  """An uninterrupted run on one device: (workdir, returned metrics).

  Not to be changed.
  """
  from speedflow.training import loop

  workdir = tmp_path_factory.mktemp("finished")
  return workdir, loop.train(toy(), workdir)


@pytest.fixture(scope="session")
def toy_environment():
  """Environment variables with which other processes find the toy."""
  return os.environ | {
    "PYTHONPATH": os.pathsep.join([str(_HERE), str(_HERE.parents[1])]),
    "JAX_PLATFORMS": "cpu",
  }


@pytest.fixture(scope="session")
def start_toy(toy_environment):
  """Gives `start_toy(workdir, *flags, devices=1)`, which starts to train."""
  started = []

  def start(workdir, *overrides, devices=1, **environment):
    # Else as here: the bits of runs are compared.
    flags = (
      f"{os.environ.get('XLA_FLAGS', '')} "
      f"--xla_force_host_platform_device_count={devices}"
    )
    process = subprocess.Popen(
      [
        *(sys.executable, "-m", "speedflow.main", "train"),
        *(f"--config={TOY}", f"--workdir={workdir}", *overrides),
      ],
      env=toy_environment | {"XLA_FLAGS": flags} | environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    started.append(process)
    return process

  yield start
  for process in started:
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def run_toy(start_toy):
  """Gives `run_toy(workdir, *flags)`, which trains to the end."""

  def run(*args, **kwargs):
    process = start_toy(*args, **kwargs)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output

  return run


@pytest.fixture
def load_checkpoint(toy):
  """Gives `load(workdir, *flags)`: (state, next batch) of its last step."""
  import jax

  from speedflow.training import checkpoint, experiment, sharding, step

  def load(workdir, *overrides, with_data=True):
    config = toy(*overrides)
    made = experiment.load_experiment(config)
    data = iter(
      made.dataset("train", seed=config.seed, process_index=0, process_count=1)
    )
    mesh = sharding.make_mesh(config, jax.devices()[:1])
    program = step.TrainProgram(made, config, mesh)
    saved = checkpoint.Checkpointer(
      pathlib.Path(workdir) / "checkpoints", config
    )
    state = saved.restore(program.abstract_state, data if with_data else None)
    saved.close()
    return state, next(data)

  return load
