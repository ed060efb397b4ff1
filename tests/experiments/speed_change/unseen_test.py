"""What is found, what is a false alarm, and which threshold that sets."""

import pytest

from experiments.speed_change import edited_files, unseen
from speedflow.detect.change_detector import PictureChange


def _file(kind="2x", changes=((2.0, 2.0, 2.0),), source="a", duration_s=60.0):
  return edited_files.Edited(f"x@{kind}", source, kind, changes, duration_s)


def _change(time_s, probability):
  return PictureChange(time_s, 2.0, 1.5, 3.0, probability)


def _untouched(*false, source="a"):
  return unseen.Heard(_file("as it is", (), source), (), false)


def test_what_is_reported_near_a_change_is_found_and_all_else_is_false():
  heard = unseen.hear(
    _file(), [_change(1.0, 0.9), _change(1.85, 0.4), _change(2.15, 0.7)]
  )
  assert heard.found == (0.7,)
  assert heard.false == (0.9,)


def test_a_ramp_is_found_anywhere_within_it():
  ramp = _file(changes=((2.0, 2.5, 4.0),))
  assert unseen.hear(ramp, [_change(2.6, 0.5)]).found == (0.5,)
  assert unseen.hear(ramp, [_change(2.75, 0.5)]).found == (0.0,)


def test_repositories_count_alike_and_small_changes_not_at_all():
  large = [
    unseen.Heard(_file(source="a"), (p,), ()) for p in (0.9, 0.9, 0.9, 0.1)
  ]
  small = unseen.Heard(_file("1.5x", ((2.0, 2.0, 1.5),)), (0.0,), ())
  other = unseen.Heard(_file(source="b"), (0.2,), ())
  assert unseen.recall([*large, small, other], 0.5) == pytest.approx(0.375)


def test_the_threshold_lets_half_an_alarm_a_minute_pass():
  heard = [_untouched(0.9, 0.3), _untouched(0.8), _untouched(), _untouched()]
  threshold = unseen.least(heard)
  assert 0.3 < threshold < 0.8  # Two in four minutes.
  assert unseen.alarms(heard, threshold) == 0.5
  # What is reported near a change is none.
  edited = unseen.Heard(_file(), (0.99,), ())
  assert unseen.least([*heard, edited]) == threshold


def test_a_repository_does_not_set_its_own_threshold():
  heard = [
    _untouched(0.6, 0.5, source="a"),
    _untouched(0.9, 0.8, source="b"),
    _untouched(source="c"),
  ]
  nested = unseen.nested_thresholds(heard)
  assert nested["a"] > 0.8 > nested["b"]
  figures = unseen.scores([*heard, unseen.Heard(_file(), (0.7,), ())], 0.65)
  assert figures["at_allowed"]["recall"][0] == 0.0
  assert figures["as_shipped"]["recall"][0] == 1.0
  assert "0 of 1 | 1 of 1" in unseen.table(figures)
