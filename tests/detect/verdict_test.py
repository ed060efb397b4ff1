"""What was done to a video's time, from picture and sound."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.clocks import reading as clock_lib
from speedflow.detect import answer, verdict

# Of senses without a bias, so that readings are what they seem.
_FAIR = dataclasses.replace(
  verdict.BELIEF,
  bias={"picture": 0.0, "sound": 0.0},
  gain={"picture": 1.0, "sound": 1.0},
  width={"picture": 1.0, "sound": 1.0},
)
_REAL = answer.Reading(1.05, 0.75, 1.5)
_TWICE = answer.Reading(1.9, 1.4, 2.6)
_HALF = answer.Reading(0.55, 0.4, 0.76)
_HEARD_REAL = answer.Reading(1.0, 0.9, 1.1)
_HEARD_TWICE = answer.Reading(2.0, 1.8, 2.2)
_HEARD_HALF = answer.Reading(0.5, 0.45, 0.55)


def _evidence(*stretches, changes=(), audible=True, stretched=None):
  """Stretches of a second each: (picture, sound) readings, or None."""
  return verdict.Evidence(
    tuple(changes),
    tuple(
      answer.Stretch(
        float(i),
        i + 1.0,
        {
          sense: reading
          for sense, reading in zip(("picture", "sound"), readings, strict=True)
          if reading is not None
        },
      )
      for i, readings in enumerate(stretches)
    ),
    audible,
    stretched,
  )


def _change(ratio, spread=1.1, probability=0.95, time_s=1.0):
  return answer.Change(
    time_s, probability, ratio, ratio / spread, ratio * spread, ()
  )


def _both(ratio):
  return {"picture": _change(ratio, 1.3), "sound": _change(ratio, 1.02)}


@pytest.mark.parametrize(
  ("expected", "evidence"),
  [
    ("untouched", _evidence((_REAL, _HEARD_REAL))),
    ("sped_up", _evidence((_TWICE, _HEARD_TWICE))),
    ("slowed_down", _evidence((_HALF, _HEARD_HALF))),
    ("conflict", _evidence((_TWICE, _HEARD_REAL), stretched=0.9)),
    ("conflict", _evidence((_REAL, _HEARD_HALF))),
    (
      "sped_up",
      _evidence(
        (_REAL, _HEARD_REAL), (_TWICE, _HEARD_TWICE), changes=[_both(2.0)]
      ),
    ),
    (
      "mixed",
      _evidence(
        (_HALF, _HEARD_HALF), (_TWICE, _HEARD_TWICE), changes=[_both(4.0)]
      ),
    ),
    (
      "conflict",
      _evidence(
        (_REAL, _HEARD_REAL),
        (_TWICE, _HEARD_REAL),
        changes=[{"picture": _change(2.0, 1.2)}],
        stretched=0.7,
      ),
    ),
  ],
)
def test_verdict_of_clear_evidence(expected, evidence):
  assert verdict.judge(evidence, _FAIR).verdict == expected


@pytest.mark.parametrize(
  ("expected", "picture"),
  [
    ("untouched", _REAL),
    ("sped_up", answer.Reading(4.0, 3.3, 4.8)),
    ("slowed_down", answer.Reading(0.25, 0.2, 0.31)),
  ],
)
def test_picture_alone_is_judged_without_conflict(expected, picture):
  evidence = _evidence((picture, None), audible=False)
  judgement = verdict.judge(evidence, _FAIR)
  assert judgement.verdict == expected
  assert judgement.probabilities["conflict"] == 0


def test_sound_that_agrees_makes_a_verdict_surer():
  alone = _evidence((_TWICE, None), audible=False)
  heard = _evidence((_TWICE, _HEARD_TWICE))
  assert (
    verdict.posterior(heard, _FAIR)["sped_up"]
    > verdict.posterior(alone, _FAIR)["sped_up"]
  )


def test_wide_intervals_say_nothing():
  vague = answer.Reading(2.0, 2.0 / 64, 2.0 * 64)
  nothing = verdict.posterior(_evidence((None, None)), _FAIR)
  told = verdict.posterior(_evidence((vague, None)), _FAIR)
  assert told == pytest.approx(nothing, abs=0.1)


def test_a_change_that_is_a_false_alarm_says_nothing():
  readings = (_REAL, _HEARD_REAL)
  without = verdict.posterior(
    _evidence(readings, readings, changes=[{}]), _FAIR
  )
  doubted = _change(2.0, probability=0.0)
  told = verdict.posterior(
    _evidence(readings, readings, changes=[{"sound": doubted}]), _FAIR
  )
  assert told == pytest.approx(without, abs=0.05)


def test_picture_that_tells_nothing_contradicts_no_sound():
  change = {"sound": _change(2.0, 1.02)}
  blind = _evidence((None, None), (None, None), changes=[change])
  steady = _evidence((_REAL, None), (_REAL, None), changes=[change])
  told, doubted = (verdict.posterior(e, _FAIR) for e in (blind, steady))
  assert max(told, key=told.__getitem__) == "sped_up"
  assert doubted["conflict"] > told["conflict"]


def test_an_accusation_takes_more_proof_than_an_acquittal():
  nearly: dict[answer.Verdict, float] = {"untouched": 0.4, "sped_up": 0.6}
  lenient, fair = (
    dataclasses.replace(_FAIR, accusation=cost, silence=1.0) for cost in (3, 1)
  )
  assert verdict.cheapest(nearly, lenient) == "untouched"
  assert verdict.cheapest(nearly, fair) == "sped_up"


def test_what_is_acquitted_for_want_of_proof_is_told_so():
  evidence = _evidence((_TWICE, None), audible=False)
  lenient = dataclasses.replace(_FAIR, accusation=99.0, silence=1.0)
  judgement = verdict.judge(evidence, lenient)
  assert judgement.verdict == "untouched"
  assert judgement.why.startswith("Too little proof of a change: sped up")


def test_no_verdict_where_each_may_cost_more_than_none():
  evidence = _evidence((_TWICE, None))
  strict = dataclasses.replace(_FAIR, silence=1e-3)
  judgement = verdict.judge(evidence, strict)
  assert judgement.verdict == "uncertain"
  assert judgement.why.startswith("No verdict is likely enough: ")


def test_why_names_what_speaks_for_the_verdict_and_what_against():
  evidence = _evidence(
    (_REAL, _HEARD_REAL), (_HALF, _HEARD_TWICE), changes=[_both(2.0)]
  )
  why = verdict.judge(evidence, _FAIR).why
  support, _, against = why.partition("Against it:")
  assert "at 1.0 s picture and sound become about 2 times faster" in support
  assert "the picture plays at about 1.1x (0.75-1.5)" in against


_READINGS = st.none() | st.builds(
  lambda log2, half: answer.Reading(
    2.0**log2, 2.0 ** (log2 - half), 2.0 ** (log2 + half)
  ),
  st.floats(-3, 3),
  st.floats(0.02, 3),
)


@settings(max_examples=30, deadline=None)
@given(
  stretches=st.lists(st.tuples(_READINGS, _READINGS), min_size=1, max_size=4),
  ratio=st.floats(-3, 3),
  seen_by=st.sets(st.sampled_from(["picture", "sound"]), min_size=1),
  stretched=st.none() | st.floats(0, 1),
)
def test_probabilities_sum_to_one_and_turn_with_the_speeds(
  stretches, ratio, seen_by, stretched
):
  def turned(reading):
    return reading and answer.Reading(
      1 / reading.middle, 1 / reading.high, 1 / reading.low
    )

  def evidence(readings, ratio):
    found = {sense: _change(2.0**ratio) for sense in seen_by}
    changes = [found] * (len(readings) - 1)
    return _evidence(*readings, changes=changes, stretched=stretched)

  given_so = verdict.posterior(evidence(stretches, ratio), _FAIR)
  assert sum(given_so.values()) == pytest.approx(1)
  upside_down = verdict.posterior(
    evidence([tuple(map(turned, pair)) for pair in stretches], -ratio),
    _FAIR,
  )
  assert upside_down == pytest.approx(
    {
      **given_so,
      "sped_up": given_so["slowed_down"],
      "slowed_down": given_so["sped_up"],
    },
    abs=1e-6,
  )


def test_many_changes_are_weighed_like_few():
  stretches = [(_REAL, _HEARD_REAL), (_TWICE, _HEARD_TWICE)] * 150
  changes = [_both(2.0), _both(0.5)] * 150
  probabilities = verdict.posterior(
    _evidence(*stretches, changes=changes[:-1]), _FAIR
  )
  assert probabilities["sped_up"] > 0.9


def _clock(speed, modality):
  mode = clock_lib.Mode(speed, 0.001, 1.0, f"as at {speed}x")
  name = "hum" if modality == "sound" else "flicker"
  return clock_lib.Reading(name, modality, (mode,), 0.02, "it beats")


@pytest.mark.parametrize(("speed", "kind"), [(2, "sped_up"), (1, "untouched")])
def test_a_clock_decides_what_senses_leave_open(speed, kind):
  vague = answer.Reading(1.4, 0.7, 2.8)
  evidence = _evidence((vague, vague), stretched=0.1)
  clocks = (_clock(speed, "picture"), _clock(speed, "sound"))
  heard = dataclasses.replace(evidence, clocks=clocks)
  judged = verdict.judge(heard)
  before = verdict.posterior(evidence)
  assert judged.verdict == kind
  assert judged.probabilities[kind] > before[kind]
  assert f"it beats: as at {speed}x" in judged.why


def test_hum_bears_on_the_sound_alone():
  evidence = _evidence((_TWICE, None), stretched=0.5)
  heard = dataclasses.replace(evidence, clocks=(_clock(1.0, "sound"),))
  more = verdict.posterior(heard)["conflict"]
  assert more > verdict.posterior(evidence)["conflict"]


def test_a_clock_says_nothing_of_a_file_that_changes():
  evidence = _evidence(
    (_REAL, _HEARD_REAL), (_TWICE, _HEARD_TWICE), changes=[_both(2.0)]
  )
  heard = dataclasses.replace(evidence, clocks=(_clock(1.0, "picture"),))
  assert verdict.posterior(heard) == pytest.approx(verdict.posterior(evidence))
