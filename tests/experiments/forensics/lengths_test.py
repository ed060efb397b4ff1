"""Accuracy by length needs the failures and the lengths, no more."""

from experiments.forensics import evaluate, lengths


def _file(clip, kind, seconds):
  return lengths.File(clip, kind, False, f"scene of {clip}", seconds)


def _results(failed):
  return {
    "systems": {
      name: {
        "failures": [
          {"clip": clip, "kind": kind, "spliced": False}
          for clip, kind in failed
        ]
      }
      for name in evaluate.SYSTEMS
    }
  }


def test_each_length_has_its_own_share_of_right_verdicts():
  made = [
    _file("a", "untouched", 1.0),
    _file("a", "sped up 2x", 1.0),
    _file("b", "untouched", 3.0),
    _file("b", "sped up 2x", 3.0),
  ]
  found = lengths.by_length(_results([("a", "sped up 2x")]), made)
  rows = found["picture and sound"]
  assert [(row["from_s"], row["files"]) for row in rows] == [(0.0, 2), (3.0, 2)]
  assert [row["accuracy"][0] for row in rows] == [0.5, 1.0]
  assert "| 3 to 4 | 2 | 100% (100%-100%) |" in lengths.table(found)


def test_who_is_not_asked_is_not_counted():
  made = [_file("a", "sound removed", 1.0), _file("a", "untouched", 1.0)]
  found = lengths.by_length(_results([]), made)
  assert found["sound alone"][0]["files"] == 1
  assert found["picture alone"][0]["files"] == 2
