"""Average precision against scikit-learn."""

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
