"""The fixed protocol by which speed estimators are compared.

A window is a number of consecutive frames of one shot at one stride: every
n-th frame, played at the shot's own rate, plays n times as fast. Every system
sees the same windows. Windows start evenly spread over the shot; a shot too
short for a window of the wanted length is left out, so that the length of a
window never tells its speed.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.speed_estimator.dataset import ANCHORS
from speedflow.data.motion import MotionRecord
from speedflow.data.records import RecordSource
from speedflow.errors import SpeedflowError
from speedflow.estimate import belief
from speedflow.evaluation import report, speed
from speedflow.models import motion_net
from speedflow.timewarp import labels

REALTIME_STRIDES = (1, 2, 4)
"""The 3-way task on real-time clips; its first two are SpeedNet's task."""

WINDOWS_PER_SHOT = 3

_CHOICES = np.log2(REALTIME_STRIDES)


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
  """Windows to estimate, and what is known of them.

  Attributes:
    maps: float16 [n, t, 12, 16, 8].
    log2_speed: float64 [n], the truth.
    offset: float64 [n]: log2 speed = log2 step + offset, by the shot's fps.
    shot: [n], shot id and stride: windows of one shot at one speed share it.
    group: [n], scene group.
    category: [n].
    source: [n], repository.
  """

  maps: np.ndarray
  log2_speed: np.ndarray
  offset: np.ndarray
  shot: np.ndarray
  group: np.ndarray
  category: np.ndarray
  source: np.ndarray

  def __len__(self) -> int:
    return len(self.log2_speed)


def read_records(paths: Sequence[pathlib.Path]) -> Iterator[MotionRecord]:
  """Yields the records without augmentation (appearance 0) of some shards."""
  for encoded in RecordSource(paths):
    record = MotionRecord.decode(encoded)
    if not record.appearance:
      yield record


def windows(
  records: Iterable[MotionRecord],
  frames: int,
  *,
  strides: Sequence[int] = REALTIME_STRIDES,
  categories: Sequence[str] = ("realtime",),
  anchored: bool = True,
) -> Windows:
  """Cuts the windows of a split.

  Args:
    records: of the split, those without augmentation (appearance 0).
    frames: length of a window.
    strides: which of the records' strides.
    categories: which shots, by `ShotRecord.category`.
    anchored: only shots whose speed is known for sure; else all that have
      any.

  Raises:
    SpeedflowError: there is not one such window.
  """
  length = frames - 1
  rows = []
  for record in records:
    sure = record.label in ANCHORS or not anchored
    if not sure or not record.speed or record.category not in categories:
      continue
    base = np.log2(record.speed)
    for stride in strides:
      maps = record.maps.get(stride)
      if maps is None or len(maps) < length:
        continue
      starts = np.linspace(0, len(maps) - length, WINDOWS_PER_SHOT)
      for start in np.unique(starts.astype(int)):
        rows.append(
          (
            maps[start : start + length],
            base + np.log2(stride),
            labels.step_to_speed(0.0, record.fps),
            f"{record.id}@{stride}",
            record.scene_group,
            record.category,
            record.source,
          )
        )
  if not rows:
    raise SpeedflowError(
      f"no {' or '.join(categories)} shot of known speed is {frames} frames "
      "long; add longer videos to this split"
    )
  columns = list(zip(*rows, strict=True))
  return Windows(np.stack(columns[0]), *map(np.array, columns[1:]))


def predict(
  model: motion_net.MotionNet, maps: np.ndarray, batch_size: int = 64
) -> np.ndarray:
  """Distributions over the log2 step of windows of one length.

  Args:
    model: in evaluation mode.
    maps: float16 [n, t, 12, 16, 8].
    batch_size: windows at a time; the last batch is padded to it.

  Returns:
    float64 [n, bins].
  """
  length = jnp.full(batch_size, maps.shape[1])
  padding = -len(maps) % batch_size
  padded = np.pad(maps, [(0, padding)] + [(0, 0)] * 4)

  @nnx.jit
  def probability(model: motion_net.MotionNet, x: jax.Array) -> jax.Array:
    return jax.nn.softmax(model(x, length))

  parts = [
    probability(model, jnp.asarray(padded[i : i + batch_size]))
    for i in range(0, len(padded), batch_size)
  ]
  return np.concatenate(parts)[: len(maps)].astype(np.float64)


