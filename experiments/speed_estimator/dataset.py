"""Equivariant groups of motion windows from motion records.

Each example is one source at two speeds. Their ratio is exact whether or not
the speed of the source is known, so every video teaches (equivariance); those
of known speed also anchor the scale.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence
from typing import SupportsIndex

import grain
import ml_collections
import numpy as np

from experiments.speed_estimator import disturb
from speedflow.data import balance, motion, pipeline
from speedflow.data.records import RecordSource, split_shards
from speedflow.errors import SpeedflowError

# Speeds that another system guessed are not used as labels.
ANCHORS = ("known", "declared", "believed", "assumed_realtime")

CLIPS_PER_GROUP = 2

# What is made to be trained on: what its records hold, and what writes them.
_MADE = {
  "procedural": (
    "motion records of procedural scenes",
    "`speedflow data procedural` and `speedflow data motion` write them",
  ),
  "interpolated": (
    "motion records of interpolated slow motion",
    "`python -m experiments.speed_estimator.interpolated`, `speedflow data "
    "build` and `speedflow data motion` write them",
  ),
}


class BalancedSource:
  """Record source in which repositories count alike, or nearly so.

  Attributes:
    indices: int64 [n], which record each element is.
  """

  def __init__(
    self,
    records: RecordSource,
    power: float,
    leave_out: Sequence[str] = (),
    paired: bool = False,
  ):
    """Repeats the records of small repositories.

    Args:
      records: motion records.
      power: as of `balance.indices`.
      leave_out: repositories that are not seen at all.
      paired: whether an element is a pair: the record, and that of the same
        shot in its next appearance.

    Raises:
      SpeedflowError: nothing is left.
    """
    self._records = records
    heads = [
      (record.source, record.id, record.appearance)
      for record in map(motion.MotionRecord.decode, records)
    ]
    names = [name for name, _, _ in heads]
    self._next_look = _next_looks(heads) if paired else None
    kept = np.array([i for i, n in enumerate(names) if n not in leave_out])
    if not len(kept):
      raise SpeedflowError(
        f"{records!r}: every repository is left out; name fewer in "
        "config.data.leave_out"
      )
    self.indices = kept[balance.indices([names[i] for i in kept], power)]

  def __len__(self) -> int:
    return len(self.indices)

  def __getitem__(self, index: SupportsIndex, /) -> bytes | tuple[bytes, bytes]:
    number = int(self.indices[index])
    if self._next_look is None:
      return self._records[number]
    return self._records[number], self._records[self._next_look[number]]

  def __repr__(self) -> str:
    return f"BalancedSource({self._records!r})"


def _next_looks(heads: Sequence[tuple[str, str, int]]) -> dict[int, int]:
  """By record, that of the same shot in the next appearance, cyclically."""
  order = sorted(range(len(heads)), key=heads.__getitem__)
  shots = itertools.groupby(order, key=lambda number: heads[number][:2])
  appearances = [list(numbers) for _, numbers in shots]
  return {
    number: numbers[(i + 1) % len(numbers)]
    for numbers in appearances
    for i, number in enumerate(numbers)
  }


@dataclasses.dataclass(frozen=True)
class GroupSampler:
  """A transform: motion record -> arrays of one group.

  Attributes:
    maps: longest window, in maps (frames - 1).
    flow_scale: standard deviation in octaves of a common factor on the flow,
      as if zoomed.
    intensity_scale: the same for the channels in grey levels.
    cut: chance that a window is cut to a random shorter length.
    reverse: chance that time runs backwards.
    stride_weights: (longest stride, weight) pairs, rising: how often windows
      of strides up to the first, from there to the second, ... are drawn.
    disturb: chance of noise and keyframes, and half as often of lost small
      changes; see `disturb`.
    anchored: whether known speeds are used; without, only ratios teach.
    other_look: chance that the second clip of a group has another appearance
      than the first, where there is one.
  """

  maps: int
  flow_scale: float
  intensity_scale: float
  cut: float
  reverse: float
  stride_weights: tuple[tuple[int, float], ...]
  disturb: float
  anchored: bool
  other_look: float

  def __call__(
    self, encoded: bytes | tuple[bytes, bytes], rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws one group.

    Args:
      encoded: a `MotionRecord`; or two, of one shot in two appearances.
      rng: source of randomness.

    Returns:
      maps: float16 [2, t, 12, 16, 8], padded with zeros; length: int32 [2];
      log2_step: float32 [2], nan where unknown; log2_factor: float32 [2],
      the speed of each window relative to the source.
    """
    first, second = (
      (encoded, encoded) if isinstance(encoded, bytes) else encoded
    )
    record = motion.MotionRecord.decode(first)
    seen = [record.maps, record.maps]
    if second is not first and rng.random() < self.other_look:
      seen[1] = motion.MotionRecord.decode(second).maps
    strides = np.array([stride for stride in seen[0] if stride in seen[1]])
    limits, shares = zip(*self.stride_weights, strict=True)
    weights = np.array(shares)[np.searchsorted(limits, strides)]
    drawn = rng.choice(
      strides,
      CLIPS_PER_GROUP,
      replace=len(strides) < CLIPS_PER_GROUP,
      p=weights / weights.sum(),
    )
    zoom = 2.0 ** rng.normal(0.0, self.flow_scale)
    windows, lengths = [], []
    for maps, stride in zip(seen, drawn, strict=True):
      window = self._window(maps[int(stride)], rng)
      windows.append(self._dress(window, zoom, rng))
      lengths.append(len(window))
    group = np.zeros(
      (CLIPS_PER_GROUP, self.maps, *windows[0].shape[1:]), np.float16
    )
    for row, window in zip(group, windows, strict=True):
      row[: len(window)] = window
    factor = np.log2(drawn).astype(np.float32)
    known = self.anchored and record.label in ANCHORS
    anchor = record.log2_step if known else np.nan
    return {
      "maps": group,
      "length": np.array(lengths, np.int32),
      "log2_step": (anchor + factor).astype(np.float32),
      "log2_factor": factor,
    }

  def _window(self, maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    length = min(self.maps, len(maps))
    if rng.random() < self.cut:
      length = int(rng.integers(motion.MIN_MAPS, length, endpoint=True))
    start = int(rng.integers(0, len(maps) - length, endpoint=True))
    return maps[start : start + length]

  def _dress(
    self, maps: np.ndarray, zoom: float, rng: np.random.Generator
  ) -> np.ndarray:
    """Changes what has nothing to do with speed."""
    maps = maps.astype(np.float32)
    maps[..., :4] *= zoom
    maps[..., 4:7] *= 2.0 ** rng.normal(0.0, self.intensity_scale)
    maps[..., 7] *= 2.0 ** rng.normal(0.0, self.intensity_scale)
    if rng.random() < self.disturb / 2:
      maps = disturb.drop_small_changes(maps, rng)
    if rng.random() < self.disturb:
      maps = disturb.add_noise(maps, rng)
    maps = motion.flip(maps, rng)
    if rng.random() < self.reverse:
      maps = maps[::-1]
      maps[..., :2] *= -1
    return maps


def made_shards(
  data: ml_collections.ConfigDict,
) -> dict[str, list[pathlib.Path]]:
  """The records to train on beside filmed ones.

  Args:
    data: the `data` part of the experiment's config.

  Returns:
    By kind, "procedural" or "interpolated", where there is a share of it.

  Raises:
    SpeedflowError: there are none of a kind.
  """
  return {
    kind: split_shards(pathlib.Path(data[kind]), "train", content, remedy)
    for kind, (content, remedy) in _MADE.items()
    if data[f"{kind}_share"]
  }


def training_batches(
  data: ml_collections.ConfigDict,
  paths: Sequence[pathlib.Path],
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches of groups.

  Args:
    data: the `data` part of the experiment's config.
    paths: shards of motion records.
    batch_size: groups per batch, of this process.
    seed: of order and randomness.
    process_index: this process.
    process_count: number of processes.
  """
  sampler = pipeline.configured(GroupSampler, data)

  def balanced(shards: Sequence[pathlib.Path]) -> BalancedSource:
    return BalancedSource(
      RecordSource(shards),
      data.balance,
      tuple(data.leave_out),
      paired=data.other_look > 0,
    )

  sources: list[pipeline.Source] = [balanced(paths)]
  made = made_shards(data)
  for kind, shards in made.items():
    # What is interpolated of a repository is left out with it.
    own = balanced if kind == "interpolated" else RecordSource
    sources.append(own(shards))
  shares = [data[f"{kind}_share"] for kind in made]
  weights = [1.0 - sum(shares), *shares]
  return pipeline.batches(
    pipeline.mix(sources, weights, seed=seed) if made else sources[0],
    [sampler],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
  )
