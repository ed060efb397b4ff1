"""Scores in which every repository counts alike."""

import numpy as np
import pytest

from experiments.speed_estimator import by_repository, folds, whole_files


def _answer(source, stride, log2_speed, half=0.5, clip="a", **fields):
  file = whole_files.File(
    **{
      "name": f"{clip}@{stride}",
      "clip": clip,
      "source": source,
      "category": "realtime",
      "label": "assumed_realtime",
      "stride": stride,
      "speed": float(stride),
      "duration_s": 4.0,
      "fps": 30.0,
      **fields,
    }
  )
  return by_repository.Answer(file, log2_speed, half, 2 * half <= 2.0)


def _right(source, clip="a"):
  return [_answer(source, n, np.log2(n), clip=clip) for n in (1, 2, 4)]


def test_repositories_count_alike_whatever_their_size():
  answers = [_answer("large", 1, 0.0, clip=str(n)) for n in range(10)]
  answers += [_answer("small", 1, 1.0)]
  found = by_repository.scores(answers)
  assert found["figures"]["mae"] == pytest.approx((0.5, 0.0, 1.0))
  assert found["figures"]["coverage"][0] == pytest.approx(0.5)
  assert found["coverage_of_largest"] == {"large": 1.0, "small": 0.0}
  assert found["mae_of"] == {"large": 0.0, "small": 1.0}


def test_right_answers_have_no_bias_and_a_slope_of_one():
  found = by_repository.scores(_right("a") + _right("b"))["figures"]
  for name in ("mae", "bias_1x", "bias_2x", "bias_4x"):
    assert found[name][0] == pytest.approx(0.0)
  for name in ("slope", "spearman", "accuracy_3way", "accuracy_1x_2x"):
    assert found[name][0] == pytest.approx(1.0)


def test_the_slope_is_within_clips_and_knows_no_offset():
  answers = [_answer("a", n, 5.0 + np.log2(n) / 2) for n in (1, 2, 4)]
  assert by_repository.slopes(answers) == [("a", pytest.approx(0.5))]


def test_an_offset_of_its_own_for_each_repository_costs_ranking():
  off = [_answer("b", n, np.log2(n) + 2.0) for n in (1, 2, 4)]
  found = by_repository.scores(_right("a") + off)["figures"]
  assert 0 < found["spearman"][0] < 0.9


def test_slow_clips_are_scored_apart():
  slow = _answer(
    "b", 1, -1.0, category="highfps", label="known", speed=0.125, half=2.5
  )
  found = by_repository.scores([*_right("a"), slow])["figures"]
  assert found["mae"][0] == pytest.approx(0.0)
  assert found["slow_octaves"][0] == pytest.approx(2.0)
  assert found["coverage_slow"][0] == 1.0
  assert found["uncertain"][0] == 0.0
  assert found["uncertain_slow"][0] == 1.0


def test_every_repository_is_left_out_exactly_once():
  shots = {str(number): number for number in range(11)}
  parts = folds.deal(shots)
  assert len(parts) == folds.FOLDS
  assert sorted(name for part in parts for name in part) == sorted(shots)


def test_no_fold_gets_all_the_large_repositories():
  parts = folds.deal({"a": 9, "b": 8, "c": 7, "d": 6, "e": 1})
  assert [part[0] for part in parts] == ["a", "b", "c", "d"]
