import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.models import generator, generator_flow

CONFIG = generator.GeneratorConfig(
  image=16, grid=4, chunk=2, width=16, depth=1, heads=2
)


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


def inputs(rows=2, moments=4, **changes):
  rng = np.random.default_rng(0)
  given = {
    "noisy": jnp.asarray(rng.normal(size=(rows, moments, 4, 4, 2)), "float32"),
    "time": jnp.full(rows, 0.4),
    "image": jnp.asarray(rng.integers(0, 256, (rows, 16, 16, 3)), jnp.uint8),
    "has_image": jnp.ones(rows, bool),
    "log2_step": jnp.zeros((rows, moments)),
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


def test_a_steady_motion_is_the_same_numbers_at_every_speed():
  """Up to the error of tracked trajectories, which counts for 20 ms."""

  def encoded(log2_step):
    steps = jnp.full((1, 4), log2_step)
    seconds = generator.world_time(steps)
    trajectories = (
      jnp.zeros((1, 4, 4, 4, 2)) + 0.47 * seconds[..., None, None, None]
    )
    code = generator.encode(CONFIG, trajectories, steps)
    np.testing.assert_allclose(
      generator.decode(CONFIG, code, steps), trajectories, rtol=1e-5
    )
    return code[0, :, 0, 0, 0]

  np.testing.assert_allclose(encoded(0.0)[1:], encoded(2.0)[1:], rtol=0.25)
  assert encoded(0.0)[3] == pytest.approx(0.47 / 0.5, rel=0.14)


def test_ways_out_of_the_picture_are_bounded():
  steps = jnp.zeros((1, 4))
  code = generator.encode(CONFIG, jnp.full((1, 4, 4, 4, 2), -50.0), steps)
  assert float(code.min()) == -6.0


def test_units_give_no_speed_away_that_is_not_told():
  trajectories = jnp.ones((1, 4, 4, 4, 2))
  slow, fast = jnp.full((1, 4), -3.0), jnp.full((1, 4), 2.0)
  none = dataclasses.replace(CONFIG, speed="none")
  np.testing.assert_array_equal(
    generator.encode(none, trajectories, slow),
    generator.encode(none, trajectories, fast),
  )


def test_buckets_are_the_nearest_of_eight_octaves():
  buckets = dataclasses.replace(CONFIG, speed="buckets")
  steps = jnp.array([[-9.0] * 4, [-0.4] * 4, [0.0, 2.0, 2.0, 2.0]])
  np.testing.assert_allclose(
    generator.told_step(buckets, steps),
    [[-4.0] * 4, [0.0] * 4, [2.0] * 4],
    atol=1e-6,
  )


def test_world_time_adds_up_the_steps():
  steps = jnp.log2(jnp.array([[1.0, 0.25, 4.0, 2.0]]))
  np.testing.assert_allclose(
    30 * generator.world_time(steps)[0], [1.0, 1.25, 5.25, 7.25], rtol=1e-6
  )


def test_blocks_begin_as_the_identity(fresh):
  block = fresh.blocks[0]
  x = jax.random.normal(jax.random.key(0), (1, 3, 4, 16))
  condition = jax.random.normal(jax.random.key(1), (1, 3, 16))
  angles = jnp.ones((4, 4)), jnp.ones((3, 4))
  run = nnx.jit(lambda block, *given: block(*given))
  np.testing.assert_array_equal(run(block, x, condition, *angles)[0], x)


def test_a_new_network_gives_the_linear_optimum(fresh):
  given = inputs()
  skip = generator_flow.scales(0.4, CONFIG.deviation).skip
  np.testing.assert_allclose(
    predict(fresh, given), skip * given["noisy"], atol=1e-5
  )


def test_the_picture_matters_only_where_it_is_given():
  model = build()
  given = inputs(has_image=jnp.array([True, False]))
  other = given | {"image": 255 - given["image"]}
  change = jnp.abs(predict(model, given) - predict(model, other)).max(
    (1, 2, 3, 4)
  )
  assert change[0] > 1e-4
  assert change[1] == 0


def test_the_same_thing_elsewhere_is_told_apart():
  """Attention knows distances only; the way inward depends on the place."""
  model = build()
  alike = inputs(rows=1)
  alike["noisy"] *= 0
  alike["image"] = jnp.full_like(alike["image"], 128)
  velocity = predict(model, alike)[0, 0]
  assert float(jnp.abs(velocity[:2, :2] - velocity[2:, 2:]).max()) > 1e-4


def test_the_picture_is_not_drowned_by_the_noise(fresh):
  """Before training, tokens differ by the picture, not by the noise alone."""
  rng = np.random.default_rng(0)
  colours = rng.integers(0, 256, (16, 1, 1, 3))
  images = np.clip(colours + rng.integers(-40, 40, (16, 16, 16, 3)), 0, 255)
  seen = fresh.look(jnp.asarray(images, jnp.uint8))
  noise = jnp.asarray(rng.normal(size=(16, 4, 16)), jnp.float32)
  drowned = fresh.embed(noise)
  assert seen.var(0).mean() > 0.03 * drowned.var(0).mean()


def test_looking_once_for_all_steps_changes_nothing():
  model, given = build(), inputs()
  picture = nnx.jit(lambda model, image: model.look(image))(
    model, given["image"]
  )
  seen = {**given, "picture": picture}
  del seen["image"]
  np.testing.assert_allclose(
    flow(model, seen)[0], predict(model, given), atol=1e-5
  )


def test_a_token_holds_the_points_and_moments_of_its_place():
  """Without blocks, one noisy number reaches its own token alone."""
  model = build(depth=0)
  given = inputs(rows=1)
  other = given | {"noisy": given["noisy"].at[0, 3, 1, 2, 0].add(1.0)}
  change = predict(model, given) != predict(model, other)
  where = np.unique(np.argwhere(change)[:, 1:4], axis=0)
  np.testing.assert_array_equal(where.min(0), [2, 0, 2])
  np.testing.assert_array_equal(where.max(0), [3, 1, 3])


@pytest.mark.parametrize("speed", ["fourier", "buckets", "none"])
def test_the_speed_matters_only_where_it_is_told(speed):
  model = build(speed=speed, frame_speed=False)
  slow, fast = (
    inputs(
      has_speed=jnp.array([True, False]),
      log2_step=jnp.full((2, 4), log2_step),
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
  near = [inputs(log2_step=jnp.full((2, 4), s)) for s in (-0.05, 0.05)]
  # Buckets from -4 to 3 lie one octave apart: at ..., -1, 0, 1, ...
  np.testing.assert_array_equal(
    predict(model, near[0]), predict(model, near[1])
  )


def test_a_speed_curve_is_seen_moment_by_moment():
  ramp, back = jnp.array([[0.0, -2.0, 0, 0]]), jnp.array([[-2.0, 0.0, 0, 0]])
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
  with pytest.raises(ValueError, match="4 points in patches of 3 do not fit"):
    build(patch=3)
  with pytest.raises(ValueError, match="4 pixels that is halved twice or mo"):
    build(image=4)
  with pytest.raises(ValueError, match="speed is 'words'; wanted 'fourier'"):
    build(speed="words")


def test_a_perfect_prediction_has_no_error():
  config = generator.GeneratorConfig(grid=4, patch=2)
  trajectories = np.random.default_rng(0).normal(size=(2, 3, 4, 4, 2)) / 10
  batch = {
    "image": np.zeros((2, 64, 64, 3), np.uint8),
    "trajectories": trajectories.astype(np.float32),
    "log2_step": np.zeros((2, 3), np.float32),
  }
  noise = np.ones(trajectories.shape, np.float32)

  class Exact:
    """Knows the noise."""

    def __init__(self):
      self.config = config

    def __call__(self, noisy, time, image, has_image, log2_step, has_speed):
      return (noisy - (1 - time[0]) * noise) / time[0] - noise

  error = generator.velocity_error(
    Exact(),
    batch,
    noise=noise,
    time=np.full(2, 0.5, np.float32),
    has_image=np.array([True, False]),
    has_speed=np.array([True, True]),
  )
  np.testing.assert_allclose(error, 0.0, atol=1e-8)


def test_only_the_errors_of_weighted_points_count():
  config = generator.GeneratorConfig(grid=4, patch=2, velocity=1.0)
  trajectories = np.zeros((1, 3, 4, 4, 2), np.float32)
  trajectories[0, 1, 2, 3] = 0.1
  batch = {
    "image": np.zeros((1, 64, 64, 3), np.uint8),
    "trajectories": trajectories,
    "log2_step": np.zeros((1, 3), np.float32),
  }

  class Still:
    """Says that nothing moves."""

    def __init__(self):
      self.config = config

    def __call__(self, noisy, *conditions):
      return jnp.zeros_like(noisy)

  def error(weight):
    yes = np.ones(1, bool)
    return generator.velocity_error(
      Still(),
      batch,
      noise=np.zeros_like(trajectories),
      time=np.full(1, 0.5, np.float32),
      has_image=yes,
      has_speed=yes,
      weight=weight,
    )

  weight = np.zeros(trajectories.shape[:-1], np.float32)
  assert error(weight) == 0
  weight[0, 1, 2, 3] = 0.5
  np.testing.assert_allclose(error(weight), 0.5 * error(None), rtol=1e-6)


def causal_inputs(model, moments=8):
  given = inputs(rows=1, moments=moments)
  rng = np.random.default_rng(1)
  steps = jnp.asarray(rng.uniform(-2, 1, (1, moments)), "float32")
  picture = nnx.jit(lambda model, image: model.look(image))(
    model, given["image"]
  )
  time = jnp.asarray(rng.uniform(0.1, 0.9, (1, moments // 2)), "float32")
  return {
    "noisy": given["noisy"],
    "time": time,
    "picture": picture,
    "has_image": given["has_image"],
    "log2_step": steps,
    "has_speed": given["has_speed"],
  }


@nnx.jit
def flow(model, given, memory=None):
  return model.flow(**given, memory=memory)


@pytest.mark.parametrize("name", ["noisy", "time", "log2_step"])
def test_a_causal_network_sees_no_later_chunk(name):
  model = build(causal=True, depth=2)
  given = causal_inputs(model)
  middle = given[name].shape[1] // 2
  later = given | {name: given[name].at[:, middle:].add(0.1)}
  change = jnp.abs(flow(model, given)[0] - flow(model, later)[0])
  assert float(change[:, :4].max()) == 0
  assert float(change[:, 4:].max()) > 1e-4


def test_a_causal_network_sees_earlier_chunks():
  model = build(causal=True, depth=2)
  given = causal_inputs(model)
  other = given | {"noisy": given["noisy"].at[:, :2].add(1.0)}
  change = jnp.abs(flow(model, given)[0] - flow(model, other)[0])
  assert float(change[:, 6:].max()) > 1e-5


def test_other_networks_see_all_chunks():
  model = build(depth=2)
  given = causal_inputs(model) | {"time": jnp.full(1, 0.4)}
  later = given | {"noisy": given["noisy"].at[:, 4:].add(1.0)}
  change = jnp.abs(flow(model, given)[0] - flow(model, later)[0])
  assert float(change[:, :4].max()) > 1e-4


@pytest.mark.parametrize("speed", ["fourier", "none"])
def test_memory_gives_what_the_whole_clip_gives(speed):
  model = build(causal=True, depth=2, speed=speed)
  given = causal_inputs(model)
  whole, _ = flow(model, given)
  memory = model.remember_nothing(1, 3)
  for chunk in range(4):
    part = slice(2 * chunk, 2 * chunk + 2)
    velocity, memory = flow(
      model,
      given
      | {
        "noisy": given["noisy"][:, part],
        "log2_step": given["log2_step"][:, part],
        "time": given["time"][:, chunk : chunk + 1],
      },
      memory,
    )
    np.testing.assert_allclose(velocity, whole[:, part], atol=2e-5)
  assert int(memory.chunks) == 4
  told = generator.told_step(model.config, given["log2_step"])
  np.testing.assert_allclose(
    memory.seconds, generator.world_time(told)[:, -1], rtol=1e-6
  )


def test_after_a_true_history_a_chunk_is_as_if_it_had_been_streamed():
  """All chunks at once, beside one after the other."""
  model = build(causal=True, depth=2)
  given = causal_inputs(model)
  trajectories = jnp.asarray(
    np.random.default_rng(2).normal(size=given["noisy"].shape), jnp.float32
  )
  image = inputs(rows=1, moments=8)["image"]
  fields = ("noisy", "time", "has_image", "log2_step", "has_speed")
  at_once = nnx.jit(type(model).beside_the_truth)(
    model,
    **{name: given[name] for name in fields},
    image=image,
    trajectories=trajectories,
  )
  memory = model.remember_nothing(1, 3)
  for chunk in range(4):
    part = slice(2 * chunk, 2 * chunk + 2)
    now = given | {
      "noisy": given["noisy"][:, part],
      "log2_step": given["log2_step"][:, part],
      "time": given["time"][:, chunk : chunk + 1],
    }
    velocity, _ = flow(model, now, memory)
    np.testing.assert_allclose(velocity, at_once[:, part], atol=2e-5)
    true = {"noisy": trajectories[:, part], "time": jnp.ones((1, 1))}
    _, memory = flow(model, now | true, memory)


def test_memory_keeps_the_last_chunks_alone():
  model = build(causal=True)
  given = causal_inputs(model, moments=2)
  memories = [model.remember_nothing(1, 1) for _ in range(2)]
  for index, shift in enumerate((0.0, 1.0)):
    early = given | {"noisy": given["noisy"] + shift}
    _, memory = flow(model, early, memories[index])
    _, memories[index] = flow(model, given, memory)
  np.testing.assert_array_equal(memories[0].keys[0], memories[1].keys[0])


def test_ways_may_be_encoded_from_any_moment():
  steps = jnp.array([[0.0, -1.0, 1.0, 0.5]])
  trajectories = jax.random.normal(jax.random.key(0), (1, 4, 4, 4, 2)) / 100
  whole = generator.encode(CONFIG, trajectories, steps)
  since = generator.world_time(steps)[:, 1]
  part = generator.encode(CONFIG, trajectories[:, 2:], steps[:, 2:], since)
  np.testing.assert_allclose(part, whole[:, 2:], rtol=1e-5)
  np.testing.assert_allclose(
    generator.decode(CONFIG, part, steps[:, 2:], since),
    trajectories[:, 2:],
    rtol=1e-5,
  )


def test_a_causal_network_is_not_told_what_it_cannot_know():
  for told in ({"speed": "buckets"}, {"frame_speed": False}):
    with pytest.raises(ValueError, match="mean speed of a clip that goes on"):
      build(causal=True, **told)
