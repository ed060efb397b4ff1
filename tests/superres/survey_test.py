"""A first look at a video: its shots, whatever their length."""

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.data import shots
from speedflow.superres import survey as survey_lib


def _texture(seed, bright):
  rng = np.random.default_rng(seed)
  noise = cv2.GaussianBlur(rng.random((96, 400, 3)), (0, 0), 3)
  noise = cv2.normalize(noise, None, 0, 1, cv2.NORM_MINMAX)
  return (noise * bright).astype(np.uint8)


@pytest.fixture
def write(tmp_path):
  """Writes shots, given as (seed, brightness, frames); each pans a texture."""

  def write(shots):
    path = tmp_path / "in.mp4"
    with media.VideoWriter(path, 25, (128, 96), crf=4) as writer:
      for seed, bright, count in shots:
        wide = _texture(seed, bright)
        for k in range(count):
          writer.write(np.ascontiguousarray(wide[:, 4 * k : 4 * k + 128]))
    return path

  return write


def _brightness(pairs):
  return float(np.mean([pair.first.mean() for pair in pairs]))


def test_every_shot_is_judged_by_its_own_frames(write):
  path = write([(0, 100, 20), (1, 250, 20)])
  found = survey_lib.survey(path, _brightness)
  assert found.shot.tolist() == [0] * 20 + [1] * 20
  assert found.exposure[1] > 2 * found.exposure[0]


def test_shots_of_few_frames_are_found(write):
  path = write([(0, 250, 18), (1, 250, 4), (2, 250, 3), (3, 250, 18)])
  found = survey_lib.survey(path, lambda pairs: 0.0)
  assert found.shot.tolist() == [0] * 18 + [1] * 4 + [2] * 3 + [3] * 18


def test_fast_motion_is_no_cut(tmp_path):
  path = tmp_path / "in.mp4"
  wide = _texture(0, 250)
  with media.VideoWriter(path, 25, (128, 96), crf=4) as writer:
    for k in range(16):
      writer.write(np.ascontiguousarray(wide[:, 8 * k : 8 * k + 128]))
  found = survey_lib.survey(path, lambda pairs: 0.0)
  assert len(found.exposure) == 1


def test_nothing_is_made_up_beside_a_flash_though_it_is_no_cut(tmp_path):
  path = tmp_path / "in.mp4"
  wide = _texture(0, 250)
  with media.VideoWriter(path, 25, (128, 96), crf=4) as writer:
    for k in range(21):
      image = np.ascontiguousarray(wide[:, 4 * k : 4 * k + 128])
      writer.write(255 - (255 - image) // 8 if k == 10 else image)
  with media.VideoReader(path) as reader:
    numbered = list(shots.number_shots(reader, find_gradual=False))
  assert {each.shot for each in numbered} == {0}
  found = survey_lib.survey(path, lambda pairs: 0.0)
  assert found.shot.tolist() == [0] * 10 + [1] + [2] * 10


def test_only_what_is_transparent_counts(tmp_path):
  for name, alpha in (("opaque", 255), ("clear", 200)):
    image = np.full((48, 64, 4), alpha, np.uint8)
    with media.VideoWriter(
      tmp_path / f"{name}.mov", 25, (64, 48), pixel_format="rgba"
    ) as writer:
      for _ in range(3):
        writer.write(image)
    found = survey_lib.survey(tmp_path / f"{name}.mov", lambda pairs: 0.0)
    assert found.transparent == (name == "clear")
