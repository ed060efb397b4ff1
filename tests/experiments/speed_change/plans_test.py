"""Windows: what is drawn fits the shot, and tells nothing but the change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.speed_change import pairs, plans

_SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=100, deadline=None)
@given(seed=_SEEDS, frames=st.integers(30, 300), changes=st.booleans())
def test_a_window_lies_in_its_shot_at_strides_that_are_kept(
  seed, frames, changes
):
  plan = plans.sample(np.random.default_rng(seed), frames, 64, changes=changes)
  if plan is None:
    return
  indices = plan.clip.indices
  assert indices[0] >= 0
  assert indices[-1] < frames
  assert plans.MIN_MAPS <= len(indices) - 1 <= 64
  assert np.diff(indices).min() >= 1
  assert np.diff(indices).max() <= pairs.MAX_SPEED


@settings(max_examples=60, deadline=None)
@given(seed=_SEEDS)
def test_the_speed_changes_by_the_ratio_at_the_change(seed):
  rng = np.random.default_rng(seed)
  plan = plans.sample(rng, 900, 64, ramps=0.0)
  factors = plan.clip.factors
  jumps = np.flatnonzero(np.diff(factors))
  assert jumps.tolist() == [plan.change - 1]
  ratio = factors[plan.change] / factors[plan.change - 1]
  assert np.log2(ratio) == pytest.approx(plan.log2_ratio)
  assert 1.25 <= 2 ** abs(plan.log2_ratio) <= 8 + 1e-6


@settings(max_examples=60, deadline=None)
@given(seed=_SEEDS)
def test_a_ramp_glides_about_its_middle(seed):
  plan = plans.sample(np.random.default_rng(seed), 900, 64, ramps=1.0)
  speed = np.log2(plan.clip.factors)
  assert np.ptp(np.sign(np.diff(speed))) <= 1  # It never turns back.
  moving = np.flatnonzero(np.diff(speed))
  assert moving.mean() + 0.5 == pytest.approx(plan.change - 0.5, abs=1.5)
  assert plan.ramp > 0


def test_without_a_change_the_speed_is_one():
  for seed in range(30):
    plan = plans.sample(np.random.default_rng(seed), 200, 48, changes=False)
    assert len(set(plan.clip.factors)) == 1
    assert plan.change == 0


def test_windows_without_a_change_can_be_made_to_play_fast():
  for often_fast, least, most in ((False, 0.2, 0.45), (True, 0.6, 0.85)):
    rng = np.random.default_rng(0)
    drawn = [
      plans.sample(
        rng,
        200,
        48,
        ratios=(4.0, 8.0),
        changes=False,
        often_fast=often_fast,
      )
      for _ in range(300)
    ]
    assert all(plan.clip.indices[-1] < 200 for plan in drawn)
    fast = np.mean([plan.clip.factors[0] >= 4 for plan in drawn])
    assert least < fast < most


def test_exact_windows_have_one_length_or_are_none():
  for seed in range(30):
    plan = plans.sample(np.random.default_rng(seed), 70, 40, exact=True)
    assert plan is None or plan.clip.length == 41
  short = plans.sample(np.random.default_rng(0), 30, 40, exact=True)
  assert short is None


def test_changes_go_up_as_often_as_down():
  drawn = [
    plans.sample(np.random.default_rng(seed), 900, 48).log2_ratio
    for seed in range(300)
  ]
  assert np.mean(np.array(drawn) > 0) == pytest.approx(0.5, abs=0.1)
