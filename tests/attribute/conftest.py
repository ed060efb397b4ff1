"""Generators of random parameters, and what they learn from: plain motions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.wan import stand_in
from speedflow.data import records, tracks
from speedflow.generate import generator as inference
from speedflow.generate import weights as weights_lib
from speedflow.models import generator
from speedflow.wan import latents


@pytest.fixture(scope="session")
def maker():
  """A small generator, no parameter of it zero."""
  config = generator.GeneratorConfig(
    image=16, patch=4, chunk=4, width=16, depth=1, heads=2
  )
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.2, x.shape), x.dtype), state
  )
  facts = inference.Facts(knots=4, low=-1.0, high=4.0, time_shift=-2.0)
  return inference.SpeedGenerator(nnx.merge(graph, filled), facts)


@pytest.fixture(scope="session")
def weights(maker, tmp_path_factory):
  """The same in a file, as float16."""
  path = tmp_path_factory.mktemp("weights") / "generator.safetensors"
  weights_lib.save(path, maker.model, maker.facts)
  return path


@pytest.fixture
def make_track():
  """Gives `make_track(name, velocity, seconds=2.0)`: one body of a view."""

  def make(name="track", velocity=(0.2, 0.0), seconds=2.0):
    times = np.linspace(0, seconds, 21, dtype=np.float32)
    trajectories = np.zeros((21, 16, 16, 2), np.float16)
    trajectories[:, 4:9, 4:9] = times[:, None, None, None] * np.array(velocity)
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:36, 16:36] = 200
    return tracks.TrackRecord(
      id=name,
      scene_group=name,
      image=image,
      times_s=times,
      trajectories=trajectories,
    )

  return make


@pytest.fixture
def write_tracks(make_track):
  """Gives `write_tracks(folder, split="train")`: six clips in two files."""

  def write(folder, split="train"):
    directions = {"right": (0.2, 0), "left": (-0.2, 0), "down": (0, 0.2)}
    paths = []
    for shard in range(2):
      path = records.shard_path(folder, "toy", split, shard, 2, "tfrecord")
      paths.append(path)
      with records.RecordWriter(path) as writer:
        for name, velocity in directions.items():
          record = make_track(f"{name}/{shard}", velocity, 1.5 + 0.5 * shard)
          writer.write(record.encode())
    return paths

  return write


@pytest.fixture(scope="session")
def wan_folder(tmp_path_factory):
  """A pipeline of Wan of random parameters, as if it had learnt speed."""
  folder = tmp_path_factory.mktemp("wan")
  stand_in.write(folder, speed=True)
  return folder


@pytest.fixture
def make_latents():
  """Gives `make_latents(name, seed, shape, speed)`: a record of noise."""

  def make(name="clip", seed=0, shape=(3, 4, 6, 4), speed=0.0):
    rng = np.random.default_rng(seed)
    return latents.LatentRecord(
      id=name,
      source="",
      split="train",
      task="first",
      text="a ball falls",
      latents=rng.normal(size=shape).astype(np.float16),
      beside=rng.normal(size=shape).astype(np.float16),
      known=np.eye(1, 9, dtype=np.float32)[0],
      log2_step=np.full(9, speed, np.float32),
      words=rng.normal(size=(3, 16)).astype(np.float16),
      image=rng.normal(size=(5, 16)).astype(np.float16),
    )

  return make


@pytest.fixture
def write_latents(make_latents):
  """Gives `write_latents(folder, split="train")`: six clips in two files.

  A third file has none, as of shots that are too short.
  """

  def write(folder, split="train", **fields):
    for shard in range(3):
      path = records.shard_path(folder, "toy", split, shard, 3, "tfrecord")
      with records.RecordWriter(path) as writer:
        for number in range(3 if shard < 2 else 0):
          name = f"clip{shard}/{number}"
          seed = 3 * shard + number
          writer.write(make_latents(name, seed, **fields).encode())

  return write
