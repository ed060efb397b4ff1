"""Figures, tables, and errors in one line."""

import math

import numpy as np
import pytest
from scipy import stats

from speedflow.errors import SpeedflowError
from speedflow.evaluation import report, speed


@pytest.mark.parametrize(
  ("figures", "form", "expected"),
  [
    ((0.5, 0.25, 0.75), ".2f", "0.50 (0.25-0.75)"),
    ((0.5, 0.25, 0.75), ".0%", "50% (25%-75%)"),
    ((0.5,), ".1f", "0.5"),
    ((math.nan,), ".2f", "-"),
  ],
)
def test_a_cell_shows_what_is_known(figures, form, expected):
  assert report.Figure(*figures).cell(form) == expected


def test_the_interval_is_that_of_whole_groups():
  values = np.array([0.0, 0.0, 1.0, 1.0, 5.0])
  groups = np.array(list("aabbc"))
  found = report.interval(lambda i: float(values[i].mean()), groups)
  low, high = speed.bootstrap(lambda i: float(values[i].mean()), groups)
  assert found.to_json() == (pytest.approx(1.4), low, high)


def test_what_cannot_be_measured_has_no_interval():
  found = report.interval(lambda i: math.nan, np.array([]))
  assert np.isnan(found.to_json()).all()


@pytest.mark.parametrize(("hits", "total"), [(0, 7), (3, 19), (7, 7)])
def test_a_share_has_the_exact_interval_of_a_binomial(hits, total):
  found = report.share(hits, total)
  exact = stats.binomtest(hits, total).proportion_ci(0.95, method="exact")
  expected = (hits / total, exact.low, exact.high)
  assert found.to_json() == pytest.approx(expected)


def test_a_share_of_nothing_is_none():
  assert report.share(0, 0).cell() == "-"


def test_a_table_has_a_rule_below_its_header():
  table = report.markdown(["a", "b"], [["1", "2"], ["3", "4"]])
  assert table == "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"


def test_an_error_of_the_user_is_one_line(capsys, monkeypatch):
  def main():
    raise SpeedflowError("no records")

  monkeypatch.setattr("sys.argv", ["/some/where/evaluate.py"])
  assert report.run(main) == 2
  assert capsys.readouterr().err == "evaluate: no records\n"


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_the_status_is_the_programs(returned, status):
  assert report.run(lambda: returned) == status
