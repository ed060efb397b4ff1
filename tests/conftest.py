"""Small real files, and answers about them."""

import collections
import dataclasses
import fcntl
import os
import pathlib
import shutil
import tempfile
from fractions import Fraction

import numpy as np
import pytest

from experiments.speed_change import pairs
from speedflow import media
from speedflow.data import motion, procedural, records
from speedflow.estimate import answer as estimate_lib
from tests import camera_files

# Most of a test's time goes to compiling a program that runs for milliseconds.
# Two notebooks compile as users do. Level 0 would be quicker yet, but gives
# gradients of a small network that are not finite.
QUICK_TO_COMPILE = (
  "--xla_backend_optimization_level=1",
  "--xla_llvm_disable_expensive_passes=true",
)


def pytest_configure(config):
  """Programs are compiled once for all tests, and quickly.

  By the environment, since that reaches workers and what tests start. JAX reads
  it when it is imported, later.
  """
  if hasattr(config, "workerinput"):
    return
  flags = os.environ.get("XLA_FLAGS", "").split()
  os.environ["XLA_FLAGS"] = " ".join([*flags, *QUICK_TO_COMPILE])
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    cache = tempfile.mkdtemp(prefix="speedflow-programs-")
    config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))
    os.environ |= {
      "JAX_COMPILATION_CACHE_DIR": cache,
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
      "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def pytest_collection_modifyitems(items):
  """Files that hold most slow tests come first.

  A file goes to one worker: at the end there are small ones left to share.
  """
  slow = collections.Counter(
    item.path for item in items if item.get_closest_marker("slow")
  )
  items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def make_video(tmp_path):
  """Gives `make_video(name, frames=25)`, a texture that moves, at 25 fps."""
  texture = np.random.default_rng(0).integers(
    0, 256, (60, 400, 3), dtype=np.uint8
  )
  texture = texture.repeat(4, axis=0)[:48].repeat(4, axis=1)

  def make(name="moving.mp4", frames=25):
    path = tmp_path / name
    with media.VideoWriter(path, 25, (64, 48)) as writer:
      for start in range(0, 3 * frames, 3):
        writer.write(np.ascontiguousarray(texture[:, start : start + 64]))
    return path

  return make


@pytest.fixture
def make_filmed(tmp_path):
  """Gives `make_filmed(name, ...)`, as of `camera_files.write_mp4`."""

  def make(name="filmed.mp4", **options):
    return camera_files.write_mp4(tmp_path / name, **options)

  return make


@pytest.fixture
def make_estimate():
  """Gives `make_estimate(file, speed)`, a steady answer about one second."""

  def make(file="a.mp4", speed=2.0, **fields):
    ones = np.ones(5)
    low, high = speed / 1.25, speed * 1.25
    known = {
      "file": str(file),
      "status": "ok",
      "duration_s": 1.0,
      "fps": 25.0,
      "speed": speed,
      "speed_low": low,
      "speed_high": high,
      "segments": (estimate_lib.Segment(0.0, 1.0, speed, low, high),),
      "curve": estimate_lib.SpeedCurve(
        np.linspace(0, 1, 5), speed * ones, low * ones, high * ones
      ),
    }
    return estimate_lib.Estimate(**(known | fields))

  return make


@pytest.fixture(scope="session")
def records_root(tmp_path_factory) -> pathlib.Path:
  """A folder as the configs expect it: records/{clips,motion,changes}.

  Rendered scenes of 100 frames, six to train on, one for each other split.
  Made by whichever worker comes first.
  """
  shared = tmp_path_factory.getbasetemp()
  if "PYTEST_XDIST_WORKER" in os.environ:
    shared = shared.parent
  root = shared / "records_root"
  with (shared / "records_root.lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not root.exists():
      made = pathlib.Path(tempfile.mkdtemp(dir=shared))
      _make_records(made / "records" / "clips")
      made.rename(root)
  return root


def _make_records(clips):
  number = 0
  for split, scenes in (("train", 6), ("val", 1), ("test", 1)):
    path = records.shard_path(clips, "toy", split, 0, 1, "tfrecord")
    with records.RecordWriter(path) as writer:
      for _ in range(scenes):
        scene = procedural.ProceduralScene.sample(
          np.random.default_rng(number), (96, 128), seconds=100 / 30
        )
        for record in procedural.to_records(
          scene, f"scene{number}", Fraction(30), split=split
        ):
          record = dataclasses.replace(record, category="realtime")
          writer.write(record.encode())
        number += 1
  motion.build_motion(clips, clips.with_name("motion"), appearances=1)
  pairs.build(clips, clips.with_name("changes"))


@pytest.fixture(scope="session")
def random_net():
  """Gives `random_net(config)`, a MotionNet without any parameter of zero.

  Compiles nothing, unlike the initialisers. It is in evaluation mode.
  """
  import jax
  import jax.numpy as jnp
  from flax import nnx

  from speedflow.models import motion_net

  def make(config):
    net = nnx.eval_shape(lambda: motion_net.MotionNet(config, nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    filled = jax.tree.map(
      lambda x: jnp.asarray(rng.normal(0, 0.4, x.shape), x.dtype),
      nnx.state(net, nnx.Param),
    )
    nnx.update(net, filled)
    net.eval()
    return net

  return make
