import dataclasses
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.attribute import wan_features
from speedflow.attribute.projection import Projection
from speedflow.models.wan import config, layout
from speedflow.training import sharding
from speedflow.wan import index
from speedflow.weights import wan as weights

SETTINGS = wan_features.Settings(time=0.75, dimensions=128)

# Two devices, each with half of the tokens and of the parameters, and one.
_SPREAD = """
import pathlib, pickle, sys, jax, numpy as np
from speedflow.attribute import wan_features
from speedflow.wan import latents, spreading
spreading._WHOLE = 0
folder, record = sys.argv[1:]
record = latents.LatentRecord.decode(pathlib.Path(record).read_bytes())
found = []
for count in (1, 4):
  maker = wan_features.WanFeatureMaker(
    pathlib.Path(folder), wan_features.Settings(0.75), 5, jax.devices()[:count])
  found.append(maker.features([record]).norm * maker.features([record]).unit)
# Two divide the 18 tokens.
assert maker._spread.mesh.size == 2
split = [not x.sharding.is_fully_replicated
         for x in jax.tree.leaves(maker._params)]
assert sum(split) > len(split) / 2, split
np.testing.assert_allclose(*found, rtol=2e-3, atol=2e-3 * found[0].max())
print("equal")
"""


@pytest.fixture(scope="module")
def maker(wan_folder):
  return wan_features.WanFeatureMaker(wan_folder, SETTINGS, image_tokens=5)


def _paths(state):
  return {
    sharding.path_name(path).removesuffix("/value"): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  }


def test_the_time_is_the_median_of_those_that_are_trained_on():
  settings = wan_features.Settings.of(index.Trained(shift=3.0))
  assert settings.time == pytest.approx(0.75)


def test_changes_are_of_a_latent_from_the_one_before():
  values = np.zeros((3, 1, 2, 4), np.float16)
  values[1:, 0, 0] = 3.0
  values[2, 0, 1, 0] = 2.0
  changes = wan_features.latent_changes(values)
  np.testing.assert_allclose(changes[:, 0], [[6, 0], [6, 0], [0, 2]])


def test_features_are_projected_gradients_of_the_weighted_loss(
  maker, wan_folder, make_latents
):
  record = make_latents(seed=3, speed=-1.0)
  found = maker.features([record, make_latents(seed=4)])

  folder = wan_folder / "transformer"
  model = weights.load_transformer(
    folder, config.Computation(**weights.speed_of(folder))
  )
  clean = record.latents.astype(np.float32)
  noise = np.random.default_rng(0).standard_normal((3, 4, 6, 4), np.float32)
  change = np.sqrt(np.square(clean[1:] - clean[:-1]).sum(-1))
  change = change[[0, 0, 1]]
  weight = (change - change.min()) / (change.max() - change.min())
  mask = layout.mask(record.known[None])[0][:, None, None]
  mask = np.broadcast_to(mask, (3, 4, 6, 4)).astype(np.float32)
  given = [0.25 * clean + 0.75 * noise, mask, record.beside.astype(np.float32)]
  words = np.zeros((512, 16), np.float32)
  words[:3] = record.words

  def loss(model):
    velocity = model(
      jnp.concatenate(given, -1)[None],
      jnp.array([750.0]),
      words[None],
      record.image.astype(np.float32)[None],
      jnp.full((1, 3), -1.0),
    )[0]
    return (weight[..., None] * (velocity - (noise - clean)) ** 2).mean()

  expected = Projection(128)(nnx.jit(nnx.grad(loss))(model))
  norm = np.linalg.norm(expected)
  np.testing.assert_allclose(found.norm[0], norm, rtol=1e-3)
  np.testing.assert_allclose(found.unit[0], expected / norm, atol=2e-3)
  assert found.length.tolist() == [3, 3]
  assert found.motion[0] == pytest.approx(change.mean(), rel=1e-4)


def test_speed_and_known_frames_are_told(maker, make_latents):
  record = make_latents()
  others = [
    dataclasses.replace(record, log2_step=np.full(9, 2.0, np.float32)),
    dataclasses.replace(record, known=np.ones(9, np.float32)),
    dataclasses.replace(record, words=2 * record.words),
  ]
  unit = maker.features([record, record, *others]).unit.astype(float)
  cosines = unit[1:] @ unit[0]
  assert cosines[0] == pytest.approx(1, abs=2e-3)
  assert (cosines[1:] < 1 - 1e-4).all()


def test_a_still_clip_has_no_features(maker, make_latents):
  record = make_latents()
  still = dataclasses.replace(
    record, latents=np.repeat(record.latents[:1], 3, axis=0)
  )
  found = maker.features([still])
  assert not found.unit.any()
  assert found.norm[0] == found.motion[0] == 0


def test_low_rank_matrices_see_the_gradient_of_those_beside_them(
  maker, wan_folder, make_latents
):
  record = make_latents()
  settings = dataclasses.replace(SETTINGS, adapter_rank=2)
  low = wan_features.WanFeatureMaker(wan_folder, settings, image_tokens=5)
  whole = _paths(maker.gradient(record))
  alone = _paths(low.gradient(record))
  drawn = _paths(low._rest)
  # Of attention to oneself and to others, four projections each.
  assert len(alone) == 8
  for path, gradient in alone.items():
    stem = path.removesuffix("/lora/lora_b")
    first = drawn[f"{stem}/lora/lora_a"]
    expected = np.swapaxes(first, 1, 2) @ whole[f"{stem}/kernel"]
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=tolerance)
  assert low.made_by() != maker.made_by()


def test_a_film_fits(maker, make_latents):
  film = maker.film(make_latents(), 24)
  assert len(film.frames) == 9
  assert all(frame.shape == (16, 24, 3) for frame in film.frames)
  assert film.frames[0].dtype == np.uint8


@pytest.mark.slow
def test_two_devices_equal_one(wan_folder, make_latents, tmp_path):
  path = tmp_path / "record"
  path.write_bytes(make_latents().encode())
  output = subprocess.run(
    [sys.executable, "-c", _SPREAD, str(wan_folder), str(path)],
    env=os.environ
    | {
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": "--xla_force_host_platform_device_count=4"
      " --xla_backend_optimization_level=0"
      " --xla_llvm_disable_expensive_passes=true",
    },
    capture_output=True,
    text=True,
    timeout=500,
  )
  assert "equal" in output.stdout, output.stderr
