"""When the file's own word decides the speed, and when it does not."""

import json
import math

import pytest

from speedflow.declared import Declaration, Retiming, Statement
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import witness


def _declared(capture_fps=240.0, **fields):
  rate = Statement("tag", "said", capture_fps=capture_fps, by_camera=True)
  known = {"stored_fps": 30.0, "statements": (rate,)}
  return Declaration(**(known | fields))


def test_what_a_camera_wrote_decides(make_estimate):
  seen = make_estimate(speed=0.4)
  found = witness.weigh(seen, _declared())
  assert found.decided_by == "declared"
  assert found.speed == pytest.approx(0.125)
  assert found.speed_low == pytest.approx(0.125, rel=0.0101)
  assert found.speed_high == pytest.approx(0.125, rel=0.0101)
  assert [s.speed for s in found.segments] == [found.speed]
  assert found.curve.at(0.5) == pytest.approx(found.speed)
  told = json.loads(json.dumps(found.to_json()))
  assert told["picture"]["speed"] == pytest.approx(0.4)
  assert told["declared"]["capture_fps"] == 240
  assert told["declared"]["speed"] == pytest.approx(0.125)
  assert "as the file declares (tag)" in found.in_words()


def test_it_decides_where_the_picture_is_uncertain(make_estimate):
  seen = make_estimate(status="uncertain", reason="it is still", speed=1.0)
  found = witness.weigh(seen, _declared())
  assert (found.status, found.decided_by) == ("ok", "declared")
  assert found.picture.status == "uncertain"


@pytest.mark.parametrize(
  "fields",
  [
    {"tools": ("FFmpeg",)},
    {"steady": False},
    {"retimings": (Retiming(0.0, 1.0, 0.5, "edit list"),)},
    {"statements": (Statement("tag", "said", capture_fps=240.0),)},
    {
      "statements": (
        Statement(
          "tag", "said", capture_fps=240.0, play_fps=24.0, by_camera=True
        ),
      )
    },
  ],
)
def test_what_may_not_hold_is_told_and_does_not_decide(make_estimate, fields):
  seen = make_estimate(speed=0.4)
  found = witness.weigh(seen, _declared(**fields))
  assert found.decided_by == "picture"
  assert found.speed == seen.speed
  assert found.to_json()["declared"]["capture_fps"] == 240


@pytest.mark.parametrize(
  ("octaves", "decided"), [(1.5, "declared"), (2.5, "picture")]
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_gross_contradiction_is_a_warning(
  make_estimate, octaves, decided, sign
):
  # The picture's interval reaches from 1 / 1.25 to 1.25 times its answer.
  edge = octaves + math.log2(1.25)
  seen = make_estimate(speed=0.125 * 2 ** (sign * edge))
  found = witness.weigh(seen, _declared())
  assert found.decided_by == decided
  assert (found.warning is None) == (decided == "declared")


def test_no_word_of_the_file_changes_nothing(make_estimate):
  seen = make_estimate()
  assert witness.weigh(seen, None) is seen
  assert witness.weigh(seen, Declaration(stored_fps=30.0)) is seen
  failed = estimate_lib.Estimate.failed("a.mp4", "a.mp4: empty")
  assert witness.weigh(failed, _declared()) is failed
  assert failed.decided_by is None


def test_what_is_declared_without_a_rate_is_passed_on(make_estimate):
  said = Declaration(statements=(Statement("tag", "slow motion"),))
  found = witness.weigh(make_estimate(), said)
  assert found.to_json()["declared"]["evidence"] == ["tag: slow motion"]
