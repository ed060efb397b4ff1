"""Wan trains: from nothing, from weights, and by low-rank matrices."""

import functools
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import strategies as st
from PIL import Image

from experiments.wan import dataset, stand_in, starting
from experiments.wan import experiment as experiment_lib
from speedflow import cli
from speedflow.data.records import RecordWriter, shard_path
from speedflow.errors import SpeedflowError
from speedflow.models.wan import layers
from speedflow.training import config as config_lib
from speedflow.training import loop, sharding
from speedflow.training.step import TrainProgram
from speedflow.wan import index, latents, objective
from speedflow.wan import pipeline as pipeline_lib
from speedflow.weights import wan as weights

_SHAPE = (3, 4, 4, 4)

# One step on one device and on eight, from weights; in float32.
_SHARDED = """
import sys, jax, numpy as np
from speedflow.training import config, experiment, sharding, step
records, pipeline = sys.argv[1:]
found = []
for devices, overrides in (
  (1, []),
  # Over all three axes: of each clip, two devices have half of the tokens.
  (8, ["--config.mesh.fsdp=2", "--config.mesh.context=2"]),
):
  c = config.load_config("configs/wan.py:smoke", [
    "--config.batch_size=8", "--config.fsdp_min_size=0",
    f"--config.data.records={records}", f"--config.start_from={pipeline}",
    "--config.adapter.rank=2", "--config.compilation_cache=",
    "--config.eval.clips=1", "--config.eval.rows=1",
    '--config.sharding=((".*","fsdp"),)', *overrides])
  made = experiment.load_experiment(c)
  mesh = sharding.make_mesh(c, jax.devices()[:devices])
  program = step.TrainProgram(made, c, mesh)
  batch = {name: np.ones(s.shape, s.dtype) * np.arange(8).reshape(
    -1, *[1] * (len(s.shape) - 1)).astype(s.dtype)
    for name, s in made.batch_spec().items()}
  batch = sharding.global_batch(batch, program.abstract_batch)
  state, metrics = program.trace_step().lower().compile()(program.init(), batch)
  measured = made.evaluate(program.evaluation_model(state), lambda line: None)
  found.append([float(metrics[n]) for n in ("loss", "gradient_norm")]
    + [measured["loss"]])
for several in found[1:]:
  np.testing.assert_allclose(found[0], several, rtol=1e-4)
print("equal", found)
"""

