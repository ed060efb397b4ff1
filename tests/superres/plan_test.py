"""Which frames are planned, at which times, from which input frames."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.superres import clock as superres_clock
from speedflow.superres import options, plan
from speedflow.superres import survey as survey_lib


@pytest.fixture(scope="module")
def info(tmp_path_factory):
  path = tmp_path_factory.mktemp("plan") / "a.mp4"
  with media.VideoWriter(path, 25, (16, 16)) as writer:
    for _ in range(3):
      writer.write(np.zeros((16, 16, 3), np.uint8))
  return media.probe(path)


def _survey(info, shots, repeats=(), exposure=0.0, times=None):
  count = len(shots)
  times = times or [Fraction(k, 25) for k in range(count)]
  timeline = media.Timeline(tuple(times), Fraction(1, 12800), (info.fps,))
  return survey_lib.Survey(
    info=info,
    times=times,
    fps=timeline.rate,
    even=timeline.even,
    last_s=Fraction(0),
    shot=np.array(shots),
    true=np.array([k not in repeats for k in range(count)]),
    exposure=[exposure] * (max(shots) + 1),
    transparent=False,
    damage=None,
  )


def _plan(found, factor=2, fps=None, slow=False):
  wanted = options.Options(factor=factor, fps=fps, slow=slow)
  clock = superres_clock.Clock.of(found, wanted)
  return list(plan.plan(found, clock.moments(found))), clock


def test_every_interval_is_divided(info):
  planned, _ = _plan(_survey(info, [0, 0, 0]), factor=4)
  assert [p.time for p in planned] == [Fraction(k, 100) for k in range(12)]
  assert [p.share for p in planned[4:8]] == [0, 0.25, 0.5, 0.75]
  assert [p.sources for p in planned[4:6]] == [(1,), (1, 2)]


def test_nothing_is_made_up_across_a_cut(info):
  planned, _ = _plan(_survey(info, [0, 0, 1, 1]))
  kinds = [p.kind for p in planned]
  assert kinds == ["observed", "synthesised", "observed", "held"] * 2
  assert planned[3].sources == (1,)


def test_a_shot_of_one_frame_is_only_shown(info):
  planned, _ = _plan(_survey(info, [0, 1, 2], exposure=0.5))
  assert [p.kind for p in planned] == ["observed", "held"] * 3
  assert [p.sources for p in planned] == [(0,), (0,), (1,), (1,), (2,), (2,)]


def test_the_last_of_a_blurred_shot_is_restored_from_the_one_before(info):
  planned, _ = _plan(_survey(info, [0, 0, 0, 1, 1], exposure=0.5))
  assert [p.kind for p in planned[4:7]] == ["restored", "held", "restored"]
  assert planned[4].sources == planned[5].sources == (1, 2)
  assert planned[4].share == 1.0
  assert planned[6].sources == (3, 4)


def test_repeats_are_replaced_by_what_lies_between_their_neighbours(info):
  planned, _ = _plan(_survey(info, [0, 0, 0, 0], repeats=(1, 2)))
  assert [p.share for p in planned[:6]] == pytest.approx(np.arange(6) / 6)
  assert {p.sources for p in planned[1:6]} == {(0, 3)}
  assert [p.kind for p in planned[1:6]] == ["synthesised"] * 5


def test_frames_beside_two_of_a_shot_tell_how_things_accelerate(info):
  planned, _ = _plan(_survey(info, [0, 0, 0, 0, 1, 1, 1]))
  beside = {
    p.sources: tuple(side and side.number for side in p.beside)
    for p in planned
    if p.kind == "synthesised"
  }
  assert beside == {
    (0, 1): (None, 2),
    (1, 2): (0, 3),
    (2, 3): (1, None),
    (4, 5): (None, 6),
    (5, 6): (4, None),
  }


def test_the_distance_of_frames_is_counted_in_intervals(info):
  times = [Fraction(t, 25) for t in (0, 1, 3, 4, 20, 21)]
  planned, _ = _plan(_survey(info, [0] * 6, times=times))
  sides = {p.sources: p.beside for p in planned}
  assert [side.distance for side in sides[1, 2]] == [0.5, 0.5]
  # The pause is too long to tell anything.
  assert sides[2, 3][0].distance == 2 and sides[2, 3][1] is None


@settings(max_examples=30, deadline=None)
@given(
  shots=st.lists(st.integers(1, 5), min_size=1, max_size=5),
  repeats=st.sets(st.integers(1, 24)),
  exposure=st.sampled_from([0.0, 0.5]),
)
def test_no_frame_is_needed_again_after_a_later_one(
  info, shots, repeats, exposure
):
  numbers = [n for n, length in enumerate(shots) for _ in range(length)]
  starts = {0, *np.cumsum(shots).tolist()}
  found = _survey(info, numbers, repeats - starts, exposure)
  needed = [p.numbers for p in _plan(found)[0]]
  assert all(rising == sorted(rising) for rising in needed)
  first = [numbers[0] for numbers in needed]
  assert first == sorted(first)


@settings(max_examples=30, deadline=None)
@given(
  steps=st.lists(st.integers(1, 90), min_size=1, max_size=8),
  factor=st.integers(2, 9),
  slow=st.booleans(),
)
def test_of_a_variable_rate_every_time_is_a_whole_tick(
  info, steps, factor, slow
):
  unit = Fraction(1, 1000)
  times = [unit * int(t) for t in np.cumsum([0, *steps])]
  info = dataclasses.replace(info, time_base=unit)
  found = _survey(info, [0] * len(times), times=times)
  found = dataclasses.replace(found, even=False)
  _, clock = _plan(found, factor, slow=slow)
  shown = [each.time for each in clock.shown(found)][: -factor + 1]
  assert all(time % clock.time_base == 0 for time in shown)
  assert shown[::factor] == [t * clock.slowdown for t in times]


@settings(max_examples=30, deadline=None)
@given(
  fps=st.fractions(min_value=5, max_value=400, max_denominator=1001),
  slow=st.booleans(),
)
def test_any_rate_is_even_and_fills_the_length(info, fps, slow):
  found = _survey(info, [0] * 9)
  _, clock = _plan(found, None, fps, slow)
  shown = [each.time for each in clock.shown(found)]
  assert set(np.diff(shown)) <= {1 / clock.rate}
  assert clock.rate == (25 if slow else fps)
  assert clock.end - shown[-1] == 1 / clock.rate
  length = Fraction(9, 25) * clock.slowdown
  assert length <= clock.end < length + 1 / clock.rate


def test_too_many_frames_are_refused(info):
  with pytest.raises(SpeedflowError, match="at most 64 times"):
    _plan(_survey(info, [0, 0]), None, 25 * 65)
