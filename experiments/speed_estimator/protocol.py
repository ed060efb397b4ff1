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
from speedflow.evaluation import speed
from speedflow.models import motion_net
from speedflow.timewarp import labels

REALTIME_STRIDES = (1, 2, 4)
"""The 3-way task on real-time clips; its first two are SpeedNet's task."""

WINDOWS_PER_SHOT = 3


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
  """

  maps: np.ndarray
  log2_speed: np.ndarray
  offset: np.ndarray
  shot: np.ndarray
  group: np.ndarray
  category: np.ndarray

  def __len__(self) -> int:
    return len(self.log2_speed)


def shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
  """Finds the motion records of a split.

  Raises:
    SpeedflowError: there are none.
  """
  found = sorted(folder.glob(f"*-{split}.tfrecord-?????-of-?????"))
  if not found:
    raise SpeedflowError(
      f"{folder}: no motion records of the split {split!r}; `make records` "
      "writes them"
    )
  return found


def read_records(paths: Sequence[pathlib.Path]) -> Iterator[MotionRecord]:
  """Yields the undressed records (look 0) of some shards."""
  for encoded in RecordSource(paths):
    record = MotionRecord.decode(encoded)
    if not record.look:
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
    records: of the split, undressed ones (look 0).
    frames: length of a window.
    strides: which of the records' strides.
    categories: which shots, by `ShotRecord.category`.
    anchored: only shots whose speed is known for sure; else all that have
      any.
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
          )
        )
  columns = list(zip(*rows, strict=True))
  return Windows(np.stack(columns[0]), *map(np.array, columns[1:]))


def predict(
  model: motion_net.MotionNet, maps: np.ndarray, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and predicted spread of the log2 step of windows of one length.

  Args:
    model: in evaluation mode.
    maps: float16 [n, t, 12, 16, 8].
    batch_size: windows at a time; the last batch is padded to it.

  Returns:
    Two float64 [n].
  """
  length = jnp.full(batch_size, maps.shape[1])
  padding = -len(maps) % batch_size
  padded = np.pad(maps, [(0, padding)] + [(0, 0)] * 4)

  @nnx.jit
  def moments(model: motion_net.MotionNet, x: jax.Array):
    return motion_net.moments(model(x, length), model.config.centres)

  parts = [
    np.asarray(
      moments(model, jnp.asarray(padded[i : i + batch_size])), np.float64
    )
    for i in range(0, len(padded), batch_size)
  ]
  mean, spread = np.concatenate(parts, axis=1)[:, : len(maps)]
  return mean, spread


def realtime_scores(
  estimate: np.ndarray, data: Windows, *, intervals: bool = True
) -> dict[str, tuple[float, ...]]:
  """Figures of the 1x / 2x / 4x task.

  Args:
    estimate: log2 speed, float [n].
    data: the windows.
    intervals: whether to resample scene groups for 95 % intervals.

  Returns:
    For each of "mae", "accuracy_3way", "spearman" and "accuracy_1x_2x" the
    figure, and the ends of its interval if wanted.
  """
  choices = np.log2(REALTIME_STRIDES)
  truth = data.log2_speed
  # A system that is told the three choices would not leave their range.
  estimate = np.clip(estimate, choices[0] - 0.5, choices[-1] + 0.5)

  def one_or_two(index: np.ndarray) -> float:
    index = index[truth[index] < (choices[1] + choices[2]) / 2]
    return speed.nearest_speed_accuracy(
      estimate[index], truth[index], choices[:2]
    )

  measures = {
    "mae": lambda i: speed.score(estimate[i], truth[i]).mae,
    "accuracy_3way": lambda i: speed.nearest_speed_accuracy(
      estimate[i], truth[i], choices
    ),
    "spearman": lambda i: speed.score(estimate[i], truth[i]).spearman,
    "accuracy_1x_2x": one_or_two,
  }
  everything = np.arange(len(data))
  return {
    name: (
      measure(everything),
      *(speed.bootstrap(measure, data.group) if intervals else ()),
    )
    for name, measure in measures.items()
  }
