import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow.data import example, tracks
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError


def make_shot(frames=24, fps=60, speed=0.5, **fields):
  """A texture that moves to the right by one pixel of 80 a frame."""
  texture = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
  texture = cv2.resize(texture, (160, 96), interpolation=cv2.INTER_CUBIC)
  images = [np.roll(texture, number, axis=1) for number in range(frames)]
  playback = Fraction(fps * speed)
  return ShotRecord(
    id="moving/0/0",
    frames=[cv2.imencode(".png", image)[1].tobytes() for image in images],
    ticks=np.arange(frames),
    time_base=1 / playback,
    fps=playback,
    height=96,
    width=160,
    **({"speed": speed, "label": "known"} | fields),
  )


def test_a_panned_texture_is_followed_at_its_speed_in_the_world():
  records = list(tracks.track_shot(make_shot(), np.random.default_rng(0)))
  assert len(records) >= 4
  for record in records:
    assert record.image.shape == (64, 64, 3)
    # 60 pixels a second, in views of 67 to 96 pixels.
    velocity = np.median(record.trajectories[-1], (0, 1)) / record.times_s[-1]
    assert 60 / 96 - 0.05 < velocity[0] < 60 / 67 + 0.05
    assert abs(velocity[1]) < 0.05


def test_lost_points_go_on_as_they_did():
  flow = np.zeros((2, 8, 8, 2), np.float32)
  flow[0, ..., 0], flow[1, ..., 0] = 2.0, -2.0
  torn = flow.copy()
  torn[1] = 0.0  # Does not return.
  points = np.full((1, 1, 2), 1.0, np.float32)
  trajectories = tracks.follow(points, [flow, torn, flow])
  np.testing.assert_allclose(trajectories[:, 0, 0, 0], [0, 2, 4, 6])


def test_still_short_and_unlabelled_shots_are_left_out():
  rng = np.random.default_rng(0)
  still = make_shot()
  still = dataclasses.replace(still, frames=still.frames[:1] * 24)
  for shot in (still, make_shot(frames=6), make_shot(label="unknown")):
    assert not list(tracks.track_shot(shot, rng))


def test_an_estimated_speed_is_relied_on_where_its_doubt_is_known():
  shot = make_shot(label="pseudo")
  assert not list(tracks.track_shot(shot, np.random.default_rng(0)))
  sure, doubted = (
    list(tracks.track_shot(made, np.random.default_rng(0), doubt))
    for made, doubt in ((make_shot(), 0.0), (shot, 0.25))
  )
  np.testing.assert_array_equal(sure[0].trajectories, doubted[0].trajectories)
  again = tracks.TrackRecord.decode(doubted[0].encode())
  assert (sure[0].doubt, again.doubt) == (0.0, 0.25)


def test_records_without_a_doubt_are_of_known_speeds():
  (record, *_) = tracks.track_shot(make_shot(), np.random.default_rng(0))
  stored = example.decode(record.encode())
  del stored["doubt"]
  assert tracks.TrackRecord.decode(example.encode(stored)).doubt == 0.0


def test_records_come_back_and_others_are_refused():
  (record, *_) = tracks.track_shot(make_shot(), np.random.default_rng(0))
  again = tracks.TrackRecord.decode(record.encode())
  for field in dataclasses.fields(record):
    np.testing.assert_array_equal(
      getattr(again, field.name), getattr(record, field.name)
    )
  with pytest.raises(SpeedflowError, match="not a record of tracks"):
    tracks.TrackRecord.decode(b"something else")


def test_ways_are_straight_between_known_moments():
  times, trajectories = (
    np.array([0.0, 1.0, 3.0]),
    np.array([[0.0], [2.0], [0.0]]),
  )
  read = tracks.between(times, trajectories, np.array([0.0, 0.5, 2.0, 3.0]))
  np.testing.assert_allclose(read[:, 0], [0.0, 1.0, 1.0, 0.0])


def test_the_middle_of_a_video_is_followed_in_world_time(write_video, tmp_path):
  path = write_video(tmp_path / "slide.mp4", (30,))
  records = {speed: tracks.track_video(path, speed) for speed in (1.0, 0.5)}
  for speed, record in records.items():
    assert record.id == "slide.mp4"
    # 2 pixels of 96 to the left, 30 times a second.
    velocity = np.median(record.trajectories[-1], (0, 1)) / record.times_s[-1]
    np.testing.assert_allclose(velocity, (-60 / 96 / speed, 0), atol=0.03)
  np.testing.assert_allclose(
    records[1.0].times_s[-1], 2 * records[0.5].times_s[-1], rtol=1e-5
  )


def test_a_video_too_short_to_show_a_motion_is_refused(write_video, tmp_path):
  path = write_video(tmp_path / "short.mp4", (4,))
  with pytest.raises(SpeedflowError, match=r"short\.mp4: 4 different frames"):
    tracks.track_video(path)
