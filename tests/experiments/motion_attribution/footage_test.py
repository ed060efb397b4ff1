"""Tests of `experiments.motion_attribution.footage`."""

import numpy as np

from experiments.motion_attribution import footage


def test_own_clips_that_agree_are_the_best():
  rng = np.random.default_rng(0)
  clips = rng.normal(size=(100, 64))
  own = np.arange(100) < 10
  clips[own, 0] = 50
  queries = np.eye(64)[:1] + rng.normal(scale=0.01, size=(3, 64))
  found = footage.compare(clips, own, queries)
  assert found["share_of_best"] == found["higher"] == found["larger"] == 1
  assert found["share"] == 0.1
  assert found["share_of_worst"] == 0


def test_own_clips_may_matter_either_way():
  rng = np.random.default_rng(0)
  clips = rng.normal(size=(100, 64))
  own = np.arange(100) < 10
  clips[own, 0] = np.where(np.arange(10) % 2, 50, -50)
  found = footage.compare(clips, own, np.eye(64)[:1])
  assert found["larger"] == 1
  assert found["higher"] == 0.5
  assert found["share_of_best"] == found["share_of_worst"] == 0.5


def test_the_table_has_a_row_for_each_repository():
  row = footage.compare(np.eye(4), np.arange(4) < 2, np.eye(4)[:2])
  text = footage.table({"repositories": {"a": row, "b": row}})
  assert text.count("\n| a |") == text.count("\n| b |") == 1
