"""Clips by Wan through the command line, from a folder of random weights."""

import json
import os
import re
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from experiments.wan import stand_in
from speedflow import cli, media
from speedflow.wan import pipeline, words
from speedflow.weights import room_for, wan

# A clip by one device, and by four: each has a quarter of the tokens, and of
# the larger parameters.
_SPREAD = """
import pathlib, sys, jax, numpy as np
from speedflow.wan import pipeline, spreading
spreading._WHOLE = 0
wish = pipeline.Wish(text="a ball falls", frames=5, steps=2)
image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
clips = [
  pipeline.WanGenerator(
    pathlib.Path(sys.argv[1]), devices=jax.devices()[:count]
  ).generate(image, wish).astype(int)
  for count in (1, 4)
]
assert np.ptp(clips[0]) > 50
np.testing.assert_allclose(*clips, atol=1)
made = pipeline.WanGenerator(pathlib.Path(sys.argv[1]))
leaves = jax.tree.leaves(jax.tree.map(
  lambda x: x.sharding.is_fully_replicated, made._network(0.0)))
print("equal", leaves.count(False), "of", len(leaves), "are split")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("wan")
  stand_in.write(folder)
  return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
  """The same, as if it had learnt speed."""
  made = tmp_path_factory.mktemp("trained")
  stand_in.write(made, speed=True)
  return made


@pytest.fixture
def picture(tmp_path):
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
  path = tmp_path / "picture.png"
  Image.fromarray(pixels).save(path)
  return path


def _generate(folder, picture, out, *more):
  return cli.main(
    [
      *("generate", "--image", str(picture), "--weights", str(folder)),
      *("--frames", "5", "--steps", "2", "--text", "a ball falls"),
      *(*more, str(out)),
    ]
  )


def _respelt(path, **fields):
  path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _frames(path):
  with media.VideoReader(path) as reader:
    return np.stack([frame.image for frame in reader]).astype(int)


def test_a_picture_becomes_a_clip(folder, picture, tmp_path):
  assert _generate(folder, picture, tmp_path / "out.mp4") == 0
  frames = _frames(tmp_path / "out.mp4")
  assert frames.shape == (5, 32, 48, 3)


def test_two_speeds_stand_side_by_side(trained, picture, tmp_path):
  out = tmp_path / "out.mp4"
  more = ("--speed", "0.25,4", "--guidance", "2", "--text-guidance", "1")
  assert _generate(trained, picture, out, *more) == 0
  slow, fast = np.split(_frames(out)[:, :32], 2, axis=2)
  assert np.abs(slow - fast).mean() > 0.5


@pytest.mark.parametrize(
  ("more", "said"),
  [
    (("--speed", "0.25"), "have not learnt speed"),
    (("--text", " "), "give --text"),
    (("--frames", "6"), "1 more than a multiple of 4"),
    (("--steps", "0"), "--steps is 0"),
    (("--size", "64"), "--size is not read by Wan"),
    (("--image-guidance", "2"), "--image-guidance is not read by Wan"),
  ],
  ids=["speed", "text", "frames", "steps", "size", "guidance"],
)
def test_a_wish_that_cannot_be_is_one_line(
  folder, picture, tmp_path, capfd, more, said
):
  assert _generate(folder, picture, tmp_path / "out.mp4", *more) == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert said in line
  assert not (tmp_path / "out.mp4").exists()


def test_speeds_beyond_what_there_is_are_refused(
  trained, picture, tmp_path, capfd
):
  more = ("--speed", "16")
  assert _generate(trained, picture, tmp_path / "out.mp4", *more) == 2
  assert "0.01 and 8" in capfd.readouterr().err


@pytest.mark.parametrize(
  ("spoil", "said"),
  [
    (lambda f: (f / "model_index.json").unlink(), "not the index"),
    (
      lambda f: (f / "model_index.json").write_text('{"_class_name": "Flux"}'),
      "wanted a pipeline of Wan",
    ),
    (
      lambda f: (f / "tokenizer" / "tokenizer.json").write_text("no"),
      "no tokenizer",
    ),
    (
      lambda f: _respelt(f / "model_index.json", _speedflow={"height": -32}),
      "height is -32",
    ),
    (
      lambda f: _respelt(f / "model_index.json", _speedflow={"shift": "3"}),
      "not the index",
    ),
    (
      lambda f: (f / "vae" / "config.json").rename(f / "elsewhere.json"),
      "no configuration of a network",
    ),
    (
      lambda f: _respelt(f / "text_encoder" / "config.json", d_model=24),
      "d_model is 24, where the transformer has text_dim 16",
    ),
    (
      lambda f: (
        (f / "vae").rename(f / "moved"),
        (f / "vae").symlink_to("elsewhere"),
      ),
      "a link to elsewhere, which is not there",
    ),
  ],
  ids=[
    "no index",
    "another",
    "tokenizer",
    "no size",
    "no shift",
    "no config",
    "encoder",
    "link",
  ],
)
def test_a_folder_of_something_else_is_one_line(
  picture, tmp_path, capfd, spoil, said
):
  stand_in.write(tmp_path / "wan")
  spoil(tmp_path / "wan")
  assert _generate(tmp_path / "wan", picture, tmp_path / "out.mp4") == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert said in line


def test_too_little_memory_is_said_before_loading(
  folder, picture, tmp_path, capfd, monkeypatch
):
  monkeypatch.setattr(room_for, "available", lambda: 1000)
  monkeypatch.setattr(wan, "load_transformer", lambda *_: pytest.fail("loaded"))
  assert _generate(folder, picture, tmp_path / "out.mp4") == 2
  assert "GB of memory" in capfd.readouterr().err


def test_text_is_for_wan_alone(picture, tmp_path, capfd):
  out = tmp_path / "out.mp4"
  code = cli.main(
    ["generate", "--image", str(picture), "--text", "a ball", str(out)]
  )
  assert code == 2
  assert "--text is read by Wan alone" in capfd.readouterr().err


def test_words_become_numbers_and_the_rest_is_empty(folder):
  cut = words.Tokenizer(folder / "tokenizer")
  numbers, present = cut(["a  ball\nfalls", "&lt;", ""])
  assert numbers.shape == present.shape == (3, words.LENGTH)
  assert numbers[0, :4].tolist() == [3, 4, 5, 1]
  assert present.sum(1).tolist() == [4, 2, 1]


@pytest.mark.parametrize("shape", [(30, 40), (100, 35), (16, 16)])
def test_pictures_keep_their_shape(folder, shape):
  maker = pipeline.WanGenerator(folder)
  fitted = maker.fitted(np.zeros((*shape, 3), np.uint8))
  height, width = fitted.shape[:2]
  assert height % 16 == width % 16 == 0
  assert 0.5 < (height / width) / (shape[0] / shape[1]) < 2


def test_speeds_of_latent_frames_are_means_of_theirs():
  found = pipeline.of_latents(np.array([5.0, 1, 2, 3, 4, 0, 0, 0, 8]))
  np.testing.assert_allclose(found, [5, 2.5, 2])


def test_a_video_gets_frames_between_its_own(
  folder, tmp_path, capsys, monkeypatch
):
  loaded = []
  load = wan.load_text_encoder
  monkeypatch.setattr(
    wan, "load_text_encoder", lambda *given: loaded.append(1) or load(*given)
  )
  video = tmp_path / "in.mp4"
  wide = np.random.default_rng(0).uniform(0, 255, (30, 60, 3))
  wide = cv2.GaussianBlur(wide, (0, 0), 3).astype(np.uint8)
  frames = [np.ascontiguousarray(wide[:, k : k + 40]) for k in range(2)]
  with media.VideoWriter(video, Fraction(10), (40, 30)) as writer:
    for frame in frames:
      writer.write(frame)
  out = tmp_path / "out.mp4"
  told = ("superres", str(video), str(out), "--weights", str(folder))
  assert cli.main([*told, "--factor", "2", "--exposure", "0"]) == 0
  # Large as it is, it is loaded once for all frames.
  assert len(loaded) == 1
  said = json.loads((tmp_path / "out.mp4.json").read_text())
  assert said["weights"] == folder.name
  kinds = [frame["kind"] for frame in said["frames"]]
  assert kinds[:3] == ["observed", "synthesised", "observed"]
  made = said["frames"][1]
  assert made["uncertainty"] > 0
  assert cli.main([*told, "--factor", "3", "--overwrite"]) == 2
  assert "--factor 2, 4 or 8" in capsys.readouterr().err


@pytest.mark.slow
def test_several_devices_make_the_clip_that_one_makes(folder):
  output = subprocess.run(
    [sys.executable, "-c", _SPREAD, str(folder)],
    env=os.environ
    | {
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": os.environ.get("XLA_FLAGS", "")
      + " --xla_force_host_platform_device_count=4",
    },
    capture_output=True,
    text=True,
    timeout=500,
    check=False,
  )
  found = re.search(r"equal (\d+) of", output.stdout)
  assert found, output.stderr
  assert int(found[1]) > 20