# One step over two devices, each process with its rows of the batch.
_APART = """
import json, sys, jax, numpy as np
from speedflow.training import config, distributed, experiment, sharding, step
records, pipeline = sys.argv[1:]
c = config.load_config("configs/wan.py:smoke", [
  "--config.batch_size=4", "--config.fsdp_min_size=0", "--config.mesh.fsdp=2",
  f"--config.data.records={records}", f"--config.start_from={pipeline}",
  f"--config.pipeline={pipeline}", "--config.compilation_cache=",
  '--config.sharding=((".*","fsdp"),)'])
distributed.start(c)
made = experiment.load_experiment(c)
program = step.TrainProgram(made, c, sharding.make_mesh(c))
def rows(s):
  whole = np.ones(s.shape, s.dtype) * np.arange(s.shape[0]).reshape(
    -1, *[1] * (len(s.shape) - 1)).astype(s.dtype)
  return np.split(whole, jax.process_count())[jax.process_index()]
batch = {name: rows(s) for name, s in made.batch_spec().items()}
batch = sharding.global_batch(batch, program.abstract_batch)
state, metrics = program.trace_step().lower().compile()(program.init(), batch)
print(json.dumps([float(metrics[n]) for n in ("loss", "gradient_norm")]))
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
  folder = tmp_path_factory.mktemp("wan")
  stand_in.write(folder)
  return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory):
  """Records of latents as the smoke variant wants them, of noise."""
  folder = tmp_path_factory.mktemp("latents")
  rng = np.random.default_rng(0)
  for split, count in (("train", 6), ("val", 2)):
    with RecordWriter(
      shard_path(folder, "toy", split, 0, 1, "tfrecord")
    ) as writer:
      for number in range(count):
        writer.write(
          latents.LatentRecord(
            id=f"{split}{number}",
            source="",
            split=split,
            task="first",
            text="a ball falls",
            latents=rng.normal(size=_SHAPE),
            beside=rng.normal(size=_SHAPE),
            known=np.eye(1, 9, dtype=np.float32)[0],
            log2_step=rng.normal(size=9),
            words=rng.normal(size=(3, 16)),
            image=rng.normal(size=(5, 16)),
          ).encode()
        )
  np_arrays = {
    "beside": rng.normal(size=_SHAPE).astype(np.float16),
    "words": rng.normal(size=(1, 16)).astype(np.float16),
    "image": np.zeros((5, 16), np.float16),
  }
  from safetensors.numpy import save_file

  save_file(np_arrays, folder / latents.NOTHING)
  return folder


@pytest.fixture
def configured(records, pipeline):
  """Gives the smoke variant with some fields changed."""

  def make(*more):
    return config_lib.load_config(
      "configs/wan.py:smoke",
      [
        f"--config.data.records={records}",
        f"--config.pipeline={pipeline}",
        "--config.compilation_cache=",
        *more,
      ],
    )

  return make


def _arrays(model, kind):
  flat = nnx.to_flat_state(nnx.state(model, kind))
  return {"/".join(map(str, path)): np.asarray(v[...]) for path, v in flat}


def test_a_clip_becomes_an_example(records, configured):
  config = configured()
  sizes = dataset.sizes_of(config)
  record = dataset.source(config.data, "train")[0]
  nothing = latents.load_nothing(records)
  sampler = functools.partial(dataset.ClipSampler, sizes, nothing)
  whole = sampler()(record, np.random.default_rng(0))
  assert whole["beside"].shape == (3, 4, 4, 8)
  # The first frame is known, which stands for four.
  assert whole["beside"][..., :4].all((1, 2)).tolist() == [
    [True] * 4,
    [False] * 4,
    [False] * 4,
  ]
  assert whole["words"].shape == (8, 16)
  assert not whole["words"][3:].any()
  assert whole["has_speed"]
  bare = sampler(drop_text=1.0, drop_known=1.0, drop_speed=1.0)(
    record, np.random.default_rng(0)
  )
  np.testing.assert_array_equal(bare["beside"][..., 4:], nothing["beside"])
  assert not bare["beside"][..., :4].any()
  np.testing.assert_array_equal(bare["words"][:1], nothing["words"])
  assert not bare["image"].any()
  assert not bare["has_speed"]
  np.testing.assert_array_equal(bare["latents"], whole["latents"])


def test_latents_of_another_size_are_refused(records, configured):
  config = configured("--config.data.frames=17")
  record = dataset.source(config.data, "train")[0]
  sampler = dataset.ClipSampler(dataset.sizes_of(config), {})
  with pytest.raises(
    SpeedflowError, match=r"train0: latents of \(3, 4, 4, 4\)"
  ):
    sampler(record, np.random.default_rng(0))


@pytest.mark.parametrize(
  ("more", "said"),
  [
    (("adapter.rank=2", "start_from="), "start_from names no weights"),
    (("adapter.rank=2", "adapter.targets=('to_q','q')"), "targets names q;"),
    (("adapter.rank=-1",), "rank is -1"),
    (("pipeline=nowhere",), "nowhere: no folder vae"),
    (("pipeline=", "start_from="), "pipeline is empty"),
    (("speed.speed=foo",), "'foo'; wanted one of none, fourier"),
    (("remat=foo",), "'foo'; wanted one of none, dots"),
    (("data.width=48",), r"latents\d+: train0: latents of \(3, 4, 4, 4\)"),
    (("data.image_tokens=3",), "5 tokens of a picture"),
  ],
)
def test_what_cannot_be_exported_is_not_trained(
  configured, pipeline, more, said
):
  config = configured(
    f"--config.start_from={pipeline}", *(f"--config.{each}" for each in more)
  )
  with pytest.raises(SpeedflowError, match=said):
    experiment_lib.Experiment(config).dataset(
      "train", seed=0, process_index=0, process_count=1
    )


def test_latents_of_another_autoencoder_are_refused(
  configured, pipeline, records, tmp_path
):
  shutil.copytree(records, tmp_path / "latents")
  fields = json.loads((pipeline / "vae" / "config.json").read_text())
  spec = tmp_path / "latents" / latents.SPEC
  config = configured(f"--config.data.records={tmp_path / 'latents'}")
  spec.write_text(json.dumps({"autoencoder": fields}))
  starting.require(config)
  fields["latents_std"] = [2.0] * 4
  spec.write_text(json.dumps({"autoencoder": fields}))
  with pytest.raises(SpeedflowError, match=r"another autoencoder.*latents_std"):
    starting.require(config)


def test_an_export_is_not_mixed_with_what_is_there(configured, tmp_path):
  (tmp_path / "made").mkdir()
  (tmp_path / "made" / "notes.txt").write_text("mine")
  with pytest.raises(SpeedflowError, match="made: is there already"):
    loop.evaluate(
      configured(), tmp_path / "run", "val", export=tmp_path / "made"
    )
  assert [p.name for p in (tmp_path / "made").iterdir()] == ["notes.txt"]


def test_the_velocity_that_is_right_costs_nothing():
  latents_ = jnp.ones((2, 1, 2, 2, 3))
  noise = jnp.full_like(latents_, 3.0)

  def knows(given, time, words, image, speed, has_speed):
    assert given.shape[-1] == 7
    # Noise and latents can be told apart by their mix.
    np.testing.assert_allclose(time, [250.0, 500.0])
    np.testing.assert_allclose(given[0, ..., :3], 1.5)
    return jnp.full(latents_.shape, 2.0)

  batch = {
    "latents": latents_,
    "beside": jnp.zeros((2, 1, 2, 2, 4)),
    "words": None,
    "log2_speed": None,
    "has_speed": None,
  }
  error = objective.velocity_error(knows, batch, noise, jnp.array([0.25, 0.5]))
  np.testing.assert_allclose(error, 0.0)


def test_training_goes_on_from_weights(configured, pipeline, tmp_path):
  config = configured(f"--config.start_from={pipeline}")
  experiment = experiment_lib.Experiment(config)
  program = TrainProgram(experiment, config, sharding.make_mesh(config))
  state = program.init()
  known = _arrays(weights.load_transformer(pipeline / "transformer"), nnx.Param)
  started = jax.tree_util.tree_leaves_with_path(state.params)
  found = {sharding.path_name(path): value for path, value in started}
  for name, value in known.items():
    np.testing.assert_array_equal(found[name], value, err_msg=name)
  other = configured(
    f"--config.start_from={pipeline}", "--config.model.num_layers=3"
  )
  with pytest.raises(SpeedflowError, match="num_layers is 2, where"):
    experiment_lib.Experiment(other).load_model(lambda path, shape: None)


def test_one_that_starts_from_text_learns_to_be_shown_frames(
  configured, tmp_path
):
  sizes = {
    **stand_in.TINY,
    "transformer": {
      **stand_in.TINY["transformer"],
      "in_channels": 4,
      "image_dim": None,
      "added_kv_proj_dim": None,
    },
  }
  stand_in.write(tmp_path / "text", sizes)
  folder = tmp_path / "text" / "transformer"
  narrow = weights.load_transformer(folder)
  wide = weights.load_transformer(folder, in_channels=12)
  rng = np.random.default_rng(0)
  given = rng.normal(size=(1, 3, 4, 4, 12)).astype(np.float32)
  more = jnp.array([500.0]), rng.normal(size=(1, 5, 16)).astype(np.float32)
  np.testing.assert_allclose(
    narrow(given[..., :4], *more), wide(given, *more), atol=1e-6
  )
  weights.save_transformer(tmp_path / "saved", wide, like=folder)
  again = weights.load_transformer(tmp_path / "saved")
  assert again.config.in_channels == 12


def test_low_rank_matrices_alone_are_trained_and_exported(
  configured, pipeline, tmp_path
):
  config = configured(
    f"--config.start_from={pipeline}",
    "--config.adapter.rank=2",
    "--config.num_steps=3",
    "--config.optimizer.learning_rate=0.05",
    "--config.optimizer.warmup_steps=0",
  )
  experiment = experiment_lib.Experiment(config)
  program = TrainProgram(experiment, config, sharding.make_mesh(config))
  names = {
    sharding.path_name(path)
    for path, _ in jax.tree_util.tree_leaves_with_path(
      program.abstract_state.params
    )
  }
  assert names
  assert all(layers.ADDED & set(name.split("/")) for name in names)
  loop.train(config, tmp_path / "run")
  out = tmp_path / "made"
  loop.evaluate(config, tmp_path / "run", "val", export=out)
  before = _arrays(
    weights.load_transformer(pipeline / "transformer"), nnx.Param
  )
  after = _arrays(weights.load_transformer(out / "transformer"), nnx.Param)
  changed = {
    name for name in before if not np.array_equal(before[name], after[name])
  }
  assert changed
  assert all(
    any(target in name for target in config.adapter.targets) for name in changed
  )
  picture = tmp_path / "picture.png"
  Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(picture)
  assert (
    cli.main(
      [
        *("generate", "--image", str(picture), "--weights", str(out)),
        *("--text", "a ball falls", "--steps", "2", "--speed", "0.5"),
        str(tmp_path / "clip.mp4"),
      ]
    )
    == 0
  )


def test_each_of_two_transformers_learns_its_own_times(
  records, configured, tmp_path
):
  start, high, low = (tmp_path / name for name in ("start", "high", "low"))
  stand_in.write(start, boundary=0.9)
  second = pipeline_lib.SECOND
  for part, begins, out, wanted in (
    ("transformer", start, high, (0.9, 1.0)),
    (second, high, low, (0.0, 0.9)),
  ):
    config = configured(
      f"--config.start_from={begins}", f"--config.part={part}"
    )
    assert starting.times(config) == wanted
    experiment = experiment_lib.Experiment(config)
    model = experiment.load_model(_first_device)
    model.proj_out.kernel[...] += 1.0
    experiment.export(model, out)
  assert index.read(low).boundary == 0.9
  for part, changed in (("transformer", [1, 0]), (second, [0, 1])):
    kernels = [
      weights.load_transformer(folder / part).proj_out.kernel[...]
      for folder in (start, high, low)
    ]
    moved = [np.abs(b - a).max() for a, b in itertools.pairwise(kernels)]
    np.testing.assert_allclose(moved, changed, atol=1e-6)
  # Both belong together: the pipeline opens.
  assert pipeline_lib.WanGenerator(low).knows_speed


def test_a_second_transformer_that_is_not_there_is_not_trained(
  configured, pipeline
):
  config = configured(
    f"--config.start_from={pipeline}", f"--config.part={pipeline_lib.SECOND}"
  )
  with pytest.raises(SpeedflowError, match="has one transformer"):
    experiment_lib.Experiment(config).load_model(_first_device)


def _first_device(path, shape):
  return jax.sharding.SingleDeviceSharding(jax.devices()[0])


@hypothesis.given(
  shift=st.floats(1, 8), edges=st.tuples(st.floats(0, 1), st.floats(0, 1))
)
@hypothesis.settings(deadline=None, max_examples=30)
def test_times_are_those_that_the_transformer_is_for(shift, edges):
  low, high = sorted(edges)
  times = objective.draw_times(jax.random.key(0), 64, shift, (low, high))
  assert low - 1e-5 <= times.min() <= times.max() <= high + 1e-5


def test_times_are_moved_towards_the_noise():
  def half(shift):
    within = (0.0, 1.0)
    return np.median(
      objective.draw_times(jax.random.key(0), 4001, shift, within)
    )

  assert half(1.0) == pytest.approx(0.5, abs=0.03)
  # 3 x 0.5 / (1 + 2 x 0.5)
  assert half(3.0) == pytest.approx(0.75, abs=0.03)


def test_a_step_of_the_sampler_is_traced_for_devices(configured):
  experiment = experiment_lib.Experiment(configured())
  traced = experiment.trace_sample(jax.devices()[:1])
  assert traced.out_info.shape == (1, *_SHAPE)
  assert traced.lower().cost_analysis()["flops"] > 0


def test_a_context_that_does_not_divide_the_tokens_is_refused(configured):
  config = configured("--config.mesh.context=5")
  with pytest.raises(SpeedflowError, match=r"5, .*the 12 tokens.*a divisor"):
    experiment_lib.Experiment(config)


@pytest.mark.slow
def test_eight_devices_equal_one(records, pipeline):
  output = subprocess.run(
    [sys.executable, "-c", _SHARDED, str(records), str(pipeline)],
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
    timeout=500,
  )
  assert "equal" in output.stdout, output.stderr


def _step_apart(processes, records, pipeline):
  """Loss and gradient of a step over two devices of so many processes."""
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  flags = (
    f"--xla_force_host_platform_device_count={2 // processes}",
    # Quick to compile rather than quick to run.
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
  )
  started = [
    subprocess.Popen(
      [sys.executable, "-c", _APART, str(records), str(pipeline)],
      env=os.environ
      | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": " ".join(flags),
      }
      | (
        {
          "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
          "JAX_NUM_PROCESSES": str(processes),
          "JAX_PROCESS_ID": str(index),
        }
        if processes > 1
        else {}
      ),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for index in range(processes)
  ]
  done = [each.communicate(timeout=400) for each in started]
  assert [each.returncode for each in started] == [0] * processes, done
  return [json.loads(said.splitlines()[-1]) for said, _ in done]


@pytest.mark.slow
def test_two_processes_equal_one(records, pipeline):
  (one,) = _step_apart(1, records, pipeline)
  for found in _step_apart(2, records, pipeline):
    np.testing.assert_allclose(found, one, rtol=1e-4)


@pytest.mark.slow
def test_a_run_that_is_killed_ends_in_the_same_bits(configured, tmp_path):
  whole = configured("--config.num_steps=4")
  loop.train(whole, tmp_path / "whole")
  # Half of it, as if it had been stopped there.
  part = configured("--config.num_steps=4", "--config.checkpoint_every=2")
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(loop, "_due", lambda step, every: step == 2)
    original = loop.Checkpointer.save

    def save(self, step, *rest):
      original(self, step, *rest)
      raise KeyboardInterrupt

    patch.setattr(loop.Checkpointer, "save", save)
    with pytest.raises(KeyboardInterrupt):
      loop.train(part, tmp_path / "part")
  loop.train(part, tmp_path / "part")
  first, second = (
    _trained(config, tmp_path / name)
    for config, name in ((whole, "whole"), (part, "part"))
  )
  for name in first:
    np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def _trained(config, workdir):
  out = workdir / "made"
  loop.evaluate(config, workdir, "val", export=out)
  return _arrays(weights.load_transformer(out / "transformer"), nnx.Param)
