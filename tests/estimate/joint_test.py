"""When a clock decides the speed, and when the picture keeps its word."""

import dataclasses
import json

import numpy as np
import pytest

from speedflow.clocks import reading as clock_lib
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import joint


def _clock(*speeds, clock="flicker", modality="picture"):
  modes = tuple(
    clock_lib.Mode(speed, 0.001, 1 / len(speeds), f"as at {speed}x")
    for speed in speeds
  )
  return clock_lib.Reading(clock, modality, modes, 0.02, "lamps flicker")


def test_the_picture_chooses_among_aliases(make_estimate):
  for seen, right in ((0.35, 0.25), (2.2, 2.0)):
    found = joint.weigh(make_estimate(speed=seen), [_clock(0.25, 2.0)])
    assert found.speed == right
    assert (found.decided_by, found.clock) == ("clock", "flicker")
    assert found.speed_low < right < found.speed_high < 1.01 * right
    assert found.picture.speed == seen
    assert found.curve is found.picture.curve
    assert found.segments == found.picture.segments
    told = json.loads(json.dumps(found.to_json()))
    assert told["clock"] == "flicker"
    assert told["clocks"][0]["modes"][0]["speed"] in (0.25, 2.0)
    assert told["picture"]["speed"] == pytest.approx(seen)
    assert found.in_words().endswith(", by the flicker")


def test_aliases_that_the_picture_cannot_tell_decide_nothing(make_estimate):
  seen = make_estimate(speed=2.4)
  found = joint.weigh(seen, [_clock(1.0, 2.0)])
  assert found.decided_by == "picture"
  assert found.speed == seen.speed
  assert len(found.clocks) == 1


def test_a_clock_far_from_the_picture_is_not_believed(make_estimate):
  found = joint.weigh(make_estimate(speed=4.0), [_clock(0.125)])
  assert found.decided_by == "picture"


def test_two_clocks_resolve_each_other(make_estimate):
  seen = make_estimate(speed=1.4)
  hum = _clock(2.0, 4.0, clock="hum", modality="sound")
  found = joint.weigh(seen, [_clock(1.0, 2.0), hum])
  assert (found.speed, found.clock) == (2.0, "flicker")


def test_a_picture_that_changes_speed_is_left_to_itself(make_estimate):
  seen = make_estimate(speed=1.0)
  (one,) = seen.segments
  fast = dataclasses.replace(one, speed=4.0, speed_low=3.0, speed_high=5.0)
  seen = dataclasses.replace(seen, segments=(one, fast))
  assert joint.weigh(seen, [_clock(1.0)]).decided_by == "picture"


def test_an_uncertain_picture_gets_an_answer(make_estimate):
  seen = make_estimate(
    status="uncertain", reason="it is still", speed_low=2**-5, speed_high=16.0
  )
  found = joint.weigh(seen, [_clock(0.5)])
  assert (found.status, found.reason, found.speed) == ("ok", None, 0.5)


def test_cadence_alone_decides_nothing(make_estimate):
  seen = make_estimate(speed=1.0)
  found = joint.weigh(seen, [_clock(1.0, clock="cadence")])
  assert found.decided_by == "picture"
  assert found.clocks[0].clock == "cadence"


def test_errors_and_silence_pass(make_estimate):
  failed = estimate_lib.Estimate.failed("a.mp4", "no")
  assert joint.weigh(failed, [_clock(1.0)]) is failed
  seen = make_estimate()
  assert joint.weigh(seen, []) is seen
  assert np.isfinite(seen.speed)
