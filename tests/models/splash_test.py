"""The kernel for TPUs, run step by step, against plain attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from speedflow.models import attention, splash


def _draw(length, seed):
  return jax.random.normal(jax.random.key(seed), (1, length, 1, 128))


@pytest.mark.slow
def test_tiles_give_what_all_at_once_does():
  # Neither is a whole number of tiles.
  arrays = _draw(130, 0), _draw(200, 1), _draw(200, 2)

  def summed(implementation, *arrays):
    mixed = attention.attention(*arrays, implementation)
    return jnp.sin(mixed).sum(), mixed

  found, expected = (
    jax.value_and_grad(
      lambda *arrays, name=name: summed(name, *arrays), (0, 1, 2), has_aux=True
    )(*arrays)
    for name in ("splash", "einsum")
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, expected
  )


def test_heads_of_another_size_do_not_suit():
  assert splash.suits(_draw(4, 0))
  assert not splash.suits(_draw(4, 0)[..., :64])


def test_a_processor_takes_no_kernel_for_tpus(monkeypatch):
  monkeypatch.setattr(attention, "_LONG", 1)
  text = str(jax.make_jaxpr(attention.attention)(*[_draw(4, 0)] * 3))
  assert "pallas" not in text
