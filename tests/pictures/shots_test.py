"""A video is decoded once and looked at as often as wanted."""

import pathlib

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.detect import change_detector
from speedflow.errors import SpeedflowError
from speedflow.pictures import shots


@pytest.fixture
def path(tmp_path):
  """Two shots of noise that moves."""
  rng = np.random.default_rng(0)
  path = tmp_path / "a.mp4"
  with media.VideoWriter(path, 30, (128, 96)) as writer:
    for colour in ((200, 40, 40), (40, 40, 200)):
      grain = rng.integers(0, 50, (24, 60, 3), dtype=np.uint8)
      texture = cv2.resize(grain + np.uint8(colour), (240, 96))
      for step in range(40):
        part = texture[:, 2 * step : 2 * step + 128]
        writer.write(np.ascontiguousarray(part))
  return path


@pytest.fixture
def video(path):
  with shots.Picture(path, keep=True) as video:
    yield video


def _looked_at(video):
  return [(shot, time, image) for shot, (image, time) in video.frames()]


def test_the_second_look_shows_what_the_first_did(video):
  first, second = _looked_at(video), _looked_at(video)
  assert [x[:2] for x in first] == [x[:2] for x in second]
  np.testing.assert_array_equal([x[2] for x in first], [x[2] for x in second])
  assert [shot for shot, *_ in first] == [0] * 40 + [1] * 40
  assert first[0][2].shape == (96, 128)


def test_the_file_is_read_once(video):
  first = _looked_at(video)
  video.path.unlink()
  assert len(_looked_at(video)) == len(first)


def test_a_look_that_was_broken_off_starts_anew(video):
  next(video.frames())
  assert len(_looked_at(video)) == 80


def test_nothing_is_kept_where_there_is_no_room_for_it(path):
  video = shots.Picture(path)
  _looked_at(video)
  path.unlink()
  with pytest.raises(SpeedflowError):
    _looked_at(video)


@pytest.mark.skipif(
  not pathlib.Path("/dev/full").exists(), reason="no device that is full"
)
def test_a_full_disk_is_told_in_one_line(path):
  with (
    open("/dev/full", "r+b", buffering=0) as kept,
    pytest.raises(SpeedflowError, match="set TMPDIR"),
  ):
    list(shots.Picture(path, kept=kept).frames())


def test_the_detector_sees_the_same_in_file_and_picture(path, video):
  detector = change_detector.load_change_detector()
  of_file = detector.detect(path)
  _looked_at(video)
  kept = detector.detect(video)
  np.testing.assert_array_equal(of_file.probability, kept.probability)
  assert of_file.cuts_s == kept.cuts_s == pytest.approx((40 / 30,), abs=1e-3)
