"""A threshold is placed by alarms in sound that no scorer has seen."""

import numpy as np
import pytest
from scipy import stats

from experiments.sound_speed import cross_fit, protocol


def _sound(name, group, seconds):
  samples = np.zeros((round(seconds * 100), 1), np.float32)
  return protocol.Sound(name, "a", group, samples, 100)


def test_parts_split_no_scene_and_are_about_as_long():
  sounds = [_sound(f"{k}", f"group{k // 2}", 1 + k % 5) for k in range(40)]
  parts = cross_fit.parts(sounds, 4)
  groups = [{sound.scene_group for sound in part} for part in parts]
  assert len(set.union(*groups)) == sum(map(len, groups)) == 20
  assert sorted(s.name for p in parts for s in p) == sorted(
    s.name for s in sounds
  )
  lengths = [sum(s.duration_s for s in part) for part in parts]
  assert max(lengths) - min(lengths) < 10


@pytest.mark.parametrize("alarms", [0, 1, 4])
def test_the_bound_is_the_rate_at_which_so_few_alarms_are_unlikely(alarms):
  rate = cross_fit.bound(alarms, minutes=10.0, confidence=0.9)
  assert stats.poisson.cdf(alarms, 10 * rate) == pytest.approx(0.1)


def _heard(minutes, alarms):
  return cross_fit.Heard(
    minutes, np.array(alarms), np.array([0.3, 0.9]), np.array([True, False])
  )


def test_the_threshold_leaves_as_many_alarms_as_the_goal_allows():
  alarms = [0.9, 0.8, 0.3, 0.1]
  least, proven = cross_fit.threshold(_heard(27.0, alarms))
  assert proven
  assert (np.array(alarms) >= least).sum() == 2


def test_too_little_sound_proves_nothing_and_leaves_no_alarm():
  least, proven = cross_fit.threshold(_heard(5.0, [0.9, 0.8]))
  assert not proven
  assert 0.9 < least < 0.91


def test_the_table_tells_what_each_threshold_costs():
  found = cross_fit.scores(_heard(12.0, [0.45]))
  row = next(r for r in found["by_threshold"] if r["threshold"] == 0.4)
  assert row["alarms"] == 1
  assert row["found_large"] == 0.0
  assert row["found_small"] == 1.0
  assert "| 0.40 | 1 | 0.08 |" in cross_fit.tables(found)


@pytest.mark.slow
def test_every_sound_is_judged_once():
  one, two, *learnt_from = protocol.scenes(4, seed=5)
  heard = cross_fit.cross_fit(
    [one, two], learnt_from, rounds=1, epochs=1, seed=0, count=1
  )
  seconds = one.duration_s + two.duration_s
  assert heard.minutes == pytest.approx(seconds / 60)
  assert len(heard.found) == len(heard.large) > 0
  assert ((heard.found >= 0) & (heard.found <= 1)).all()
