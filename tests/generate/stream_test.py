import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.generate import generator as inference
from speedflow.generate import stream as generator_stream
from speedflow.models import generator, generator_flow

CONFIG = generator.GeneratorConfig(
  image=16, grid=4, chunk=2, width=8, depth=1, heads=2, causal=True
)
FACTS = inference.Facts(knots=6, low=-3.0, high=2.0, time_shift=-1.0)


def build(config=CONFIG):
  """A generator that has learnt nothing, but reacts to all it is told."""
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.3, x.shape), x.dtype), state
  )
  return inference.SpeedGenerator(nnx.merge(graph, filled), FACTS)


@pytest.fixture(scope="module")
def maker():
  return build()


@pytest.fixture
def picture():
  return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def watch(maker, picture, speeds, seed=0):
  stream = generator_stream.Stream(maker, picture, seed=seed, steps=2, size=16)
  return np.concatenate([stream.advance(speed) for speed in speeds])


def test_chunks_follow_one_another_without_end(maker, picture):
  clip = watch(maker, picture, [0.5] * 8)
  assert clip.shape == (16, 16, 16, 3)
  assert clip.dtype == np.uint8
  assert np.any(clip[-1] != clip[0])


def test_the_seed_and_nothing_else_decides(maker, picture):
  clips = [watch(maker, picture, [0.5] * 3, seed) for seed in (1, 1, 2)]
  np.testing.assert_array_equal(clips[0], clips[1])
  assert np.any(clips[0] != clips[2])


def test_a_change_of_speed_leaves_what_was_shown(maker, picture):
  steady = watch(maker, picture, [0.5, 0.5, 0.5])
  faster = watch(maker, picture, [0.5, 0.5, 4.0])
  np.testing.assert_array_equal(faster[:4], steady[:4])
  assert np.any(faster[4:] != steady[4:])


def test_each_frame_may_have_its_speed(maker, picture):
  np.testing.assert_allclose(
    watch(maker, picture, [[0.5, 0.5], [2.0, 2.0]]),
    watch(maker, picture, [0.5, 2.0]).astype(int),
    atol=1,
  )


def test_memory_changes_nothing_but_the_time_it_takes(maker, picture):
  """Beside a loop that computes all chunks again at each step."""
  log2_step = np.array([[-1.0, -1.0], [0.5, 0.0], [-2.0, 1.0]])
  stream = generator_stream.TrajectoryStream(maker, picture[None], [3], steps=2)
  streamed = [stream.advance(step[None])[0] for step in log2_step]

  model = nnx.merge(*maker.network)
  picture = model.look(jnp.asarray(picture[None]))
  yes = jnp.ones(1, bool)
  run = nnx.jit(lambda model, *given: model.flow(*given)[0])
  times = generator_flow.schedule(2, FACTS.time_shift)
  made = []
  for chunk in range(3):
    noise = np.random.default_rng([3, chunk]).standard_normal(
      (1, 2, 4, 4, 2), np.float32
    )
    steps = jnp.asarray(log2_step[: chunk + 1].reshape(1, -1), "float32")
    point = jnp.asarray(noise)
    for time, then in itertools.pairwise(times):
      velocity = run(
        model,
        jnp.concatenate([*made, point], 1),
        jnp.asarray([[1.0] * chunk + [time]], "float32"),
        picture,
        yes,
        steps,
        yes,
      )
      point = point + (then - time) * velocity[:, -2:]
    made.append(point)
  trajectories = generator.decode(CONFIG, jnp.concatenate(made, 1), steps)
  np.testing.assert_allclose(
    np.concatenate(streamed), trajectories[0], rtol=1e-4, atol=1e-5
  )


def test_pictures_in_a_batch_do_not_meet(maker, picture):
  images = np.stack([picture, 255 - picture])
  both = generator_stream.TrajectoryStream(maker, images, [1, 2], steps=2)
  alone = generator_stream.TrajectoryStream(maker, images[1:], [2], steps=2)
  for _ in range(2):
    np.testing.assert_allclose(
      both.advance(np.zeros((2, 2)))[1:],
      alone.advance(np.zeros((1, 2))),
      atol=1e-5,
    )


def test_only_causal_generators_go_on(picture):
  whole = build(dataclasses.replace(CONFIG, causal=False))
  with pytest.raises(SpeedflowError, match="train a causal one"):
    generator_stream.Stream(whole, picture)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"steps": 0}, "steps are 0"),
    ({"fps": 0}, "fps is 0"),
    ({"size": 1}, "size is 1"),
    ({"exposure": 2.0}, "exposure is 2"),
  ],
)
def test_numbers_out_of_range_are_refused(maker, picture, options, message):
  with pytest.raises(SpeedflowError, match=message):
    generator_stream.Stream(maker, picture, **options)


def test_a_speed_must_be_positive(maker, picture):
  stream = generator_stream.Stream(maker, picture, steps=1, size=16)
  with pytest.raises(SpeedflowError, match="speed is 0"):
    stream.advance(0.0)
