"""Measures of detectors against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.evaluation import detection


@settings(max_examples=50, deadline=None)
@given(
  st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.booleans()), min_size=1
  ).filter(lambda rows: any(truth for _, truth in rows))
)
def test_it_is_that_of_scikit_learn_ties_included(rows):
  metrics = pytest.importorskip("sklearn.metrics")
  score, truth = (np.array(column) for column in zip(*rows, strict=True))
  assert detection.average_precision(score, truth) == pytest.approx(
    metrics.average_precision_score(truth, score)
  )


def test_without_positives_it_is_unknown():
  assert np.isnan(detection.average_precision(np.zeros(3), np.zeros(3, bool)))


@settings(max_examples=50, deadline=None)
@given(
  st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.booleans())
  ).filter(lambda rows: len({truth for _, truth in rows}) == 2)
)
def test_the_area_is_that_of_scikit_learn_ties_included(rows):
  metrics = pytest.importorskip("sklearn.metrics")
  score, truth = (np.array(column) for column in zip(*rows, strict=True))
  assert detection.area_under_roc(score, truth) == pytest.approx(
    metrics.roc_auc_score(truth, score)
  )


def test_the_area_under_the_curve_is_a_chance():
  positive = np.array([True, True, False, False])
  assert detection.area_under_roc(np.array([3.0, 4, 1, 2]), positive) == 1.0
  assert detection.area_under_roc(np.array([1.0, 4, 2, 3]), positive) == 0.5
