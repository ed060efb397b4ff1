import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pytest

from experiments.speed_generator import dataset, movers, tracks
from speedflow.data.records import RecordWriter
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
    velocity = np.median(record.ways[-1], (0, 1)) / record.times_s[-1]
    assert 60 / 96 - 0.05 < velocity[0] < 60 / 67 + 0.05
    assert abs(velocity[1]) < 0.05


def test_a_small_body_is_followed_through_a_textured_scene():
  scene = dataset.World("mover", 3).scene(96)
  times = np.arange(16) / 30
  grey = [cv2.cvtColor(scene.frame(t), cv2.COLOR_RGB2GRAY) for t in times]
  flows = tracks.flow_both_ways(grey)
  points = (tracks.grid_points() * 96 - 0.5).astype(np.float32)
  found = tracks.follow(points, flows)[-1] / 96
  truth = movers.ways(scene, 0.0, times[-1:])[0]
  body = np.any(truth, -1)
  share = np.linalg.norm(found, axis=-1) / np.linalg.norm(truth, axis=-1).max()
  assert np.median(share[body]) == pytest.approx(1.0, abs=0.1)
  assert np.median(share[~body]) < 0.02


def test_lost_points_go_on_as_they_did():
  flow = np.zeros((2, 8, 8, 2), np.float32)
  flow[0, ..., 0], flow[1, ..., 0] = 2.0, -2.0
  torn = flow.copy()
  torn[1] = 0.0  # Does not return.
  points = np.full((1, 1, 2), 1.0, np.float32)
  ways = tracks.follow(points, [flow, torn, flow])
  np.testing.assert_allclose(ways[:, 0, 0, 0], [0, 2, 4, 6])


def test_still_short_and_unlabelled_shots_are_left_out():
  rng = np.random.default_rng(0)
  still = make_shot()
  still = dataclasses.replace(still, frames=still.frames[:1] * 24)
  for shot in (still, make_shot(frames=6), make_shot(label="unknown")):
    assert not list(tracks.track_shot(shot, rng))


def test_records_come_back_and_others_are_refused():
  (record, *_) = tracks.track_shot(make_shot(), np.random.default_rng(0))
  again = tracks.TrackRecord.decode(record.encode())
  for field in dataclasses.fields(record):
    np.testing.assert_array_equal(
      getattr(again, field.name), getattr(record, field.name)
    )
  with pytest.raises(SpeedflowError, match="not a record of tracks"):
    tracks.TrackRecord.decode(b"something else")


def test_every_shard_of_shots_becomes_one_of_tracks(tmp_path):
  clips, out = tmp_path / "clips", tmp_path / "tracks"
  clips.mkdir()
  for split in ("train", "val", "test"):
    with RecordWriter(clips / f"toy-{split}.tfrecord-00000-of-00001") as writer:
      writer.write(make_shot().encode())
  assert tracks.main([str(clips), str(out)]) == 0
  assert len(dataset.FollowedSource(dataset.shards(out, "test"))) >= 4
