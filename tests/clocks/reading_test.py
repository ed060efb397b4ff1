"""What a clock says, as a likelihood and in words."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedflow.clocks import reading, usual
from speedflow.estimate import belief


def _reading(*modes, wrong=0.05, **fields):
  return reading.Reading("hum", "sound", modes, wrong, "it hums", **fields)


@given(st.floats(-5, 3), st.floats(0.001, 0.2), st.floats(0.001, 0.5))
def test_likelihood_is_largest_at_the_mode_and_never_nothing(at, spread, wrong):
  found = _reading(reading.Mode(2.0**at, spread, 1.0, "m"), wrong=wrong)
  seen = found.log_likelihood(belief.GRID)
  step = belief.GRID[1] - belief.GRID[0]
  assert abs(belief.GRID[seen.argmax()] - at) <= step / 2 + 1e-9
  assert np.all(np.isfinite(seen))
  # A mode between two points counts as much as one on a point, about.
  assert np.exp(seen).sum() * step == pytest.approx(1, abs=0.15)


def test_modes_that_mean_one_speed_are_one():
  found = reading.modes_of(
    [(2.0, 0.01, 1.0, "a"), (2.001, 0.01, 2.0, "b"), (0.5, 0.01, 1.0, "c")]
  )
  assert [m.words for m in found] == ["b", "c"]
  assert [m.share for m in found] == pytest.approx([0.75, 0.25])


def test_words_name_two_modes_and_the_jumps():
  modes = [reading.Mode(s, 0.01, 0.25, f"as at {s}x") for s in (1, 2, 3, 4)]
  words = _reading(*modes, jumps_s=(1.25,)).in_words()
  assert words == "it hums: as at 1x or as at 2x or 2 others; it jumps at 1.2 s"


def test_json_holds_all_of_it():
  found = _reading(reading.Mode(0.5, 0.01, 1.0, "m"), jumps_s=(1.0,))
  told = json.loads(json.dumps(found.to_json()))
  assert told["modes"] == [
    {"speed": 0.5, "spread": 0.01, "share": 1.0, "words": "m"}
  ]
  assert told["clock"] == "hum"
  assert told["jumps_s"] == [1.0]


def test_usual_factors_are_expected_more_than_others():
  at, off = (
    usual.prior(speed, usual.FACTORS, 0.002, 1e-4) for speed in (0.5, 0.57)
  )
  assert at > 100 * off
  assert off == pytest.approx(1e-4, rel=0.01)
  assert math.isclose(usual.prior(1.0, usual.FACTORS, 0.002, 0.0), 1.0)
