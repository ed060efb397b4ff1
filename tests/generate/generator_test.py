import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.generate import generator as inference
from speedflow.generate import weights
from speedflow.models import generator

FACTS = inference.Facts(knots=4, low=-3.0, high=2.0)


@pytest.fixture(scope="module")
def model():
  """A network that has learnt nothing, but reacts to all of its inputs."""
  config = generator.GeneratorConfig(
    image=16, grid=4, chunk=2, width=8, depth=1, heads=2
  )
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.3, x.shape), x.dtype), state
  )
  return nnx.merge(graph, filled)


@pytest.fixture(scope="module")
def maker(model):
  return inference.SpeedGenerator(model, FACTS)


@pytest.fixture
def picture():
  return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_a_clip_begins_with_the_middle_of_the_picture(maker, picture):
  clip = maker.generate(picture, steps=2, size=16)
  assert clip.shape == (5, 16, 16, 3)
  assert clip.dtype == np.uint8
  middle = cv2.resize(picture[:, 5:25], (16, 16), interpolation=cv2.INTER_AREA)
  np.testing.assert_array_equal(clip[0], middle)
  assert np.any(clip[-1] != clip[0])


def test_length_and_size_are_free(maker, picture):
  clip = maker.generate(picture, 0.5, steps=2, size=40, frames=9)
  assert clip.shape == (9, 40, 40, 3)


def test_the_seed_and_nothing_else_decides(maker, picture):
  again = [maker.generate(picture, steps=2, seed=s, size=16) for s in (1, 1, 2)]
  np.testing.assert_array_equal(again[0], again[1])
  assert np.any(again[0] != again[2])


def test_twice_the_speed_goes_further(maker, picture):
  def changed(speed):
    clip = maker.generate(picture, speed, steps=2, size=32, exposure=0.0)
    return np.abs(clip[1:].astype(int) - clip[0]).mean()

  assert changed(1 / 16) < changed(1.0)


def test_the_same_speed_at_another_rate_is_another_step(maker, picture):
  def make(speed, fps):
    return maker.generate(picture, speed, fps=fps, steps=2, size=16)

  slower = make(1.0, 30).astype(int)
  np.testing.assert_allclose(make(2.0, 60), slower, atol=1)
  assert np.abs(make(1.0, 60) - slower).max() > 1


def test_a_longer_exposure_blurs_what_moves(maker, picture):
  def sharpness(exposure):
    clip = maker.generate(picture, 4.0, steps=2, size=64, exposure=exposure)
    return np.abs(np.diff(clip[-1].astype(int), axis=0)).mean()

  assert sharpness(1.0) < sharpness(0.0)


def test_a_curve_of_one_speed_is_that_speed(maker, picture):
  np.testing.assert_allclose(
    maker.generate(picture, speed_curve=[0.5] * 5, steps=2, size=16),
    maker.generate(picture, 0.5, steps=2, size=16).astype(int),
    atol=1,
  )


def test_a_clip_does_not_depend_on_its_neighbours_in_a_batch(maker, picture):
  image = inference.first_frame(picture, 16)
  other = image[::-1]
  alone = maker.generate(picture, steps=2, seed=3, size=16)
  batch = maker.generate_batch(
    np.stack([other, image, other]),
    np.zeros((3, 5)),
    seeds=[5, 3, 4],
    steps=2,
  )
  difference = np.abs(batch[1].astype(int) - alone)
  assert np.mean(difference > 2) < 0.01  # Rounding moves a pixel or two.


def test_progress_ends_at_one(maker, picture):
  told = []
  maker.generate(picture, steps=2, size=16, on_progress=told.append)
  assert told == sorted(told)
  assert told[-1] == 1.0


def test_pictures_are_read_from_files_and_videos(maker, make_video, tmp_path):
  first = inference.first_frame(make_video(), 16)
  assert first.shape == (16, 16, 3)
  path = tmp_path / "picture.png"
  image = np.zeros((10, 10, 3), np.uint8)
  image[..., 2] = 200  # Red, as OpenCV orders it.
  cv2.imwrite(str(path), image)
  red = inference.first_frame(path, 16).astype(int)
  assert abs(red[..., 0] - 200).max() <= 3
  assert red[..., 1:].max() <= 3


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"speed": 0.0}, "speed is 0.0; wanted a positive number"),
    ({"speed": float("nan")}, "speed is nan; wanted a positive"),
    (
      {"speed": 100.0},
      "13.3 s of the world, .* makes 0.667 s at most; ask for",
    ),
    ({"frames": 100}, "100 frames at this speed last 3.3 s of the world"),
    ({"speed": 1e-4}, "0.0001x .* out of range; ask for 0.0078x or more"),
    ({"frames": 1}, "1 frames are asked for; wanted 2 or more"),
    ({"size": 8}, "size is 8; wanted 16 to 1024 pixels"),
    ({"exposure": 2.0}, "exposure is 2; wanted 0 to 1"),
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


def test_weights_come_back(model, maker, picture, tmp_path):
  path = tmp_path / "weights.safetensors"
  weights.save(path, model, FACTS)
  loaded = weights.load_generator(path)
  assert loaded.facts == FACTS
  assert loaded.config == maker.config
  given, back = (
    m.generate(picture, steps=2, size=16).astype(int) for m in (maker, loaded)
  )
  # Parameters were rounded to float16.
  assert np.median(np.abs(given - back)) <= 1


def test_missing_and_foreign_weights_are_refused(tmp_path):
  with pytest.raises(SpeedflowError, match=r"no such weights; .*train a gener"):
    weights.load_generator(tmp_path / "none.safetensors")
  path = tmp_path / "other.safetensors"
  path.write_bytes(b"no weights")
  with pytest.raises(SpeedflowError, match="not weights of a generator"):
    weights.load_generator(path)
