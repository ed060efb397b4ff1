"""The answer about one video: its JSON form and its words."""

import json
import math

import numpy as np
import pytest

from speedflow.estimate import answer as estimate_lib

_KEYS = [
  "file",
  "status",
  "error",
  "reason",
  "duration_s",
  "fps",
  "fps_nominal",
  "variable_rate",
  "damage",
  "speed",
  "speed_low",
  "speed_high",
  "segments",
  "decided_by",
  "declared",
  "picture",
  "warning",
  "clock",
  "clocks",
]


def test_scripts_are_told_why_it_is_uncertain():
  found = _estimate(1.0, status="uncertain", reason="nothing moves")
  assert found.to_json()["reason"] == "nothing moves"
  assert found.in_words().endswith("nothing moves")


def _estimate(speed, **kwargs):
  fields = {
    "file": "a.mp4",
    "status": "ok",
    "duration_s": 2.0,
    "fps": 30000 / 1001,
    "speed": speed,
    "speed_low": speed / 1.25,
    "speed_high": speed * 1.25,
  }
  return estimate_lib.Estimate(**(fields | kwargs))


def _segment(start_s, end_s, speed):
  return estimate_lib.Segment(start_s, end_s, speed, speed / 2, speed * 2)


def test_json_has_exactly_the_documented_keys():
  found = _estimate(2.0, segments=(_segment(0, 2, 2.0),)).to_json()
  assert list(found) == _KEYS
  assert list(found["segments"][0]) == [
    "start_s",
    "end_s",
    "speed",
    "speed_low",
    "speed_high",
  ]


def test_json_of_a_failure_has_the_same_keys_and_no_numbers():
  found = estimate_lib.Estimate.failed("a.mp4", "a.mp4: is empty").to_json()
  assert list(found) == _KEYS
  assert found["error"] == "a.mp4: is empty"
  assert found["segments"] == []
  assert all(found[key] is None for key in _KEYS[3:11])


def test_json_holds_plain_finite_numbers():
  text = json.dumps(
    _estimate(np.float32(2.0), speed_high=math.inf).to_json(), allow_nan=False
  )
  assert json.loads(text)["speed"] == 2.0
  assert json.loads(text)["speed_high"] is None


def test_curve_refuses_arrays_of_different_length():
  with pytest.raises(ValueError, match="one length"):
    estimate_lib.SpeedCurve(np.zeros(3), np.ones(3), np.ones(3), np.ones(2))


def test_curve_is_interpolated_in_octaves():
  ones = np.ones(2)
  curve = estimate_lib.SpeedCurve(
    np.array([0.0, 1.0]), np.array([1.0, 4.0]), ones, ones
  )
  assert curve.at(0.5) == pytest.approx(2.0)
  assert curve.at(-1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
  ("speed", "words"),
  [
    (2.1, "plays about 2.1x fast (1.7-2.6)"),
    (1.0, "normal speed"),
    (0.25, "4x slowed down"),
  ],
)
def test_words_say_how_fast_the_video_plays(speed, words):
  assert words in _estimate(speed).in_words()


def test_words_name_a_change_of_speed():
  segments = (_segment(0, 1, 1.0), _segment(1, 2, 4.0))
  words = _estimate(2.0, segments=segments).in_words()
  assert "between 1x and 4x" in words


def test_words_of_an_uncertain_answer_give_the_reason_and_no_number():
  words = _estimate(1.3, status="uncertain", reason="nothing moves").in_words()
  assert words == "does not tell how fast it plays: nothing moves"
