"""What the file says is heard by the detector, and changes no verdict."""

import pytest

from speedflow.declared import Declaration, Statement
from speedflow.detect import answer as detect_lib
from speedflow.detect import witness


def _detection(*speeds):
  stretches = tuple(
    detect_lib.Stretch(
      float(number),
      number + 1.0,
      {"picture": detect_lib.Reading(speed, speed / 1.2, speed * 1.2)},
    )
    for number, speed in enumerate(speeds)
  )
  return detect_lib.Detection(
    "a.mp4", "ok", verdict="untouched", why="Because.", stretches=stretches
  )


def _declared(**fields):
  rate = Statement("tag", "said", capture_fps=240.0, by_camera=True)
  return Declaration(**({"stored_fps": 30.0, "statements": (rate,)} | fields))


def test_declared_rate_that_the_picture_contradicts_is_a_finding():
  found = witness.add(_detection(1.0, 1.1), _declared())
  assert len(found.findings) == 1
  assert "contradicts the 0.125x" in found.findings[0]
  assert found.findings[0] in found.why
  assert found.verdict == "untouched"
  assert found.to_json()["declared"]["speed"] == 0.125


@pytest.mark.parametrize("speeds", [(0.3,), (1.0, 0.2), ()])
def test_one_that_it_does_not_contradict_is_none(speeds):
  found = witness.add(_detection(*speeds), _declared())
  assert found.findings == ()
  assert "filmed at 240 frames a second" in found.why


def test_signature_of_software_is_a_finding():
  found = witness.add(_detection(1.0), Declaration(tools=("Adobe",)))
  assert "written by Adobe" in found.findings[0]


def test_without_a_word_of_the_file_nothing_changes():
  seen = _detection(1.0)
  assert witness.add(seen, None) is seen
  assert witness.add(seen, Declaration(stored_fps=30.0)) is seen
