"""Counting right verdicts, and choosing by what they are weighed."""

import dataclasses
import json

import pytest

from experiments.forensics import choose, evaluate, forgeries, witness
from speedflow.detect import answer, verdict


def _testimony(kind, picture, sound, clip="a", stretched=None):
  """A file whose senses read these speeds, all but exactly."""
  speeds = {
    sense: answer.Reading(speed, speed / 1.1, speed * 1.1)
    for sense, speed in (("picture", picture), ("sound", sound))
    if speed
  }
  change = answer.Change(1.0, 0.9, 2.0, 1.8, 2.2, ("picture",))
  return witness.Testimony(
    forgeries.Forgery(kind, False, clip, clip, None),
    verdict.Evidence(
      ({"picture": change} if stretched == 0.5 else {},),
      (answer.Stretch(0.0, 1.0, speeds), answer.Stretch(1.0, 2.0, speeds)),
      bool(sound),
      stretched,
    ),
    "ok" if sound else "missing",
  )


# Of senses without a bias, so that readings are what they seem.
_FAIR = dataclasses.replace(
  verdict.BELIEF,
  bias={"picture": 0.0, "sound": 0.0},
  gain={"picture": 1.0, "sound": 1.0},
)
_CLEAR = [
  _testimony("untouched", 1, 1),
  _testimony("sped up 2x", 2, 2),
  _testimony("slowed down 2x", 0.5, 0.5),
  _testimony("sped up 2x, pitch kept", 2, 1, stretched=0.9),
  _testimony("sound removed", 1, None),
  _testimony("sped up 2x, sound removed", 2, None),
]


def test_clear_evidence_is_judged_right_by_all_senses_together_and_alone():
  systems = evaluate.evaluate(_CLEAR, _FAIR)["systems"]
  for name in ("picture and sound", "picture alone"):
    assert systems[name]["accuracy"][0] == 1
    assert not systems[name]["failures"]


def test_the_task_leaves_out_what_was_sped_up_without_sound():
  wrong = _testimony("sped up 2x, sound removed", 1, None)
  together = evaluate.evaluate([*_CLEAR[:-1], wrong], _FAIR)["systems"][
    "picture and sound"
  ]
  assert together["accuracy"][0] == 1
  assert together["by_kind"]["sped up 2x, sound removed"][0] == 0
  assert [f["kind"] for f in together["failures"]] == [
    "sped up 2x, sound removed"
  ]


def test_nothing_is_asked_of_sound_that_was_removed():
  alone = evaluate.evaluate(_CLEAR, _FAIR)["systems"]["sound alone"]
  assert alone["by_kind"]["sound removed"] is None


def test_results_are_json_and_tables():
  results = evaluate.evaluate(_CLEAR, _FAIR)
  table = evaluate.tables(json.loads(json.dumps(results)))
  assert "| **all five kinds** | 100% (100%-100%) |" in table
  assert "| untouched | **1** | 0 | 0 | 0 | 0 | 0 |" in table


def test_sources_never_seen_come_first(tmp_path):
  (tmp_path / "clips.csv").write_text(
    "file,split,source\nclips/old.mp4,test,known\nclips/new.mp4,test,other\n"
    "clips/train.mp4,train,known\n"
  )
  known = _testimony("untouched", 1, 1, clip="old/0/0")
  other = _testimony("untouched", 1, 1, clip="new/2/0")
  found = evaluate.of_unseen_sources([known, other], tmp_path)
  assert found == [other]
  results = evaluate.evaluate(_CLEAR, _FAIR)
  results["unseen"] = evaluate.evaluate(_CLEAR[:5], _FAIR)
  table = evaluate.tables(results)
  assert table.startswith("Sources never seen. 5 files")
  assert "All. 6 files" in table


@pytest.mark.parametrize("number", range(len(_CLEAR)))
def test_testimonies_survive_their_file(number):
  again = witness.Testimony.from_json(
    json.loads(json.dumps(_CLEAR[number].to_json()))
  )
  assert again.forgery == _CLEAR[number].forgery
  assert verdict.posterior(again.evidence) == pytest.approx(
    verdict.posterior(_CLEAR[number].evidence)
  )


def test_changes_survive_their_file():
  before = _testimony("sped up 2x", 2, 2, stretched=0.5)
  again = witness.Testimony.from_json(json.loads(json.dumps(before.to_json())))
  assert again.evidence == before.evidence


def test_a_better_belief_is_found():
  # Whoever believes in conflicts is surprised by files without any.
  belief = dataclasses.replace(_FAIR, conflict=0.9)
  files = [_testimony("untouched", 1, 1), _testimony("sped up 2x", 1.5, 1.5)]
  before = choose.surprise(files, belief)
  chosen, after = choose.choose(files, belief, draws=40)
  assert after < before - 0.1
  assert chosen.conflict < belief.conflict
