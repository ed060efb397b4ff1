"""From frames and files to changes of speed."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow import media
from speedflow.detect import change_detector
from speedflow.errors import SpeedflowError

_TEXTURE = cv2.resize(
  np.random.default_rng(0).integers(0, 256, (8, 136, 3), dtype=np.uint8),
  (1632, 96),
  interpolation=cv2.INTER_CUBIC,
)


@pytest.fixture(scope="module")
def detector():
  return change_detector.load_change_detector()


def _panning(steps):
  """A camera that moves by `steps` pixels from frame to frame."""
  positions = np.concatenate([[0], np.cumsum(steps)]) % (1632 - 128)
  return [
    np.ascontiguousarray(_TEXTURE[:, x : x + 128])
    for x in np.round(positions).astype(int)
  ]


@pytest.mark.parametrize(("before", "after"), [(2, 8), (8, 2)])
def test_a_splice_is_found_where_it_is(detector, before, after):
  found = detector.detect(_panning([before] * 45 + [after] * 45), fps=30)
  assert len(found.changes) == 1
  change = found.changes[0]
  assert change.time_s == pytest.approx(45 / 30, abs=0.1)
  assert np.sign(np.log2(change.ratio)) == np.sign(after - before)
  assert change.ratio_low < change.ratio < change.ratio_high
  assert change.probability > 0.5


def test_steady_motion_has_no_change(detector):
  found = detector.detect(_panning([3] * 90), fps=30)
  assert not found.changes
  assert found.probability.max() < 0.5


def test_every_frame_has_a_probability_and_its_own_time(detector, tmp_path):
  path = tmp_path / "a.mp4"
  with media.VideoWriter(path, 25, (128, 96)) as writer:
    for image in _panning([2] * 39):
      writer.write(image)
  found = detector.detect(path)
  np.testing.assert_allclose(found.time_s, np.arange(40) / 25, atol=1e-3)
  assert found.probability.shape == (40,)
  assert found.duration_s == pytest.approx(1.6, abs=0.05)


def test_a_cut_is_told_and_is_no_change(detector):
  other = _TEXTURE[::-1, 800:928] // 8 + np.uint8([200, 0, 60])
  after = [np.roll(other, 2 * i, axis=0) for i in range(45)]
  found = detector.detect(_panning([2] * 44) + after, fps=30)
  assert found.cuts_s == pytest.approx((1.5,), abs=0.01)
  near = np.abs(found.time_s - 1.5) < 0.1
  assert found.probability[near].max() < 0.01
  assert all(abs(c.time_s - 1.5) > 0.3 for c in found.changes)


def test_frames_shown_twice_from_somewhere_on_are_a_slowdown(detector):
  images = _panning([4] * 70)
  slowed = [image for image in images[35:] for _ in range(2)]
  found = detector.detect(images[:35] + slowed, fps=30)
  nearest = min(found.changes, key=lambda c: abs(c.time_s - 35 / 30))
  assert nearest.time_s == pytest.approx(35 / 30, abs=0.15)
  assert nearest.ratio < 0.8


@pytest.mark.parametrize(
  "images",
  [
    np.zeros((60, 48, 64, 3), np.uint8),  # Nothing moves.
    np.zeros((1, 48, 64), np.uint8),
    np.random.default_rng(0).integers(0, 256, (4, 48, 64), dtype=np.uint8),
  ],
  ids=["still", "one frame", "short"],
)
def test_where_nothing_can_be_seen_there_is_no_change(detector, images):
  found = detector.detect(images, fps=30)
  assert not found.changes
  assert len(found.time_s) == len(images)
  assert found.probability.max() < 1e-3


@pytest.mark.parametrize(
  ("images", "fps", "message"),
  [
    (np.zeros((5, 4), np.uint8), 30, "shape"),
    (np.zeros((5, 9, 9, 4), np.uint8), 30, "channels"),
    (np.zeros((5, 9, 9, 3), np.float32), 30, "uint8"),
    (np.zeros((5, 9, 9, 3), np.uint8), 0, "fps"),
    ([], 30, "no frames"),
  ],
)
def test_what_is_no_video_is_refused_in_one_line(
  detector, images, fps, message
):
  with pytest.raises(SpeedflowError, match=message) as error:
    detector.detect(images, fps=fps)
  assert "\n" not in str(error.value)


def test_a_broken_file_is_refused_in_one_line(detector, tmp_path):
  path = tmp_path / "broken.mp4"
  path.write_bytes(b"this is no video")
  with pytest.raises(SpeedflowError, match=r"broken\.mp4"):
    detector.detect(path)


def test_progress_rises_to_the_end(detector):
  told = []
  detector.detect(_panning([2] * 60), Fraction(30), told.append)
  assert told == sorted(told)
  assert told[-1] == 1.0


@settings(max_examples=5, deadline=None)
@given(late=st.integers(0, 5000))
def test_the_clock_may_start_anywhere(late):
  detector = change_detector.load_change_detector()
  maps = np.abs(np.random.default_rng(0).normal(1, 1, (60, 12, 16, 8)))
  times_s = np.arange(61) / 30
  found = detector.judge(maps.astype(np.float16), times_s)
  later = detector.judge(maps.astype(np.float16), times_s + late)
  np.testing.assert_allclose(later.log_odds, found.log_odds, atol=1e-2)


def test_long_shots_are_judged_as_if_in_one_piece(detector, monkeypatch):
  images = _panning([2] * 150 + [6] * 150)
  whole = detector.detect(images, fps=30)
  monkeypatch.setattr(change_detector, "_PIECE", 128)
  pieces = detector.detect(images, fps=30)
  np.testing.assert_allclose(pieces.probability, whole.probability, atol=1e-3)
