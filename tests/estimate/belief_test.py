"""Priors and likelihoods over log2 speed."""

import numpy as np
import pytest

from speedflow.estimate import belief

_VALUES = np.linspace(-6, 4, 41)


def _gaussian(mean, spread):
  return np.exp(-0.5 * ((_VALUES - mean) / spread) ** 2)


def test_gaussian_likelihood_and_prior_meet_by_their_precisions():
  seen = _gaussian(1.0, 1.0)[None]
  (mean,), (spread,) = belief.moments(seen, _VALUES, _gaussian(-1.0, 0.5))
  # Precisions 1 and 4.
  assert mean == pytest.approx((1.0 * 1 + -1.0 * 4) / 5, abs=1e-2)
  assert spread == pytest.approx(np.sqrt(1 / 5), abs=1e-2)


def test_labels_that_are_frequent_in_training_gain_nothing_by_it():
  frequency = _gaussian(1.0, 2.0)
  frequency /= frequency.sum()
  # Who has seen only the frequency of the labels knows nothing of the clip.
  seen = belief.likelihood(frequency[None], frequency)
  np.testing.assert_allclose(seen, 1 / len(_VALUES))


def test_the_scale_of_a_likelihood_does_not_matter():
  seen = _gaussian(0.3, 0.7)[None]
  prior = belief.anything(_VALUES)
  np.testing.assert_allclose(
    belief.moments(seen * 7, _VALUES, prior * 3),
    belief.moments(seen, _VALUES, prior),
  )


def test_a_range_keeps_what_is_inside_and_forgets_the_rest():
  prior = belief.between(_VALUES, -0.5, 2.5)
  inside = (_VALUES >= -0.5) & (_VALUES <= 2.5)
  np.testing.assert_allclose(prior[inside], 1.0)
  assert prior[(_VALUES < -1.5) | (_VALUES > 3.5)].max() < 1e-3


def test_every_speed_is_as_likely_beforehand():
  prior = belief.anything(_VALUES)
  inside = (_VALUES >= -5) & (_VALUES <= 3.5)
  np.testing.assert_allclose(prior[inside], 1.0)


def test_looks_that_agree_are_surer_of_the_middle_than_one_that_wavers():
  near = np.exp(-0.5 * ((belief.GRID - 1) / 0.5) ** 2)[None]
  either = near + np.exp(-0.5 * ((belief.GRID + 3) / 0.5) ** 2)
  log = belief.together([near, either])
  assert belief.GRID[log.argmax()] == pytest.approx(1, abs=0.1)
  assert log[np.abs(belief.GRID + 3).argmin()] < log.max() - 3


def test_the_same_look_twice_counts_once():
  look = np.exp(-0.5 * (belief.GRID / 0.7) ** 2)[None]
  once, twice = belief.together([look]), belief.together([look, look])
  np.testing.assert_allclose(once, twice)


def test_bins_come_to_the_places_of_the_grid():
  values = np.linspace(-5, 5, 41)
  rows = belief.on_grid(np.stack([values, 2 * values]), values)
  inside = np.abs(belief.GRID) <= 4
  np.testing.assert_allclose(rows[0][inside], belief.GRID[inside], atol=1e-12)
  np.testing.assert_allclose(rows[1], 2 * rows[0])
