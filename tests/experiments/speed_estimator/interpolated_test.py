"""Clips slowed by interpolation: how many frames, and whose grain."""

import itertools

import numpy as np
import pytest

from experiments.speed_estimator import interpolated
from speedflow.data import catalogue


class _Blend:
  """Stands in for the interpolator."""

  def between(self, first, second, time):
    mixed = (1 - time) * first.astype(float) + time * second
    return np.rint(mixed).astype(np.uint8)


def _grainy(strength, count=4):
  rng = np.random.default_rng(0)
  noise = rng.normal(0, strength, (count, 96, 128, 1))
  return list(np.clip(120 + noise, 0, 255).astype(np.uint8).repeat(3, -1))


@pytest.mark.parametrize("strength", [2.0, 6.0])
def test_grain_is_as_strong_as_it_is(strength):
  found = interpolated.grain(_grainy(strength)[0])
  assert found == pytest.approx(strength, rel=0.2)


def test_every_frame_has_grain_of_its_own():
  rng = np.random.default_rng(1)
  made = list(interpolated.slow(_grainy(5.0), 4, _Blend(), rng))
  assert len(made) == 13
  # In blends, it would be weaker between true frames and alike in neighbours.
  strengths = [frame.std() for frame in made]
  assert max(strengths) < 1.3 * min(strengths)
  assert np.mean(strengths) == pytest.approx(5, rel=0.25)
  likeness = [
    np.corrcoef(a[..., 0].ravel(), b[..., 0].ravel())[0, 1]
    for a, b in itertools.pairwise(made)
  ]
  assert np.mean(likeness) < 0.3


def _clip(name, **fields):
  usual = {"split": "train", "category": "realtime", "source": "a"}
  usual |= {"label": "assumed_realtime"}
  return catalogue.Clip(name=name, path=f"{name}.mp4", **(usual | fields))


def test_ordinary_training_clips_are_slowed_a_few_of_each_repository():
  clips = [_clip(f"a{number}") for number in range(9)]
  clips += [_clip("b", source="b"), _clip("test", split="test")]
  clips += [_clip("slow", category="highfps", label="known", speed=0.1)]
  plans = list(interpolated.plans(clips))
  sources = [plan.clip.source for plan in plans]
  assert (sources.count("a"), sources.count("b")) == (4, 1)
  # So that what is made of a part of the plans is of all repositories.
  assert "b" in sources[:2]
  assert {plan.clip.name for plan in plans}.isdisjoint({"test", "slow"})
  assert {plan.factor for plan in plans} <= set(interpolated.FACTORS)
  assert plans == list(interpolated.plans(clips[::-1]))
