import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.inference import generator as inference
from speedflow.inference import generator_weights
from speedflow.models import generator

FACTS = inference.Facts(frames=3, size=8, low=-3.0, high=2.0)


@pytest.fixture(scope="module")
def maker():
  """A generator that has learnt nothing, but reacts to all it is told."""
  config = generator.GeneratorConfig(width=8, depth=1, heads=2)
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.3, x.shape), x.dtype), state
  )
  return inference.SpeedGenerator(nnx.merge(graph, filled), FACTS)


@pytest.fixture
def picture():
  return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_a_clip_begins_with_the_middle_of_the_picture(maker, picture):
  clip = maker.generate(picture, steps=2)
  assert clip.shape == (3, 8, 8, 3)
  assert clip.dtype == np.uint8
  middle = cv2.resize(picture[:, 5:25], (8, 8), interpolation=cv2.INTER_AREA)
  np.testing.assert_array_equal(clip[0], middle)


def test_the_seed_and_nothing_else_decides(maker, picture):
  again = [maker.generate(picture, steps=2, seed=s) for s in (1, 1, 2)]
  np.testing.assert_array_equal(again[0], again[1])
  assert np.any(again[0] != again[2])


def test_the_speed_changes_the_clip_and_guidance_0_ignores_it(maker, picture):
  fast, slow = (maker.generate(picture, s, steps=2) for s in (2.0, 0.25))
  assert np.any(fast != slow)
  fast, slow = (
    maker.generate(picture, s, steps=2, guidance=0.0) for s in (2.0, 0.25)
  )
  np.testing.assert_array_equal(fast, slow)


def test_the_same_speed_at_another_rate_is_another_step(maker, picture):
  one = maker.generate(picture, 1.0, fps=30, steps=2)
  np.testing.assert_array_equal(
    maker.generate(picture, 2.0, fps=60, steps=2), one
  )
  assert np.any(maker.generate(picture, 1.0, fps=60, steps=2) != one)


def test_a_curve_of_one_speed_is_that_speed(maker, picture):
  np.testing.assert_array_equal(
    maker.generate(picture, speed_curve=[0.5] * 3, steps=2),
    maker.generate(picture, 0.5, steps=2),
  )


def test_a_clip_does_not_depend_on_its_neighbours_in_a_batch(maker, picture):
  image = inference.first_frame(picture, 8)
  other = image[::-1]
  alone = maker.generate(picture, steps=2, seed=3)
  batch = maker.generate_batch(
    np.stack([other, image, other]),
    np.zeros((3, 3)),
    seeds=[5, 3, 4],
    steps=2,
  )
  np.testing.assert_allclose(batch[1].astype(int), alone.astype(int), atol=1)


def test_progress_ends_at_one(maker, picture):
  told = []
  maker.generate(picture, steps=2, on_progress=told.append)
  assert told == [0.5, 1.0]


def test_pictures_are_read_from_files_and_videos(maker, make_video, tmp_path):
  first = inference.first_frame(make_video(), 8)
  assert first.shape == (8, 8, 3)
  path = tmp_path / "picture.png"
  image = np.zeros((10, 10, 3), np.uint8)
  image[..., 2] = 200  # Red, as OpenCV orders it.
  cv2.imwrite(str(path), image)
  red = inference.first_frame(path, 8).astype(int)
  assert abs(red[..., 0] - 200).max() <= 3
  assert red[..., 1:].max() <= 3


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"speed": 0.0}, "speed is 0.0; wanted a positive number"),
    ({"speed": float("nan")}, "speed is nan; wanted a positive"),
    ({"speed": 100.0}, "100x to 100x .* out of range; ask for 0.062 to 8"),
    ({"frames": 1}, "1 frames are asked for; this generator makes 2 to 6"),
    ({"frames": 100}, "100 frames are asked for"),
    ({"fps": -1}, "fps is -1; wanted a positive"),
    ({"steps": 0}, "steps are 0; wanted 1 to 1000"),
    ({"guidance": -1.0}, "guidance is -1; wanted 0 to 20"),
    ({"image_guidance": 99.0}, "image guidance is 99"),
    ({"speed_curve": [1.0], "frames": 3}, "1 values for 3 frames"),
    ({"speed_curve": [1.0, -1.0, 1.0]}, "speed is -1.0; wanted a positive"),
  ],
)
def test_numbers_out_of_range_are_refused(maker, picture, options, message):
  with pytest.raises(SpeedflowError, match=message):
    maker.generate(picture, **options)


def test_what_is_no_picture_is_refused(maker, tmp_path):
  for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
    with pytest.raises(SpeedflowError, match=r"wanted uint8 \[height, width"):
      maker.generate(bad)
  path = tmp_path / "text.png"
  path.write_text("no picture")
  with pytest.raises(SpeedflowError, match=r"text\.png"):
    maker.generate(path)


def test_weights_come_back(maker, picture, tmp_path):
  path = tmp_path / "weights.npz"
  model = nnx.merge(maker._graph, maker._state)
  generator_weights.save(path, model, FACTS)
  loaded = generator_weights.load_generator(path)
  assert loaded.facts == FACTS
  np.testing.assert_allclose(
    loaded.generate(picture, steps=2).astype(int),
    maker.generate(picture, steps=2).astype(int),
    atol=3,  # Parameters were rounded to float16.
  )


def test_missing_and_foreign_weights_are_refused(tmp_path):
  with pytest.raises(SpeedflowError, match=r"no such weights; .*train a gener"):
    generator_weights.load_generator(tmp_path / "none.npz")
  path = tmp_path / "other.npz"
  np.savez(path, header=np.array("{}"))
  with pytest.raises(SpeedflowError, match="not weights of a generator"):
    generator_weights.load_generator(path)
