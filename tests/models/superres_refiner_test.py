"""Made-up detail: how much, where, and that it is the same each time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.models import superres, superres_refiner


@pytest.fixture(scope="module")
def refiner():
  """Of random parameters."""
  config = superres_refiner.RefinerConfig((4, 4))
  net = nnx.eval_shape(
    lambda: superres_refiner.SuperResRefiner(config, nnx.Rngs(0))
  )
  rng = np.random.default_rng(0)
  nnx.update(
    net,
    jax.tree.map(
      lambda x: jnp.array(rng.normal(0, 0.2, x.shape), jnp.float32),
      nnx.state(net, nnx.Param),
    ),
  )
  return net


def _made(doubt=0.02, size=(32, 48)):
  rng = np.random.default_rng(0)
  images = jnp.array(rng.random((1, 2, *size, 3)), jnp.float32)
  half = (1, size[0] // 2, size[1] // 2)
  made = superres.Synthesis(
    images.mean(1), jnp.full(half, doubt), jnp.zeros((1, 2, *size, 2))
  )
  return images, made


def _refine(refiner, made, images, steps, noise):
  half, sharp = jnp.array([0.5]), jnp.array([0.0])
  return superres_refiner.refine(
    refiner, images, made, half, sharp, jnp.array(noise), steps
  )


def _noise(seed=0, size=(32, 48)):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(1, *size, 1)).astype(np.float32)


def test_without_steps_nothing_is_made_up(refiner):
  images, made = _made()
  same = _refine(refiner, made, images, 0, _noise())
  np.testing.assert_array_equal(same, made.image)


def test_the_same_noise_gives_the_same_detail_and_another_another(refiner):
  images, made = _made()
  one, again, other = (
    _refine(refiner, made, images, 3, _noise(seed)) for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(one, again)
  assert np.abs(one - other).mean() > 1e-3


def test_detail_is_of_the_luma_alone(refiner):
  images, made = _made()
  change = _refine(refiner, made, images, 2, _noise()) - made.image
  np.testing.assert_allclose(change[..., 0], change[..., 2], atol=1e-6)


def test_less_is_made_up_where_the_synthesis_is_sure(refiner):
  images, made = _made()
  changes = []
  for doubt in (1e-4, 0.05):
    sure = made._replace(uncertainty=jnp.full_like(made.uncertainty, doubt))
    changed = _refine(refiner, sure, images, 2, _noise())
    changes.append(float(jnp.abs(changed - made.image).mean()))
  assert changes[0] < changes[1] / 4


def test_noise_travels_with_the_motion():
  noise = jnp.array(_noise())
  flow = jnp.zeros((1, 32, 48, 2)).at[..., 0].set(-3.2)
  moved = superres_refiner.carried(noise, flow)
  np.testing.assert_array_equal(moved[:, :, 3:], noise[:, :, :-3])


def test_a_residual_of_the_right_size_undoes_the_error():
  _, made = _made()
  truth = made.image + 0.03
  lacking = superres_refiner.residual(made, truth)

  def luma(image):
    return image @ np.array([[0.299], [0.587], [0.114]], np.float32)

  np.testing.assert_allclose(
    luma(made.image) + superres_refiner.unit(made) * lacking,
    luma(truth),
    atol=1e-5,
  )


def test_nothing_beyond_the_reach_of_a_step_matters(refiner):
  side = 64
  images, made = _made(size=(16, 2 * side))
  noise = _noise(size=(16, 2 * side))
  other = noise.copy()
  edge = side - superres_refiner.REACH
  other[:, :, side:] += 1
  one, two = (
    _refine(refiner, made, images, 1, each) for each in (noise, other)
  )
  np.testing.assert_array_equal(one[:, :, :edge], two[:, :, :edge])
  assert np.abs(one[:, :, side:] - two[:, :, side:]).max() > 0
