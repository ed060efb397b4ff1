"""Scores of answers about whole files; every repository counts alike."""

import collections
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from experiments.speed_estimator import whole_files
from speedflow.evaluation import speed

LARGEST = 10
"""Of so many repositories the coverage is looked at one by one."""

_CHOICES = np.log2(whole_files.STRIDES)
_RESAMPLED = 1_000
# Seconds of playback at which short, middling and long files part.
_LENGTHS_S = (2.0, 5.0)
# Log2 speed: files at most so fast are slow motion.
_SLOW = -0.99


class Answer(NamedTuple):
  """What is answered about a file.

  Attributes:
    file: which.
    log2_speed: the estimate.
    half: half of its 80 % interval, octaves.
    told: whether it is not "uncertain".
  """

  file: whole_files.File
  log2_speed: float
  half: float
  told: bool

  @property
  def truth(self) -> float:
    """The true log2 speed."""
    return float(np.log2(self.file.speed))

  @property
  def error(self) -> float:
    """Octaves by which the estimate is too fast."""
    return self.log2_speed - self.truth


def scores(answers: Sequence[Answer]) -> dict[str, Any]:
  """All figures.

  Args:
    answers: about files, each by a network that has not seen its repository.

  Returns:
    "files" and "repositories"; each figure with the ends of its 95 % interval,
    resampling repositories; "coverage_of_largest".
  """
  real = [a for a in answers if a.file.category == "realtime"]
  slow = [a for a in answers if _is_slow(a) and a.file.label != "pseudo"]
  guessed = [a for a in answers if _is_slow(a) and a.file.label == "pseudo"]
  within = slopes(real)
  two = [a for a in real if a.truth < _CHOICES[1] + 0.5]
  figures: dict[str, tuple[float, ...]] = {
    "mae": _mean([(a.file.source, abs(a.error)) for a in real]),
    "mae_clipped": _mean(
      [
        (a.file.source, abs(np.clip(a.log2_speed, 0, 2) - a.truth))
        for a in real
      ]
    ),
    "accuracy_3way": _mean([(a.file.source, _right(a, 3)) for a in real]),
    "accuracy_1x_2x": _mean([(a.file.source, _right(a, 2)) for a in two]),
    "spearman": _ranking(real),
    "slope": _mean(within),
    **{
      f"bias_{stride}x": _mean(
        [(a.file.source, a.error) for a in real if a.file.stride == stride]
      )
      for stride in whole_files.STRIDES
    },
    "coverage": _mean([(a.file.source, _inside(a)) for a in real]),
    "coverage_slow": _mean([(a.file.source, _inside(a)) for a in slow]),
    "uncertain": _mean([(a.file.source, not a.told) for a in real]),
    "uncertain_slow": _mean([(a.file.source, not a.told) for a in slow]),
    "slow_octaves": _mean([(a.file.source, abs(a.error)) for a in slow]),
    "slow_bias": _mean([(a.file.source, a.error) for a in slow]),
    "guessed_slow_octaves": _mean(
      [(a.file.source, abs(a.error)) for a in guessed]
    ),
  }
  by_source = collections.Counter(a.file.source for a in real)
  return {
    "files": len(answers),
    "repositories": len({a.file.source for a in answers}),
    "realtime_files": len(real),
    "slow_files": len(slow),
    "figures": figures,
    "median_width": float(np.median([2 * a.half for a in real])),
    "coverage_by_length": _coverage_by(real, _LENGTHS_S),
    "coverage_of_largest": {
      name: float(np.mean([_inside(a) for a in real if a.file.source == name]))
      for name, _ in by_source.most_common(LARGEST)
    },
    "mae_of": _by_source([(a.file.source, abs(a.error)) for a in real]),
  }


def guide(answers: Sequence[Answer]) -> dict[str, float]:
  """The figures by which a scale is chosen: real-time clips alone."""
  real = [a for a in answers if a.file.category == "realtime"]
  values = {
    "mae": [(a.file.source, abs(a.error)) for a in real],
    "bias_1x": [(a.file.source, a.error) for a in real if a.file.stride == 1],
    "slope": slopes(real),
  }
  return {
    name: float(np.mean(list(_by_source(v).values())))
    for name, v in values.items()
  }


def slopes(answers: Sequence[Answer]) -> list[tuple[str, float]]:
  """Octaves read for each true octave within a clip: repository, slope."""
  clips = collections.defaultdict(list)
  for a in answers:
    clips[a.file.source, a.file.clip].append((a.truth, a.log2_speed))
  return [
    (
      source,
      float(np.polyfit([p[0] for p in points], [p[1] for p in points], 1)[0]),
    )
    for (source, _), points in clips.items()
    if len(points) > 1
  ]


def _coverage_by(
  answers: Sequence[Answer], limits: Sequence[float]
) -> list[dict[str, float]]:
  """Coverage of short, middling and long files."""
  parts = []
  for low, high in itertools.pairwise([0.0, *limits, np.inf]):
    chosen = [a for a in answers if low <= a.file.duration_s < high]
    covered = _mean([(a.file.source, _inside(a)) for a in chosen])
    parts.append({"from_s": low, "files": len(chosen), "coverage": covered[0]})
  return parts


def _is_slow(answer: Answer) -> bool:
  return answer.file.category != "realtime" and answer.truth <= _SLOW


def _inside(answer: Answer) -> bool:
  return abs(answer.error) <= answer.half


def _right(answer: Answer, choices: int) -> bool:
  chosen = speed.nearest(np.array([answer.log2_speed]), _CHOICES[:choices])
  return bool(abs(chosen[0] - answer.truth) < 0.5)


def _by_source(values: Sequence[tuple[str, float]]) -> dict[str, float]:
  """The mean of each repository."""
  collected = collections.defaultdict(list)
  for source, value in values:
    collected[source].append(value)
  return {s: round(float(np.mean(v)), 3) for s, v in collected.items()}


def _mean(values: Sequence[tuple[str, float]]) -> tuple[float, float, float]:
  """Mean over repositories of their means, with the ends of its interval."""
  if not values:
    return np.nan, np.nan, np.nan
  each = np.array(list(_by_source(values).values()))
  rng = np.random.default_rng(0)
  drawn = each[rng.integers(len(each), size=(_RESAMPLED, len(each)))].mean(1)
  low, high = np.percentile(drawn, [2.5, 97.5])
  return float(each.mean()), float(low), float(high)


def _ranking(answers: Sequence[Answer]) -> tuple[float, float, float]:
  """Spearman's correlation over all files, weighted."""
  sources = np.array([a.file.source for a in answers])
  estimate = np.array([a.log2_speed for a in answers])
  truth = np.array([a.truth for a in answers])
  members = [np.flatnonzero(sources == name) for name in np.unique(sources)]

  def weighted(chosen: Sequence[np.ndarray]) -> float:
    index = np.concatenate(chosen)
    weight = np.concatenate([np.full(len(m), 1 / len(m)) for m in chosen])
    ranks = [stats.rankdata(values[index]) for values in (estimate, truth)]
    covariance = np.cov(np.stack(ranks), aweights=weight)
    scale = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / scale) if scale else 0.0

  rng = np.random.default_rng(0)
  drawn = rng.integers(len(members), size=(200, len(members)))
  resampled = [weighted([members[i] for i in row]) for row in drawn]
  low, high = np.percentile(resampled, [2.5, 97.5])
  return weighted(members), float(low), float(high)
