"""Sound with a change at a known time."""

import numpy as np
import pytest

from experiments.sound_speed import evaluate, protocol
from speedflow.sound.changes import SoundChange


@pytest.fixture(scope="module")
def scene() -> protocol.Sound:
  return protocol.scenes(1, seed=0)[0]


def test_a_change_lasts_as_long_as_its_speeds_say(scene):
  rng = np.random.default_rng(0)
  case = protocol.with_change(scene, rng, log2_ratio=1.0)
  after = case.audio.duration_s - (case.time_s - case.audio.start_s)
  before = case.time_s - case.audio.start_s
  assert min(before, after) > 0.9 * protocol.MIN_SIDE_S
  # One side is as it was, the other twice as fast or half as fast.
  lengths = (before + 2 * after, before / 2 + after)
  assert min(abs(x - scene.duration_s) for x in lengths) < 0.06


def test_sound_too_short_for_two_sides_has_no_change():
  short = protocol.Sound("a", "a", "a", np.ones((8_000, 1), np.float32), 16_000)
  rng = np.random.default_rng(0)
  assert protocol.with_change(short, rng, log2_ratio=1.0) is None
  assert protocol.with_cut(short, short, rng) is None


def test_what_is_no_change_says_so(scene):
  rng = np.random.default_rng(0)
  makers = (
    protocol.with_gain,
    protocol.with_low_pass,
    protocol.with_music,
    protocol.with_stretch,
  )
  cases = [make(scene, rng) for make in makers]
  assert [c.kind for c in cases] == ["gain", "low-pass", "music", "stretch"]
  assert all(np.isnan(c.time_s) and c.ratio == 1.0 for c in cases)


def test_scores_of_a_perfect_and_of_a_deaf_detector(scene):
  rng = np.random.default_rng(0)
  case = protocol.with_change(scene, rng, log2_ratio=1.0)
  exact = SoundChange(case.time_s, 2.0, 1.9, 2.1, 1.0)
  late = SoundChange(case.time_s + 0.2, 2.0, 1.9, 2.1, 1.0)
  scores = [
    evaluate.score_changes(lambda audio, found=found: found, [case])
    for found in ([exact], [late], [])
  ]
  found = [score["ratio >= 1.5"]["found"][0] for score in scores]
  extra = [score["ratio >= 1.5"]["extra"] for score in scores]
  assert found == [1.0, 0.0, 0.0]
  assert extra == [0, 1, 0]
  assert scores[0]["ratio >= 1.5"]["median_ratio_error"] == pytest.approx(0)


def test_false_alarms_are_counted_by_the_minute(scene):
  case = protocol.Case(
    scene, protocol.through_aac(scene.samples, scene.rate), "untouched"
  )
  alarm = SoundChange(1.0, 2.0, 1.9, 2.1, 1.0)
  score = evaluate.score_unchanged(lambda audio: [alarm], [case, case])
  rate, low, high = score["untouched"]["per_minute"]
  assert score["untouched"]["alarms"] == 2
  assert rate == pytest.approx(60 / case.audio.duration_s)
  assert low < rate < high
