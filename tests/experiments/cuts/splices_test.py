"""Splices hold what they say they do."""

import csv
from fractions import Fraction

import numpy as np
import pytest

from experiments.cuts import evaluate, splices
from speedflow import media


@pytest.fixture
def clips(tmp_path):
  """Four clips of one grey each, and a list of them."""
  rows = []
  for number in range(4):
    name = f"{number}.mp4"
    with media.VideoWriter(tmp_path / name, Fraction(30), (64, 48)) as writer:
      for _ in range(130):
        writer.write(np.full((48, 64, 3), 50 + 50 * number, np.uint8))
    rows.append(
      {
        "file": name,
        "split": "test",
        "category": "realtime",
        "cuts": "1" if number == 3 else "0",
        "frames": "130",
        "fps": "30",
        "scene_group": f"g{number}",
      }
    )
  with (tmp_path / "clips.csv").open("w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
  return splices.sources(tmp_path, "test")


def test_shots_are_joined_where_events_say(clips):
  # The one with a cut is none of them.
  assert len(clips) == 3
  splice = splices.joined(clips, np.random.default_rng(0), 3)
  greys = np.array([image.mean() for image in splice.images])
  joins = [event for event in splice.events if event.kind in splices.JOINS]
  assert len(joins) == 2
  steady = np.ones(len(greys), bool)
  for event in splice.events:
    steady[event.first : event.end] = False
    if event.kind == "flash":
      assert (
        greys[event.first : event.end] > greys[event.first - 1] + 10
      ).all()
  ends = [0, *(j.first for j in joins), len(greys)]
  begins = [0, *(j.end for j in joins)]
  for begin, end in zip(begins, ends[1:], strict=True):
    shot = greys[begin:end][steady[begin:end]]
    assert np.ptp(shot) < 3
  for join in joins:
    assert abs(greys[join.first - 1] - greys[join.end]) > 30
    if join.kind == "fade":
      assert greys[join.first : join.end].min() < 5


def test_pans_come_to_rest_outside_their_events(clips):
  rng = np.random.default_rng(1)
  for kind in ("pan", "whip pan"):
    splice = splices.panned(clips[0], kind, rng)
    assert [event.kind for event in splice.events] == [kind] * 3
    assert splice.events[-1].end < len(splice.images)
  whip = splice.events[0]
  assert 3 <= whip.end - whip.first <= 5


def test_each_cut_counts_once_and_joins_come_first():
  events = [
    splices.Event("flash", 18, 20),
    splices.Event("cut", 20, 20),
    splices.Event("dissolve", 60, 70),
    splices.Event("cut", 90, 90),
  ]
  splice = splices.Splice([], events, ["g"])
  found = evaluate.score(splice, [20, 61, 68, 40])
  assert [(one.kind, one.cuts) for one in found] == [
    ("cut", 1),
    ("dissolve", 2),
    ("cut", 0),
    ("flash", 0),
    ("none", 1),
  ]
