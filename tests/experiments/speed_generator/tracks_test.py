import dataclasses

import cv2
import numpy as np
import pytest

from experiments.speed_generator import dataset, movers
from experiments.speed_generator import tracks as build_tracks
from speedflow.data import tracks
from speedflow.data.records import RecordWriter, read_records
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError


def test_a_small_body_is_followed_through_a_textured_scene():
  scene = dataset.World("mover", 3).scene(96)
  times = np.arange(16) / 30
  grey = [cv2.cvtColor(scene.frame(t), cv2.COLOR_RGB2GRAY) for t in times]
  flows = tracks.flow_both_ways(grey)
  points = (tracks.grid_points() * 96 - 0.5).astype(np.float32)
  found = tracks.follow(points, flows)[-1] / 96
  truth = movers.trajectories(scene, 0.0, times[-1:])[0]
  body = np.any(truth, -1)
  share = np.linalg.norm(found, axis=-1) / np.linalg.norm(truth, axis=-1).max()
  assert np.median(share[body]) == pytest.approx(1.0, abs=0.1)
  assert np.median(share[~body]) < 0.02


@pytest.fixture
def mined(records_root, tmp_path):
  """What `speedflow mine` leaves behind, of one clip."""
  folder = tmp_path / "mined"
  folder.mkdir()
  (path, *_) = (records_root / "records" / "clips").glob("*-train.*-of-*")
  shot = ShotRecord.decode(next(read_records(path)))
  shot = dataclasses.replace(shot, id="slow-0/0/0", label="pseudo", speed=0.25)
  with RecordWriter(folder / "slowmo-train.tfrecord-00000-of-00001") as writer:
    writer.write(shot.encode())
  (folder / "clips.csv").write_text(
    "id,speed,speed_low,speed_high\nslow-0,0.25,0.125,0.5\n"
  )
  return folder


def test_mined_shots_become_tracks_that_know_their_doubt(mined, tmp_path):
  out = tmp_path / "tracks"
  assert build_tracks.main(["--mined", str(mined), str(out)]) == 0
  (path,) = dataset.shards(out, "train")
  records = [tracks.TrackRecord.decode(r) for r in read_records(path)]
  assert records
  # 80 % of a Gaussian lie within 1.28 standard deviations.
  assert {round(1.2816 * record.doubt, 4) for record in records} == {1.0}


def test_doubts_know_clips_by_their_own_names(mined):
  table = mined / "clips.csv"
  table.write_text("id,speed_low,speed_high\n'=a-0,1,2\nb-0,1,2\n")
  assert set(build_tracks.doubts(table)) == {"=a-0", "b-0"}


@pytest.mark.parametrize(
  ("text", "message"),
  [
    (None, "cannot be read"),
    ("id,speed\na,1\n", "not a table of mined clips .*speedflow mine"),
    ("id,speed_low,speed_high\na,0,1\n", "not a table of mined clips"),
  ],
)
def test_what_was_not_mined_is_refused(mined, tmp_path, text, message):
  (mined / "clips.csv").unlink()
  if text is not None:
    (mined / "clips.csv").write_text(text)
  with pytest.raises(SpeedflowError, match=message):
    build_tracks.build(mined, tmp_path / "tracks", mined=True)


@pytest.mark.slow
def test_every_shard_of_shots_becomes_one_of_tracks(records_root, tmp_path):
  clips = records_root / "records" / "clips"
  assert build_tracks.main([str(clips), str(tmp_path)]) == 0
  for split in ("train", "val", "test"):
    assert len(dataset.FollowedSource(dataset.shards(tmp_path, split))) >= 4
