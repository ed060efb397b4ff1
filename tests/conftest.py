"""Small real files, and answers about them."""

import dataclasses
import fcntl
import io
import os
import pathlib
import shutil
import struct
import tempfile
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from experiments.speed_change import pairs
from speedflow import media
from speedflow.data import motion, procedural, records
from speedflow.estimate import answer as estimate_lib

# Most of a test's time goes to compiling a program that runs for milliseconds.
# `make test-all` compiles as users do. Level 0 would be quicker yet, but gives
# gradients of a small network that are not finite.
_QUICK_TO_COMPILE = (
  "--xla_backend_optimization_level=1",
  "--xla_llvm_disable_expensive_passes=true",
)


def pytest_configure(config):
  """Programs are compiled once for all tests, and quickly for the quick ones.

  By the environment, since that reaches workers and what tests start. JAX reads
  it when it is imported, later.
  """
  if hasattr(config, "workerinput"):
    return
  if config.option.markexpr == "not slow":
    flags = os.environ.get("XLA_FLAGS", "").split()
    os.environ["XLA_FLAGS"] = " ".join([*flags, *_QUICK_TO_COMPILE])
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    cache = tempfile.mkdtemp(prefix="speedflow-programs-")
    config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))
    os.environ |= {
      "JAX_COMPILATION_CACHE_DIR": cache,
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
      "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


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


def _box(kind, *parts):
  """A box of MP4: its size, its type, and what is in it."""
  content = b"".join(parts)
  return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.fixture
def box():
  """Gives `box(kind, *parts)`, the bytes of a box of MP4."""
  return _box


@pytest.fixture
def mdta():
  """Gives `mdta(key=(type, bytes), ...)`, keys and values as phones write them.

  The types are of Apple's QuickTime File Format: 1 is text, 22 an unsigned
  number, 23 a 32-bit float.
  """

  def make(values):
    keys = b"".join(_box(b"mdta", key.encode()) for key in values)
    items = b"".join(
      _box(
        struct.pack(">I", number),
        _box(b"data", struct.pack(">II", kind, 0), data),
      )
      for number, (kind, data) in enumerate(values.values(), 1)
    )
    handler = struct.pack(">II4s", 0, 0, b"mdta") + bytes(13)
    return _box(
      b"meta",
      _box(b"hdlr", handler),
      _box(b"keys", struct.pack(">II", 0, len(values)), keys),
      _box(b"ilst", items),
    )

  return make


@pytest.fixture
def make_filmed(tmp_path):
  """Gives `make_filmed(name, fps, frames, moov, tail, step)`, as cameras do.

  No encoder signed the MP4. `moov` is added at the end of the box of that name,
  `tail` at the end of the file; the texture moves by `step` pixels a frame.
  """
  texture = np.random.default_rng(0).integers(
    0, 256, (15, 400, 3), dtype=np.uint8
  )
  texture = texture.repeat(4, axis=0)[:48].repeat(4, axis=1)

  def make(name="filmed.mp4", fps=30, frames=40, moov=b"", tail=b"", step=3):
    written = io.BytesIO()
    with av.open(
      written, "w", format="mp4", options={"fflags": "+bitexact"}
    ) as container:
      stream = container.add_stream("mpeg4", rate=Fraction(fps))
      stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
      for start in range(0, step * frames, step):
        image = np.ascontiguousarray(texture[:, start : start + 64])
        container.mux(stream.encode(VideoFrame.from_ndarray(image, "rgb24")))
      container.mux(stream.encode(None))
    data = bytearray(written.getvalue())
    at = data.rindex(b"moov") - 4
    size = len(data) - at
    struct.pack_into(">I", data, at, size + len(moov))
    path = tmp_path / name
    path.write_bytes(bytes(data) + moov + tail)
    return path

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
  motion.build_motion(clips, clips.with_name("motion"), looks=1)
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
