import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx

from experiments.speed_generator import measure
from speedflow.generate import weights
from speedflow.training import config as config_lib
from speedflow.training import experiment as experiment_lib
from speedflow.training import loop

SMOKE = "configs/speed_generator.py:smoke"

# One step on one device and on eight, compared; in float32.
_SHARDED = """
import jax, numpy as np
from speedflow.training import config, experiment, sharding, step
losses = []
for devices, overrides in ((1, []), (8, ["--config.mesh.fsdp=4"])):
  c = config.load_config("configs/speed_generator.py:smoke", [
    "--config.batch_size=8", "--config.fsdp_min_size=0",
    '--config.sharding=((".*","fsdp"),)', *overrides])
  made = experiment.load_experiment(c)
  mesh = sharding.make_mesh(c, jax.devices()[:devices])
  program = step.TrainProgram(made, c, mesh)
  data = made.dataset("train", seed=0, process_index=0, process_count=1)
  batch = sharding.global_batch(next(iter(data)), program.abstract_batch)
  state, metrics = program.trace_step().lower().compile()(program.init(), batch)
  losses.append([float(metrics["loss"]), float(metrics["gradient_norm"])])
np.testing.assert_allclose(*losses, rtol=1e-5)
print("equal", losses)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """The smallest variant, trained: (config, workdir, metrics)."""
  config = config_lib.load_config(SMOKE)
  workdir = tmp_path_factory.mktemp("run")
  return config, workdir, loop.train(config, workdir)


@pytest.mark.slow
def test_the_smoke_variant_trains_and_measures_obedience(trained):
  metrics = trained[2]
  assert np.isfinite(metrics["train/loss"])
  assert metrics["val/loss_mover"] > 0
  assert metrics["val/factor_error"] >= 1


@pytest.mark.slow
def test_it_ships_weights_that_generate(trained, tmp_path):
  config, workdir, _ = trained
  path = tmp_path / "weights.safetensors"
  loop.evaluate(config, workdir, "val", export=path)
  maker = weights.load_generator(path)
  assert maker.facts.knots == config.data.knots
  image = np.zeros((16, 16, 3), np.uint8)
  assert maker.generate(image, steps=1, size=16).shape == (9, 16, 16, 3)


@pytest.mark.slow
def test_eight_devices_equal_one():
  output = subprocess.run(
    [sys.executable, "-c", _SHARDED],
    env=os.environ
    | {
      "JAX_PLATFORMS": "cpu",
      # Quick to compile rather than quick to run.
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8"
      " --xla_backend_optimization_level=0"
      " --xla_llvm_disable_expensive_passes=true",
    },
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert "equal" in output.stdout, output.stderr


def test_obedience_is_scored_as_it_is_defined():
  requested = np.array([-2.0, -1.0, 0.0, 1.0])
  perfect = measure.compare(requested, requested)
  assert perfect.spearman == pytest.approx(1.0)
  assert perfect.factor_error == 1.0
  assert perfect.slope == pytest.approx(1.0)
  twice = measure.compare(requested, requested + 1)
  assert twice.factor_error == pytest.approx(2.0)
  half_seen = measure.compare(requested, np.array([np.nan, np.nan, 0.0, 1.0]))
  assert half_seen.visible == 0.5
  blind = measure.compare(requested, np.full(4, np.nan))
  assert blind.spearman == 0.0
  assert blind.visible == 0.0


def test_torn_is_what_parts_by_more_than_a_gap():
  trajectories = np.zeros((3, 4, 4, 2))
  assert measure.torn(trajectories + 0.5) == 0
  trajectories[:, :, 2:, 1] = (
    0.2  # The right half goes down, by less than a gap.
  )
  assert measure.torn(trajectories) == 0
  trajectories[:, :, 2:, 1] = 0.3
  # 4 of 12 pairs side by side, none of 12 above one another.
  assert measure.torn(trajectories) == pytest.approx(1 / 6)


def test_an_energy_score_is_least_for_what_is_likely():
  rng = np.random.default_rng(0)
  true = rng.normal(size=(2000, 1))
  honest, timid, off = (
    measure.energy_score(scale * rng.normal(size=(8, 2000, 1)) + shift, true)
    for scale, shift in ((1.0, 0.0), (0.3, 0.0), (1.0, 1.0))
  )
  # Of two Gaussians, the mean gap is 2 / sqrt(pi).
  assert honest == pytest.approx(1 / np.sqrt(np.pi), abs=0.03)
  assert honest < timid - 0.02
  assert honest < off - 0.1
  still = measure.energy_score(np.zeros((2, 2000, 1)), true)
  assert still == pytest.approx(np.abs(true).mean())


def test_fierce_clips_do_not_drown_the_others():
  """Twice the motion of a clip is four times the error, but no more loss."""
  calmed, alike = (
    experiment_lib.load_experiment(
      config_lib.load_config(SMOKE, [f"--config.loss.calm={calm}"])
    )
    for calm in (1.0, 0.0)
  )
  # All zeros, so it says that nothing moves.
  model = nnx.eval_shape(lambda: calmed.init_model(nnx.Rngs(0)))
  graph, state = nnx.split(model)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state)
  model = nnx.merge(graph, zeros)
  knots, grid = model.config.chunk, model.config.grid

  def losses(made, motions):
    run = nnx.jit(
      lambda model, batch: made.loss(model, batch, jax.random.key(0))[0]
    )
    batch = {
      "image": np.zeros((1, 64, 64, 3), np.uint8),
      "log2_step": np.full((1, knots), 2.0, np.float32),
    }
    shape = 1, knots, grid, grid, 2
    return [
      float(
        run(model, batch | {"trajectories": np.full(shape, motion, np.float32)})
      )
      for motion in motions
    ]

  still, calm, fierce, fiercer = losses(calmed, (0.0, 0.1, 1.0, 2.0))
  assert still < calm < fierce
  assert fiercer < 1.2 * fierce
  still, calm, fierce = losses(alike, (0.0, 0.2, 0.4))
  assert fierce - still == pytest.approx(4 * (calm - still), rel=0.15)