def label_frequency(
  batches: Iterable[dict[str, np.ndarray]], centres: np.ndarray
) -> np.ndarray:
  """How often each bin is the label in training, float64 [bins], sum 1.

  Smoothed by half an octave: labels come in few distinct values, but the
  network is taught with soft targets, and sees windows of any speed.

  Args:
    batches: of training, some hundreds.
    centres: log2 step of the bins, float [bins].
  """
  steps = np.concatenate([batch["log2_step"].ravel() for batch in batches])
  steps = steps[~np.isnan(steps)]
  kernel = np.exp(-0.5 * ((centres - steps[:, None]) / 0.5) ** 2)
  # Bins that were never a label keep a floor: nothing is divided by zero.
  frequency = kernel.sum(0) / kernel.sum() + 1e-2 / len(centres)
  return frequency / frequency.sum()


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
  """What a system says when it is told which speeds there are.

  Attributes:
    log2_speed: the estimate, float64 [n].
    of_three: the choice among 1x, 2x and 4x, as log2 speed, float64 [n].
    of_two: the choice between 1x and 2x.
  """

  log2_speed: np.ndarray
  of_three: np.ndarray
  of_two: np.ndarray


def answers_of_estimate(estimate: np.ndarray) -> Answers:
  """The answers of a system that gives one number, log2 speed, float [n]."""
  # Being told the choices, none would leave their range.
  clipped = np.clip(estimate, _CHOICES[0] - 0.5, _CHOICES[-1] + 0.5)
  return Answers(
    clipped,
    speed.nearest(estimate, _CHOICES),
    speed.nearest(estimate, _CHOICES[:2]),
  )


def answers_of_distribution(
  probability: np.ndarray,
  frequency: np.ndarray,
  centres: np.ndarray,
  data: Windows,
) -> Answers:
  """The answers of a system that gives a distribution over log2 step.

  The baselines learn from just these speeds; the prior is that knowledge.

  Args:
    probability: of `predict`.
    frequency: of `label_frequency`.
    centres: log2 step of the bins.
    data: the windows.
  """
  values = centres + data.offset[:, None]
  seen = belief.likelihood(probability, frequency)
  prior = belief.between(values, _CHOICES[0] - 0.5, _CHOICES[-1] + 0.5)
  mass = np.stack(
    [(seen * belief.between(values, c - 0.5, c + 0.5)).sum(1) for c in _CHOICES]
  )
  return Answers(
    belief.moments(seen, values, prior)[0],
    _CHOICES[mass.argmax(0)],
    _CHOICES[mass[:2].argmax(0)],
  )


def realtime_scores(
  answers: Answers, data: Windows, *, intervals: bool = True
) -> dict[str, tuple[float, ...]]:
  """Figures of the 1x / 2x / 4x task.

  Args:
    answers: one for each window.
    data: the windows.
    intervals: whether to resample scene groups for 95 % intervals.

  Returns:
    For each of "mae", "accuracy_3way", "spearman" and "accuracy_1x_2x" the
    figure, and the ends of its interval if wanted.
  """
  truth = data.log2_speed

  def one_or_two(index: np.ndarray) -> float:
    index = index[truth[index] < (_CHOICES[1] + _CHOICES[2]) / 2]
    return speed.accuracy(answers.of_two[index], truth[index])

  measures = {
    "mae": lambda i: speed.score(answers.log2_speed[i], truth[i]).mae,
    "accuracy_3way": lambda i: speed.accuracy(answers.of_three[i], truth[i]),
    "spearman": lambda i: speed.score(answers.log2_speed[i], truth[i]).spearman,
    "accuracy_1x_2x": one_or_two,
  }
  if intervals:
    return {
      name: report.interval(measure, data.group).to_json()
      for name, measure in measures.items()
    }
  everything = np.arange(len(data))
  return {name: (measure(everything),) for name, measure in measures.items()}
