import cv2
import numpy as np
import pytest

from experiments.speed_generator import dataset, movers
from experiments.speed_generator import tracks as build_tracks
from speedflow.data import tracks


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


def test_every_shard_of_shots_becomes_one_of_tracks(records_root, tmp_path):
  clips = records_root / "records" / "clips"
  assert build_tracks.main([str(clips), str(tmp_path)]) == 0
  for split in ("train", "val", "test"):
    assert len(dataset.FollowedSource(dataset.shards(tmp_path, split))) >= 4
