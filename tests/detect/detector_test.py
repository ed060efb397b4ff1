"""Picture and sound together: what both show at one place is one change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.detect import answer, detector


def _found(time_s, ratio=2.0, probability=0.9):
  return answer.Change(time_s, probability, ratio, ratio / 1.1, ratio * 1.1, ())


def test_changes_of_both_senses_at_one_place_are_one():
  seen, heard = _found(1.1, 1.8), _found(1.0, 2.0)
  assert detector.join_changes([seen], [heard]) == [
    {"picture": seen, "sound": heard}
  ]


def test_changes_farther_apart_than_the_tolerance_are_two():
  seen, heard = _found(1.3), _found(1.0)
  assert detector.join_changes([seen], [heard], tolerance_s=0.25) == [
    {"sound": heard},
    {"picture": seen},
  ]


def test_the_nearest_are_joined():
  seen = [_found(1.0), _found(1.2)]
  heard = [_found(1.15)]
  assert detector.join_changes(seen, heard) == [
    {"picture": seen[0]},
    {"picture": seen[1], "sound": heard[0]},
  ]


@settings(max_examples=50, deadline=None)
@given(
  seen=st.lists(st.floats(0, 5), max_size=5),
  heard=st.lists(st.floats(0, 5), max_size=5),
)
def test_every_change_is_told_once_and_in_order(seen, heard):
  pairs = detector.join_changes(
    [_found(t) for t in sorted(seen)], [_found(t) for t in sorted(heard)]
  )
  for sense, times in (("picture", seen), ("sound", heard)):
    told = [pair[sense].time_s for pair in pairs if sense in pair]
    assert sorted(told) == sorted(times)
  for pair in pairs:
    if len(pair) == 2:
      apart = abs(pair["picture"].time_s - pair["sound"].time_s)
      assert apart <= detector.TOLERANCE_S
  changes = [detector.joined(pair) for pair in pairs]
  assert changes == sorted(changes, key=lambda change: change.time_s)


def test_sound_gives_time_and_ratio_and_both_senses_the_probability():
  change = detector.joined(
    {
      "picture": _found(1.1, 1.7, probability=0.8),
      "sound": _found(1.0, 2.0, probability=0.9),
    }
  )
  assert (change.time_s, change.ratio) == (1.0, 2.0)
  assert change.seen_by == ("picture", "sound")
  assert change.probability == pytest.approx(0.98)


def test_what_is_heard_at_a_cut_is_no_change():
  heard = [_found(1.0), _found(3.0), _found(5.0)]
  assert detector.within_shots(heard, (3.1,)) == [heard[0], heard[2]]
  assert detector.within_shots(heard, ()) == heard
