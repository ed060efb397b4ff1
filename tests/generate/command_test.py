import argparse

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.generate import command
from speedflow.generate import weights as generator_weights
from speedflow.generate.generator import Facts
from speedflow.models import generator


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  path = tmp_path_factory.mktemp("weights") / "small.safetensors"
  config = generator.GeneratorConfig(
    image=16, grid=4, chunk=2, width=8, depth=1, heads=2
  )
  model = nnx.eval_shape(lambda: generator.Generator(config, nnx.Rngs(0)))
  graph, state = nnx.split(model)
  state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state)
  facts = Facts(knots=2, low=-3.0, high=2.0)
  generator_weights.save(path, nnx.merge(graph, state), facts)
  return path


@pytest.fixture
def generate(weights, tmp_path):
  """Gives `generate(*arguments)`: runs the command, returns its pictures."""
  image = tmp_path / "image.png"
  cv2.imwrite(str(image), np.full((9, 12, 3), 128, np.uint8))

  def run(*arguments, first=("--image", str(image))):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    out = tmp_path / "out.mp4"
    args = parser.parse_args(
      [
        *(*first, "--steps=2", "--size=32", f"--weights={weights}"),
        *(*arguments, str(out)),
      ]
    )
    assert command.run(args) == 0
    with media.VideoReader(out) as reader:
      assert reader.info.fps == args.fps
      return np.stack([frame.image for frame in reader])

  return run


def test_one_clip_is_written_at_the_wanted_rate(generate):
  assert generate("--speed", "0.25", "--fps=25").shape == (3, 32, 32, 3)


def test_several_speeds_stand_side_by_side_above_their_names(generate):
  frames = generate("--speed=0.5,1,2", "--size=64")
  assert frames.shape == (3, 64 + 24, 3 * 64, 3)
  assert frames[0, 64:].max() > 200  # White letters.


def test_a_curve_and_a_length_are_obeyed(generate, tmp_path):
  curve = tmp_path / "curve.csv"
  curve.write_text("time_s,speed\n0,1\n0.1,0.25\n")
  frames = generate("--speed-curve", str(curve), "--frames=5")
  assert len(frames) == 5


def test_the_first_frame_of_a_video_will_do(generate, make_video):
  assert len(generate(first=("--video", str(make_video())))) == 3


def test_bad_arguments_are_refused(generate, tmp_path):
  for bad, message in (
    ("--speed=fast", "fast is no speed; wanted one such as 0.25"),
    ("--speed=-1", "no speed"),
    ("--fps=0", "0 is no frame rate"),
  ):
    with pytest.raises(argparse.ArgumentError, match=message):
      generate(bad)
  for bad, message in (
    ("--size=0", "size is 0; wanted 16 to 1024"),
    ("--seed=-1", "the seed is -1"),
    ("--fps=1001", "--fps is 1001; wanted more than 0, 1000 at most"),
    ("--weights=none", "generator_none.safetensors: no such weights"),
    ("--speed-curve=none.csv", "none.csv: No such file"),
  ):
    with pytest.raises(SpeedflowError, match=message):
      generate(bad)
  with pytest.raises(SpeedflowError, match=r"missing\.png"):
    generate(first=("--image", str(tmp_path / "missing.png")))
