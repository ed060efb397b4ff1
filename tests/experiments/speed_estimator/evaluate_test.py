"""What the evaluation says of whole clips."""

import pytest

from experiments.speed_estimator import evaluate


def _clip(speed, estimate, label="known", stride=1, rounds=()):
  return {
    **{"clip": f"{speed}-{estimate}", "source": "s", "content": "a ball"},
    **{"scene_group": f"g{speed}", "category": "realtime", "label": label},
    **{
      "stride": stride,
      "speed": speed,
      "estimate": estimate,
      "rounds": rounds,
    },
    **{"low": estimate / 2, "high": estimate * 2, "status": "ok"},
  }


def test_the_worst_are_those_missed_by_the_largest_factors():
  slow, fast, right = _clip(0.25, 1.0), _clip(1.0, 3.0), _clip(1.0, 1.1)
  guessed = _clip(0.1, 1.0, label="pseudo")
  assert evaluate.worst([right, fast, guessed, slow], 2) == [slow, fast]


def test_rounds_of_slow_clips_count_at_their_own_speed():
  clips = [
    _clip(0.25, 0.25, rounds=(0.5, 0.25)),
    _clip(0.25, 1.0, rounds=(1.0,)),
    _clip(0.5, 0.5, stride=2, rounds=(9.0,)),
    _clip(1.0, 1.0, rounds=(9.0,)),
  ]
  assert evaluate.errors_by_round(clips) == pytest.approx([8**0.5, 2.0])


def test_figures_of_all_speeds_are_of_surely_known_ones():
  clips = [
    *(_clip(2.0**k, 2.0 ** (k + 1)) for k in range(-3, 3)),
    _clip(0.01, 8.0, label="pseudo"),
  ]
  figures = evaluate.all_speeds(clips)
  assert figures["clips"] == 6
  assert figures["pearson"][0] == pytest.approx(1.0)
  assert figures["factor_error"][0] == pytest.approx(2.0)
  assert figures["coverage"][0] == 1.0
  assert figures["by_speed"]["4"]["clips"] == 1
