"""What networks read in clips of repositories that they have not seen."""

import numpy as np
import pytest

from experiments.speed_estimator import fingerprint, folds
from speedflow.data import motion, records
from speedflow.estimate.weights import SPEED


def _folder(folder, speeds):
  """Records of the same maps, of repositories of these speeds."""
  rng = np.random.default_rng(0)
  maps = np.abs(rng.normal(1, 0.3, (20, 12, 16, 8))).astype(np.float16)
  path = records.shard_path(folder, "toy", "train", 0, 1, "tfrecord")
  path.parent.mkdir()
  with records.RecordWriter(path) as writer:
    for source, speed in speeds.items():
      record = motion.MotionRecord(
        id=source,
        appearance=0,
        source=source,
        category="slowmo",
        scene_group="g",
        split="train",
        label="believed",
        speed=speed,
        fps=30.0,
        maps={1: maps, 3: maps},
      )
      writer.write(record.encode())
  return folder


def test_clips_are_read_too_fast_by_as_much_as_their_label_is_slower(tmp_path):
  size = len(SPEED.load("tiny")[0].config.centres)
  fold = folds.Fold(("a", "b"), SPEED.find("tiny"), np.ones(size))
  speeds = {"a": 0.25, "b": 0.5, "seen": 1.0}
  found = fingerprint.bias([fold], _folder(tmp_path / "records", speeds))
  # Only strides that are powers of two, and no repository that was seen.
  assert {octave: count for octave, (_, count) in found.items()} == {
    "-2": 1,
    "-1": 1,
  }
  assert found["-2"][0] - found["-1"][0] == pytest.approx(1)
