"""Leave-repository-out: nothing of a repository may teach its own estimator."""

import numpy as np
import pytest

from experiments.speed_estimator import leave_out, protocol
from speedflow.data import motion


def _record(source, number, category="realtime"):
  return motion.MotionRecord(
    id=f"{source}-{number}/0/0",
    appearance=0,
    source=source,
    category=category,
    scene_group=f"{source}{number}",
    split="train",
    label="assumed_realtime",
    speed=1.0,
    fps=30.0,
    maps={1: np.zeros((40, 12, 16, 8), np.float16)},
  )


def _repositories(**clips):
  return [
    _record(name, number)
    for name, count in clips.items()
    for number in range(count)
  ]


def test_each_large_repository_is_left_out_exactly_once():
  records = _repositories(a=9, b=8, c=7, d=6, small=5)
  folds = leave_out.deal(records, 2)
  assert folds == [["a", "c"], ["b", "d"]]


def test_shots_of_one_clip_do_not_make_a_repository_large():
  clip = _record("a", 0)
  assert leave_out.deal([clip] * 20, 2) == []


def test_slow_clips_do_not_make_a_repository_large():
  records = [_record("a", i, "slowmo") for i in range(9)]
  assert leave_out.deal(records, 2) == []


def test_there_are_no_more_folds_than_repositories():
  assert leave_out.deal(_repositories(a=6, b=6), 5) == [["a"], ["b"]]


def _answers(log2_speed):
  log2_speed = np.asarray(log2_speed, float)
  return protocol.Answers(log2_speed, log2_speed, log2_speed)


def test_repositories_count_alike_whatever_their_size():
  truth = np.zeros(12)
  source = np.array(["large"] * 10 + ["small"] * 2)
  figures = leave_out.scores(_answers([0.0] * 10 + [1.0] * 2), truth, source)
  assert figures["mae"][0] == pytest.approx(0.5)
  assert figures["mae"][1:] == pytest.approx((0.0, 1.0))
  assert figures["accuracy_3way"][0] == pytest.approx(0.5)
  assert figures["repositories"] == {"large": 0.0, "small": 1.0}


def test_ranking_is_perfect_for_perfect_answers():
  truth = np.array([0.0, 1.0, 2.0] * 4)
  source = np.repeat(["a", "b"], 6)
  figures = leave_out.scores(_answers(truth), truth, source)
  assert figures["spearman"] == pytest.approx((1.0, 1.0, 1.0))
  assert figures["accuracy_1x_2x"] == pytest.approx((1.0, 1.0, 1.0))


def test_a_bias_of_its_own_for_each_repository_costs_ranking():
  truth = np.array([0.0, 1.0, 2.0] * 4)
  source = np.repeat(["a", "b"], 6)
  biased = truth + np.where(source == "a", 2.0, 0.0)
  figures = leave_out.scores(_answers(biased), truth, source)
  assert 0 < figures["spearman"][0] < 0.8


def test_a_short_clip_keeps_its_answer_when_others_are_looked_at_further():
  errors = leave_out.errors_by_look((4.0, 2.0), truth=1.0)
  assert errors.tolist() == [2.0, 1.0, 1.0, 1.0]


def test_the_table_has_a_column_for_each_further_stride():
  clips = {"1x": {"clips": 7, "mae": [0.9, 0.8, 0.7, 0.6]}}
  text = leave_out.table({"frames": {}, "folds": [["a"]], "clips": clips})
  assert "| speed | clips | 1 | 1, 2 | 1, 2, 4 | 1, 2, 4, 8 |" in text
  assert "| 1x | 7 | 0.90 | 0.80 | 0.70 | 0.60 |" in text
