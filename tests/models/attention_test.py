import jax
import jax.numpy as jnp
import numpy as np
import pytest

from speedflow.models import attention


def draw(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


def test_rotary_products_depend_on_distances_alone():
  query, key = draw(1, 1, 8, seed=1), draw(1, 1, 8, seed=2)

  def product(at, to):
    turned = [
      attention.rotate(x, attention.rotary_angles(jnp.array([place]), 8, 64.0))
      for x, place in ((query, at), (key, to))
    ]
    return float((turned[0] * turned[1]).sum())

  assert product(3, 7) == pytest.approx(product(13, 17), abs=1e-5)
  assert product(3, 7) != pytest.approx(product(3, 8), abs=1e-2)


def test_rotation_keeps_lengths_and_leaves_position_zero_alone():
  x = draw(5, 2, 8)
  turned = attention.rotate(x, attention.rotary_angles(jnp.arange(5), 8, 64.0))
  np.testing.assert_allclose(
    jnp.linalg.norm(turned, axis=-1), jnp.linalg.norm(x, axis=-1), rtol=1e-5
  )
  np.testing.assert_array_equal(turned[0], x[0])


def test_grid_angles_tell_rows_from_columns():
  angles = attention.grid_angles(2, 3, 8).reshape(2, 3, 4)
  np.testing.assert_array_equal(angles[:, 0, :2], angles[:, 2, :2])
  np.testing.assert_array_equal(angles[0, :, 2:], angles[1, :, 2:])
  assert np.unique(angles.reshape(6, 4), axis=0).shape == (6, 4)


def test_all_implementations_agree():
  query, key, value = (draw(2, 3, 5, 2, 8, seed=s) for s in range(3))
  logits = np.einsum("bgnhd,bgmhd->bghnm", query, key) / np.sqrt(8)
  weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  expected = np.einsum("bghnm,bgmhd->bgnhd", weights, value)
  for name in ("", "einsum", "xla"):
    mixed = attention.attention(query, key, value, name)
    np.testing.assert_allclose(mixed, expected, atol=1e-5)


def test_long_sequences_are_worked_on_in_chunks(monkeypatch):
  monkeypatch.setattr(attention, "_TILE", 4)
  monkeypatch.setattr(attention, "_HELD", 1)
  monkeypatch.setattr(attention, "_LONG", 100)
  # 11 queries are not a whole number of chunks.
  query, key, value = (
    draw(2, n, 2, 8, seed=s) for s, n in enumerate((11, 10, 10))
  )

  def summed(implementation, *arrays):
    mixed = attention.attention(*arrays, implementation)
    return (mixed * jnp.arange(11)[:, None, None]).sum(), mixed

  found, expected = (
    jax.value_and_grad(
      lambda *arrays, name=name: summed(name, *arrays), (0, 1, 2), has_aux=True
    )(query, key, value)
    for name in ("", "einsum")
  )
  assert "scan" in str(jax.make_jaxpr(attention.attention)(query, key, value))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, expected
  )
