"""Answers about changes of speed, as JSON."""

import json

import numpy as np
import pytest

from speedflow.detect import answer


@pytest.fixture
def found():
  return answer.Detection(
    "a.mp4",
    "ok",
    changes=(
      answer.Change(1.23456, 0.98765, 2.0, 1.91234, 2.1, ("picture", "sound")),
    ),
    curve=answer.Curve(np.array([0.0, 1 / 30]), np.array([0.0, 0.54321])),
    sound=answer.Sound("ok", 1.5, 1.4, None),
    verdict="sped_up",
    why="Because.",
  )


def test_json_has_the_agreed_keys_and_round_numbers(found):
  assert found.to_json() == {
    "file": "a.mp4",
    "status": "ok",
    "error": None,
    "damage": None,
    "changes": [
      {
        "time_s": 1.235,
        "probability": 0.9877,
        "ratio": 2.0,
        "ratio_low": 1.912,
        "ratio_high": 2.1,
        "seen_by": ["picture", "sound"],
      }
    ],
    "curve": {"time_s": [0.0, 0.033], "probability": [0.0, 0.5432]},
    "sound": {
      "status": "ok",
      "speed": 1.5,
      "speed_low": 1.4,
      "speed_high": None,
    },
    "verdict": "sped_up",
    "why": "Because.",
    "declared": None,
    "findings": [],
    "clocks": [],
  }
  assert json.loads(json.dumps(found.to_json())) == found.to_json()


def test_json_of_a_file_that_could_not_be_read_has_all_keys(found):
  failed = answer.Detection.failed("b.mp4", "b.mp4: is empty").to_json()
  assert failed.keys() == found.to_json().keys()
  assert failed["error"] == "b.mp4: is empty"
  assert failed["changes"] == []
  assert failed["verdict"] is None


def test_spread_of_a_reading_is_a_standard_deviation_in_octaves():
  rng = np.random.default_rng(0)
  low, middle, high = np.quantile(
    2 ** rng.normal(1, 0.3, 20_000), [0.1, 0.5, 0.9]
  )
  reading = answer.Reading(middle, low, high)
  assert reading.log2 == pytest.approx(1, abs=0.02)
  assert reading.spread == pytest.approx(0.3, abs=0.02)
