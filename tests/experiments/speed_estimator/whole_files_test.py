"""Files of known speed, read as the command reads them."""

import itertools

import numpy as np
import pytest

from experiments.speed_estimator import whole_files
from speedflow import media
from speedflow.data import catalogue
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import segments, strides


@pytest.fixture(name="clip", scope="module")
def _clip(tmp_path_factory):
  """A ball that flies to and fro over noise, 60 frames."""
  path = tmp_path_factory.mktemp("clips") / "ball.mp4"
  rng = np.random.default_rng(0)
  ground = rng.integers(60, 200, (96, 128, 3), np.uint8)
  with media.VideoWriter(path, 30, (128, 96)) as writer:
    for number in range(60):
      image = np.roll(ground, int(12 * np.sin(number / 7)), 1)
      x = int(54 + 40 * np.sin(number / 4))
      image[30:60, x : x + 24] = 250
      writer.write(image)
  return catalogue.Clip(
    name="ball",
    path=str(path),
    speed=1.0,
    label="known",
    category="realtime",
    source="a/b",
  )


def test_a_clip_played_faster_has_fewer_frames_at_its_rate(clip, tmp_path):
  out = tmp_path / "ball@2.mp4"
  assert whole_files.write(clip, 2, out)
  with media.VideoReader(out) as reader:
    assert len(list(reader)) == 30
    assert reader.info.fps_nominal == 30


def test_a_clip_too_short_to_be_played_faster_makes_no_file(clip, tmp_path):
  out = tmp_path / "ball@4.mp4"
  assert not whole_files.write(clip, 4, out)
  assert not out.exists()


def test_what_is_kept_gives_the_answer_of_the_command(clip, tmp_path):
  video, kept = tmp_path / "ball@2.mp4", tmp_path / "ball@2.json"
  whole_files.write(clip, 2, video)
  whole_files.keep(clip, 2, video, kept)
  (seen,) = whole_files.load(tmp_path)
  assert (seen.file.speed, seen.file.source) == (2.0, "a/b")
  estimator = estimator_lib.load_estimator()
  windows = itertools.chain.from_iterable(
    strides.fuse(strides.read(estimator.network, looks))
    for looks in seen.pieces
  )
  found = segments.summarise(
    "",
    list(windows),
    seen.file.duration_s,
    seen.file.fps,
    segments.Widths(1.0, 1.0),
  )
  expected = estimator.estimate(video)
  assert found.speed == pytest.approx(expected.speed)
  assert found.rounds == pytest.approx(expected.rounds)
