import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.models import generator, generator_flow

CONFIG = generator.GeneratorConfig(width=16, depth=1, heads=2)


def build(**changes):
  """A network whose parameters are all at work, none zero."""
  config = dataclasses.replace(CONFIG, **changes)
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.2, x.shape), x.dtype), state
  )
  return nnx.merge(graph, filled)


@pytest.fixture(scope="module")
def fresh():
  """A network as it is before training."""
  return nnx.jit(lambda: generator.Generator(CONFIG, nnx.Rngs(0)))()


@nnx.jit
def predict(model, given):
  return model(**given)


def inputs(rows=2, frames=3, size=8, **changes):
  keys = jax.random.split(jax.random.key(0), 3)
  given = {
    "noisy": jax.random.normal(keys[0], (rows, frames, size, size, 3)),
    "time": jnp.full((rows, frames), 0.4),
    "image": jax.random.normal(keys[1], (rows, size, size, 3)),
    "has_image": jnp.ones(rows, bool),
    "log2_step": jnp.zeros((rows, frames)),
    "has_speed": jnp.ones(rows, bool),
  }
  return given | changes


def test_patches_come_back_as_the_picture():
  frames = jax.random.normal(jax.random.key(0), (2, 3, 8, 12, 3))
  patches = generator.to_patches(frames, 4)
  assert patches.shape == (2, 3, 6, 48)
  np.testing.assert_array_equal(
    patches[0, 0, 1].reshape(4, 4, 3), frames[0, 0, :4, 4:8]
  )
  np.testing.assert_array_equal(generator.from_patches(patches, 4, 8), frames)


def test_pixels_come_back_from_their_code():
  pixels = jnp.arange(256, dtype=jnp.uint8)
  np.testing.assert_array_equal(
    generator.decode(generator.encode(pixels)), pixels
  )


def test_world_time_adds_up_the_steps():
  steps = jnp.log2(jnp.array([[1.0, 0.25, 4.0, 2.0]]))
  np.testing.assert_allclose(
    generator.world_time(steps)[0], [0.0, 1.0, 1.25, 5.25]
  )


def test_blocks_begin_as_the_identity(fresh):
  block = fresh.blocks[0]
  x = jax.random.normal(jax.random.key(0), (1, 3, 4, 16))
  condition = jax.random.normal(jax.random.key(1), (1, 3, 16))
  angles = jnp.ones((4, 4)), jnp.ones((3, 4))
  run = nnx.jit(lambda block, *given: block(*given))
  np.testing.assert_array_equal(run(block, x, condition, *angles), x)


def test_a_new_network_gives_the_linear_optimum_about_the_first_frame(
  fresh,
):
  given = inputs()
  velocity = predict(fresh, given)
  image = given["image"][:, None]
  skip = generator_flow.scales(0.4, CONFIG.residual).skip
  expected = image + skip * (given["noisy"] - 0.4 * image)
  np.testing.assert_allclose(velocity[:, 1:], expected[:, 1:], atol=1e-5)


def test_without_an_image_the_image_does_not_matter():
  model = build()
  given = inputs(has_image=jnp.zeros(2, bool))
  other = given | {"image": -given["image"]}
  np.testing.assert_array_equal(predict(model, given), predict(model, other))


def test_with_an_image_the_first_noisy_frame_does_not_matter():
  model = build()
  given = inputs()
  other = given | {"noisy": given["noisy"].at[:, 0].add(1.0)}
  np.testing.assert_array_equal(
    predict(model, given)[:, 1:], predict(model, other)[:, 1:]
  )


@pytest.mark.parametrize("speed", ["fourier", "buckets", "none"])
def test_the_speed_matters_only_where_it_is_told(speed):
  model = build(speed=speed, frame_speed=False)
  slow, fast = (
    inputs(
      has_speed=jnp.array([True, False]),
      log2_step=jnp.full((2, 3), log2_step),
    )
    for log2_step in (-3.0, 2.0)
  )
  change = jnp.abs(predict(model, slow) - predict(model, fast)).max(
    (1, 2, 3, 4)
  )
  assert change[1] == 0
  assert (change[0] > 1e-4) == (speed != "none")


def test_buckets_do_not_tell_neighbouring_speeds_apart():
  model = build(speed="buckets", frame_speed=False)
  near = [inputs(log2_step=jnp.full((2, 3), s)) for s in (-0.05, 0.05)]
  # Buckets from -4 to 3 lie one octave apart: at ..., -1, 0, 1, ...
  np.testing.assert_array_equal(
    predict(model, near[0]), predict(model, near[1])
  )


def test_a_speed_curve_is_seen_frame_by_frame():
  ramp, back = jnp.array([[0.0, -2.0, 0.0]]), jnp.array([[-2.0, 0.0, 0.0]])
  for told, differs in ((True, True), (False, False)):
    model = build(frame_speed=told)
    one, other = (
      predict(model, inputs(rows=1, log2_step=curve)) for curve in (ramp, back)
    )
    assert bool(jnp.any(jnp.abs(one - other) > 1e-4)) is differs


def test_remat_changes_nothing_but_memory():
  given = inputs()
  np.testing.assert_allclose(
    predict(build(remat=True), given), predict(build(), given), atol=1e-6
  )


def test_bfloat16_is_close_to_float32():
  given = inputs()
  half, full = build(dtype=jnp.bfloat16), build()
  assert predict(half, given).dtype == jnp.float32
  np.testing.assert_allclose(
    predict(half, given), predict(full, given), atol=0.1
  )


def test_impossible_sizes_are_refused():
  with pytest.raises(ValueError, match="width 18 is no multiple of 4 x 2"):
    build(width=18)
  with pytest.raises(ValueError, match="speed is 'words'; wanted 'fourier'"):
    build(speed="words")
