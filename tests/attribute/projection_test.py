import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.attribute.projection import BLOCK, Projection

# The same gradients on one device and on eight, projected.
_SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from speedflow.attribute.projection import Projection
rng = np.random.default_rng(0)
tree = {
  "kernel": rng.normal(size=(4, 256, 320)).astype(np.float32),
  "bias": rng.normal(size=(4, 40)).astype(np.float32),
}
project = jax.vmap(Projection())
alone = jax.jit(project)(tree)
mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "fsdp"))
split = {
  "kernel": NamedSharding(mesh, P("data", "fsdp", None)),
  "bias": NamedSharding(mesh, P("data", None)),
}
together = jax.jit(project)(jax.device_put(tree, split))
assert jax.device_count() == 8
np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4)
print("equal")
"""


def gaussian(size, seed=0):
  rng = np.random.default_rng(seed)
  half = size // 3
  flat = rng.normal(size=size).astype(np.float32)
  return {"one": flat[:half], "other": flat[half:].reshape(-1, 1)}


@pytest.mark.parametrize(
  "size", [600, BLOCK + 3, 5 * BLOCK], ids=["small", "two blocks", "large"]
)
def test_lengths_of_random_vectors_are_kept(size):
  vectors = [gaussian(size, seed) for seed in range(60)]
  project = jax.jit(Projection())
  ratios = [
    np.linalg.norm(project(v)) / np.sqrt(sum(np.sum(x**2) for x in v.values()))
    for v in vectors
  ]
  # Standard deviation of a chi distribution of 512 dimensions.
  assert np.std(ratios) < 1.5 / np.sqrt(2 * 512)
  assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_inner_products_are_kept_as_well_as_a_dense_matrix_keeps_them():
  rng = np.random.default_rng(1)
  base = rng.normal(size=40_000)
  project = jax.jit(jax.vmap(Projection()))
  cosines = np.linspace(-1, 1, 21)
  vectors = []
  for cosine in cosines:
    other = rng.normal(size=40_000)
    other -= (other @ base) / (base @ base) * base
    other *= np.linalg.norm(base) / np.linalg.norm(other)
    vectors.append(cosine * base + np.sqrt(1 - cosine**2) * other)
  rows = np.array(project(np.stack([base, *vectors]).astype(np.float32)))
  rows /= np.linalg.norm(rows, axis=1, keepdims=True)
  error = rows[1:] @ rows[0] - cosines
  assert np.sqrt(np.mean(error**2)) < 1.5 / np.sqrt(512)


@pytest.mark.parametrize("places", [(0, 1), (5, 5 + BLOCK), (7, 7 + 128)])
def test_few_large_numbers_do_not_fall_together(places):
  ratios = []
  for seed in range(40):
    vector = np.zeros(2 * BLOCK, np.float32)
    vector[list(places)] = 1.0
    ratios.append(np.sum(np.square(Projection(seed=seed)(vector))) / 2)
  assert np.mean(ratios) == pytest.approx(1, abs=0.4)


def test_a_single_number_becomes_a_row_of_signs():
  """The definition, H[r, c] = (-1)^|r & c|, by bits."""
  projection = Projection(64)
  columns = [0, 1, 77, 9_999]
  vectors = np.zeros((len(columns), BLOCK), np.float32)
  vectors[range(len(columns)), columns] = 1.0
  found = np.stack([projection(v) for v in vectors]) * np.sqrt(64)
  rows = projection.rows.tolist()
  for column, row in zip(columns, found, strict=True):
    signs = np.array([(-1.0) ** (r & column).bit_count() for r in rows])
    np.testing.assert_allclose(np.abs(row @ signs), 64, rtol=1e-5)


def test_leaf_by_leaf_is_one_matrix_times_the_whole_gradient():
  rng = np.random.default_rng(0)
  shapes = {"bias": (40,), "kernel": (2, 90, 100), "scale": (7, 3)}
  tree = {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
  projection = Projection(8, seed=5)
  # Large leaves come first, and the small ones share a place.
  columns = []
  for number, size in enumerate((18_000, 61)):
    key = jax.random.fold_in(jax.random.key(5), number)
    for block in range(-(-size // BLOCK)):
      words = np.asarray(
        jax.random.bits(jax.random.fold_in(key, block), (BLOCK // 32,))
      )
      flips = np.unpackbits(words.view(np.uint8), bitorder="little")
      length = min(BLOCK, size - block * BLOCK)
      for place in range(length):
        parity = [(row & place).bit_count() for row in projection.rows.tolist()]
        columns.append((-1.0) ** (np.array(parity) + flips[place]))
  matrix = np.stack(columns, 1) / np.sqrt(8)
  whole = np.concatenate([tree[n].ravel() for n in ("kernel", "bias", "scale")])
  np.testing.assert_allclose(projection(tree), matrix @ whole, rtol=1e-3)


@settings(max_examples=20, deadline=None)
@given(
  a=st.floats(-8, 8, width=32),
  b=st.floats(-8, 8, width=32),
  seed=st.integers(0, 99),
)
def test_it_is_linear(a, b, seed):
  project = Projection(32)
  one, two = gaussian(900, seed), gaussian(900, seed + 100)
  both = jax.tree.map(lambda x, y: a * x + b * y, one, two)
  np.testing.assert_allclose(
    project(both), a * project(one) + b * project(two), atol=2e-3
  )


def test_the_same_seed_is_the_same_map_and_another_is_not():
  vector = gaussian(3 * BLOCK)
  once, again = Projection(seed=3)(vector), Projection(seed=3)(vector)
  np.testing.assert_array_equal(once, again)
  other = Projection(seed=4)(vector)
  cosine = once @ other / (jnp.linalg.norm(once) * jnp.linalg.norm(other))
  assert abs(float(cosine)) < 0.2


def test_a_compiled_map_is_the_same():
  vector = gaussian(3 * BLOCK)
  project = Projection()
  np.testing.assert_allclose(
    project(vector), jax.jit(project)(vector), rtol=1e-4, atol=1e-4
  )


@pytest.mark.slow
def test_eight_devices_equal_one():
  output = subprocess.run(
    [sys.executable, "-c", _SHARDED],
    env=os.environ
    | {
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    },
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert "equal" in output.stdout, output.stderr


def test_too_many_dimensions_are_refused():
  with pytest.raises(ValueError, match="wanted 1 to"):
    Projection(BLOCK + 1)
