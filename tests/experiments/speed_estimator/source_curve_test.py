"""Which sources are seen, and the table of what they are worth."""

import pytest

from experiments.speed_estimator import source_curve

_SHOTS = {f"repository{number}": number for number in range(1, 42)}
_LEFT_OUT = ("repository3", "repository7")


def _chosen(share, seed=0):
  return source_curve.chosen(_SHOTS, _LEFT_OUT, share, seed)


def test_a_smaller_share_is_part_of_a_larger_one():
  few, half, all_ = (_chosen(share) for share in (0.25, 0.5, 1.0))
  assert set(few) < set(half) < set(all_)
  assert set(all_) == set(_SHOTS) - set(_LEFT_OUT)
  assert len(few) == 10


@pytest.mark.parametrize("share", [0.01, 0.25, 1.0])
def test_nobody_sees_what_is_left_out(share):
  assert _chosen(share)
  assert not set(_chosen(share)) & set(_LEFT_OUT)


def test_another_fold_draws_others():
  assert set(_chosen(0.25)) != set(_chosen(0.25, seed=1))
