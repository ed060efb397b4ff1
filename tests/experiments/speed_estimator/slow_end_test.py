"""Looks put together in several ways, on cases whose truth is known."""

import numpy as np
import pytest

from experiments.speed_estimator import slow_end
from speedflow.estimate import belief

_CENTRES = np.linspace(-6.0, 4.0, 41)


def _case(log2_speed, readings, kind="slow", source="a"):
  """A case whose look at each stride is sure of its reading."""
  looks = {
    stride: np.exp(-0.5 * ((_CENTRES - reading) / 0.4) ** 2)[None]
    for stride, reading in readings.items()
  }
  return slow_end.Case(
    f"{source} {log2_speed}",
    source,
    source,
    kind,
    False,
    log2_speed,
    0.0,
    looks,
    _CENTRES,
  )


def _read(truth, curve):
  return {k: curve(truth + np.log2(k)) for k in (1, 2, 4, 8)}


def test_a_reading_is_where_its_look_is():
  mean, spread = _case(-1.0, {1: -1.3}).reading(1)
  assert mean == pytest.approx(-1.3, abs=0.01)
  assert spread == pytest.approx(0.4, abs=0.05)


def test_alike_is_what_the_estimator_does():
  rng = np.random.default_rng(0)
  case = _case(-1.0, _read(-1.0, lambda step: step + rng.normal(0, 0.3)))
  shipped = next(iter(slow_end.WAYS.values()))(case)
  seen = [
    belief.on_grid(look, _CENTRES - np.log2(stride))
    for stride, look in case.looks.items()
  ]
  assert shipped == pytest.approx(belief.together(seen))


def test_who_trusts_a_look_alone_follows_it():
  case = _case(-3.0, {1: -1.0, 8: 0.0})
  way = slow_end.weighted((1, 8), lambda reading, spread: float(reading > -0.5))
  assert belief.GRID[way(case).argmax()] == pytest.approx(-3.0, abs=0.15)


@pytest.mark.slow
def test_readings_that_lag_behind_are_set_right():
  def lag(step):
    return 0.4 * step if step < 0 else step

  speeds = np.arange(-4.0, 2.5, 0.25)
  known = [_case(s, _read(s, lag), source=str(s)) for s in speeds]
  way = slow_end.Readings(known)
  for truth in (-3.1, 0.1):
    answer = belief.GRID[way(_case(truth, _read(truth, lag))).argmax()]
    assert answer == pytest.approx(truth, abs=0.2)


def test_recall_counts_slow_cases_above_real_time_ones():
  real = [_case(0.0, {1: 0.0}, "real time", str(n)) for n in range(4)]
  slow = [_case(-2.0, {1: -2.0}), _case(-2.0, {1: 0.2})]
  known = [*real, *slow]
  logs = [next(iter(slow_end.WAYS.values()))(case) for case in known]
  found = slow_end.figures(known, logs)
  assert found["recall"]["slow"][0] == 0.5
  assert found["scenes"] == 4
  assert found["mae"]["real time, 1x"] < 0.1
