"""Scores of speed estimates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.evaluation import speed


def test_perfect_estimates_score_perfectly():
  truth = np.array([-2.0, 0.0, 1.0, 3.0])
  scores = speed.score(truth, truth)
  assert scores.mae == 0.0
  assert scores.factor_error == 1.0
  assert scores.pearson == pytest.approx(1.0)
  assert scores.spearman == pytest.approx(1.0)
  assert scores.within_1_25 == scores.within_1_5 == 1.0


def test_an_error_of_one_octave_is_a_factor_of_two():
  truth = np.array([0.0, 1.0, 2.0])
  scores = speed.score(truth + 1.0, truth)
  assert scores.mae == pytest.approx(1.0)
  assert scores.factor_error == pytest.approx(2.0)
  assert scores.within_1_5 == 0.0


def test_correlations_agree_with_numpy_and_with_ranks_by_hand():
  rng = np.random.default_rng(0)
  truth, estimate = rng.normal(size=(2, 50))
  scores = speed.score(estimate, truth)
  assert scores.pearson == pytest.approx(np.corrcoef(estimate, truth)[0, 1])
  ranks = [np.argsort(np.argsort(x)) for x in (estimate, truth)]
  assert scores.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_correlation_of_a_single_speed_is_not_a_number():
  assert np.isnan(speed.score(np.array([0.1, 0.2]), np.zeros(2)).pearson)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_nearest_speed_tolerates_errors_below_half_an_octave(truth):
  truth = np.array(truth)
  noise = np.random.default_rng(0).uniform(-0.49, 0.49, truth.shape)
  choices = np.array([0.0, 1.0, 2.0])
  assert speed.accuracy(speed.nearest(truth + noise, choices), truth) == 1.0
  far = truth + np.where(truth > 0.5, -0.6, 0.6)
  assert speed.accuracy(speed.nearest(far, choices), truth) == 0.0


def test_coverage_counts_both_ends():
  low, high = np.zeros(4), np.ones(4)
  truth = np.array([0.0, 1.0, -0.1, 0.5])
  assert speed.coverage(low, high, truth) == 0.75


def test_bootstrap_interval_is_wider_when_windows_share_scenes():
  rng = np.random.default_rng(1)
  scene_effects = rng.normal(size=20)
  values = np.repeat(scene_effects, 10)

  def measure(index):
    return float(values[index].mean())

  by_scene = speed.bootstrap(measure, np.repeat(np.arange(20), 10))
  by_window = speed.bootstrap(measure, np.arange(200))
  assert by_scene[1] - by_scene[0] > 2 * (by_window[1] - by_window[0])


def test_bootstrap_of_a_mean_agrees_with_the_normal_approximation():
  rng = np.random.default_rng(2)
  values = rng.normal(size=400)

  def measure(index):
    return float(values[index].mean())

  low, high = speed.bootstrap(measure, np.arange(400), samples=2000)
  half = 1.96 * values.std() / 20
  assert low == pytest.approx(values.mean() - half, abs=0.02)
  assert high == pytest.approx(values.mean() + half, abs=0.02)
