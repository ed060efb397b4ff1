"""Windows that change their speed, and windows that something else happens to.

Every record gives several windows, half of them with a change. Cuts, flashes,
frames that are missing or shown twice, and a rate that changes while the speed
does not, happen to both kinds and are no changes.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence

import grain
import ml_collections
import numpy as np

from experiments.speed_change import plans
from experiments.speed_change.pairs import MAX_SPEED, PairRecord
from experiments.speed_estimator import disturb
from experiments.speed_estimator.dataset import BalancedSource
from speedflow.data import motion, pipeline
from speedflow.data.records import RecordSource

# Frames beside a change are changes, too; one more on either side is neither.
_NEAR, _UNSURE = 2, 4
# Near the ends there is too little to compare.
_EDGE = 3
# Pixels per frame of the fastest tenth of the picture: else it hardly moves.
_LIVELY = 0.3
# A window is drawn again so often at most.
_ATTEMPTS = 4
_FLOW = slice(0, 4)
_INTENSITY = slice(4, 7)
_TEXTURE = slice(7, 8)


@dataclasses.dataclass(eq=False)
class Window:
  """A window being made.

  Attributes:
    maps: float32 [t, 12, 16, 8].
    log2_interval: float32 [t]: log2 of how long each pair of frames plays.
    target: float32 [t]: 1 where the speed changes.
    weight: float32 [t]: 0 where that cannot be said.
    log2_ratio: of the change; 0: none.
  """

  maps: np.ndarray
  log2_interval: np.ndarray
  target: np.ndarray
  weight: np.ndarray
  log2_ratio: float = 0.0

  def __len__(self) -> int:
    return len(self.maps)


@dataclasses.dataclass(frozen=True)
class WindowSampler:
  """A transform: pair record -> arrays of some windows.

  Attributes:
    maps: longest window.
    windows: of each record.
    flow_scale: standard deviation in octaves of a factor on the flow of a
      window, as if zoomed.
    intensity_scale: the same for the channels in grey levels.
    noise: largest standard deviation of noise on the flow, pixels.
    events: chance of each kind of event that is no change.
    held: chance that a change is made by showing frames longer.
    often_fast: whether most steady windows play fast, see `plans.sample`.
    busy: chance that a steady window is where the motion changes most.
    lively: chance that a window in which hardly anything moves, from which
      little is to be learnt, is drawn again.
    disturb: chance that a window gets a camera's noise and a codec's jolts.
  """

  maps: int
  windows: int
  flow_scale: float
  intensity_scale: float
  noise: float
  events: float
  held: float
  often_fast: bool
  busy: float
  lively: float
  disturb: float

  def __call__(
    self, encoded: bytes, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws windows.

    Args:
      encoded: a `PairRecord`.
      rng: source of randomness.

    Returns:
      maps: float16 [n, t, 12, 16, 8], padded with zeros; log2_interval,
      target, weight: float32 [n, t]; length: int32 [n]; log2_ratio: float32
      [n], 0 where nothing changes.
    """
    record = PairRecord.decode(encoded)
    drawn = [
      self._dress(self._draw(record, bool(number % 2), rng), rng)
      for number in range(self.windows)
    ]
    shape = (self.windows, self.maps)
    batch = {
      "maps": np.zeros((*shape, *drawn[0].maps.shape[1:]), np.float16),
      **{
        name: np.zeros(shape, np.float32)
        for name in ("log2_interval", "target", "weight")
      },
    }
    for row, window in enumerate(drawn):
      for name, values in batch.items():
        values[row, : len(window)] = getattr(window, name)
    batch["length"] = np.array([len(w) for w in drawn], np.int32)
    batch["log2_ratio"] = np.array([w.log2_ratio for w in drawn], np.float32)
    return batch

  def _draw(
    self, record: PairRecord, changes: bool, rng: np.random.Generator
  ) -> Window:
    held = changes and rng.random() < self.held
    for _ in range(_ATTEMPTS):
      plan = plans.sample(
        rng,
        record.num_frames,
        self.maps,
        changes=changes and not held,
        often_fast=self.often_fast,
      )
      if plan is None or rng.random() > self.lively:
        break
      # As it was filmed, so that no speed is preferred.
      first, last = plan.clip.frame_span
      if fastest(record.maps[1][first:last]) > _LIVELY:
        break
    if plan is None:  # Too short for two speeds.
      return steady(record.maps[1][: self.maps])
    if not changes and rng.random() < self.busy:
      plan = self._busiest(record, plan, rng)
    window = play(record, plan)
    if held:
      return hold(window, rng)
    if rng.random() < self.events:
      flash(window, record, rng)
    if rng.random() < self.events:
      skip(window, record, plan, rng)
    if rng.random() < self.events:
      stutter(window, rng)
    if not changes and rng.random() < 2 * self.events:
      return cut(window, record, rng)
    return window

  def _busiest(
    self, record: PairRecord, plan: plans.ChangePlan, rng: np.random.Generator
  ) -> plans.ChangePlan:
    """Moves a steady window to where the pace changes most."""
    room = record.num_frames - 2 - plan.clip.frame_span[1]
    room += plan.clip.frame_span[0]
    pace = np.log2(record.maps[1][..., 2].astype(np.float32).mean((1, 2)) + 0.1)
    span = plan.clip.frame_span[1] - plan.clip.frame_span[0]
    starts = rng.integers(0, max(room, 0) + 1, 6)
    jumps = []
    for start in starts:
      middle = pace[start : start + span + 1]
      half = len(middle) // 2
      jumps.append(abs(middle[:half].mean() - middle[half:].mean()))
    start = float(starts[int(np.argmax(jumps))])
    return dataclasses.replace(
      plan, clip=dataclasses.replace(plan.clip, start=start)
    )

  def _dress(self, window: Window, rng: np.random.Generator) -> Window:
    """Changes what has nothing to do with speed."""
    maps = window.maps
    if rng.random() < self.disturb:
      maps = disturb.add_noise(maps, rng)
      if rng.integers(2):
        maps = disturb.drop_small_changes(maps, rng)
    maps[..., _FLOW] *= 2.0 ** rng.normal(0.0, self.flow_scale)
    maps[..., _INTENSITY] *= 2.0 ** rng.normal(0.0, self.intensity_scale)
    maps[..., _TEXTURE] *= 2.0 ** rng.normal(0.0, self.intensity_scale)
    noise = rng.uniform(0, self.noise) * rng.integers(2)
    maps[..., :2] += rng.normal(0, noise, (*maps.shape[:3], 2))
    window.maps = motion.flip(maps, rng)
    if rng.random() < 0.5:
      reverse(window)
    return window


def fastest(maps: np.ndarray) -> float:
  """Mean size of the flow of the fastest tenth of the cells, pixels.

  Args:
    maps: [t, 12, 16, 8].
  """
  size = maps[..., motion.CHANNELS.index("flow_rms")].astype(np.float32).mean(0)
  return float(np.sort(size, axis=None)[-size.size // 10 :].mean())


def steady(maps: np.ndarray) -> Window:
  """A window without a change."""
  length = len(maps)
  weight = np.ones(length, np.float32)
  weight[:_EDGE] = weight[length - _EDGE + 1 :] = 0
  return Window(
    maps.astype(np.float32),
    np.zeros(length, np.float32),
    np.zeros(length, np.float32),
    weight,
  )


def play(record: PairRecord, plan: plans.ChangePlan) -> Window:
  """Looks up the maps of a plan, and marks its change."""
  frames = plan.clip.indices
  strides = np.diff(frames)
  window = steady(
    np.stack(
      [
        record.maps[int(s)][f]
        for f, s in zip(frames[:-1], strides, strict=True)
      ]
    )
  )
  if plan.change:
    _mark(window, plan.change, plan.ramp, plan.log2_ratio)
  return window


def _mark(window: Window, change: int, ramp: int, log2_ratio: float) -> None:
  distance = np.abs(np.arange(len(window)) - change)
  window.weight[distance <= max(_UNSURE, ramp / 2 + 2)] = 0
  inside = distance <= max(_NEAR, ramp / 4)
  window.weight[inside] = window.target[inside] = 1
  window.log2_ratio = log2_ratio


def hold(window: Window, rng: np.random.Generator) -> Window:
  """Shows the frames of one side longer: that side is slow."""
  length = len(window)
  change = int(rng.integers(length // 4, length - length // 4))
  log2_ratio = float(rng.uniform(0.32, 2.0))
  if rng.integers(2):
    window.log2_interval[:change] += log2_ratio
    _mark(window, change, 0, log2_ratio)
  else:
    window.log2_interval[change:] += log2_ratio
    _mark(window, change, 0, -log2_ratio)
  window.log2_interval -= np.median(window.log2_interval)
  return window


def flash(window: Window, record: PairRecord, rng: np.random.Generator) -> None:
  """Overexposes one frame."""
  index = int(rng.integers(1, len(window) - 1))
  window.maps[index - 1 : index + 1] = rng.choice(record.flashes)


def skip(
  window: Window,
  record: PairRecord,
  plan: plans.ChangePlan,
  rng: np.random.Generator,
) -> None:
  """Leaves out frames, as a busy camera does: time stamps tell."""
  frames = plan.clip.indices
  # Now and then, or regularly from somewhere on.
  missing = rng.random(len(window)) < rng.uniform(0.02, 0.3)
  if rng.integers(2):
    missing[:] = False
    missing[int(rng.integers(len(window))) :: 2] = True
  kept = np.flatnonzero(~missing)
  rows = []
  for first, last in itertools.pairwise(kept):
    stride = int(frames[last] - frames[first])
    if stride > MAX_SPEED:
      return
    rows.append((record.maps[stride][frames[first]], last - first, first))
  if len(rows) < plans.MIN_MAPS:
    return
  maps, intervals, firsts = zip(*rows, strict=True)
  window.maps = np.stack(maps).astype(np.float32)
  log2_interval = np.log2(np.array(intervals, np.float32))
  window.log2_interval = log2_interval - np.median(log2_interval)
  index = np.array(firsts)
  window.target, window.weight = window.target[index], window.weight[index]


def stutter(window: Window, rng: np.random.Generator) -> None:
  """Repeats a frame that nobody noticed: no motion, then twice as much."""
  index = int(rng.integers(1, len(window) - 1))
  window.maps[index, ..., _FLOW] *= 2
  window.maps[index - 1, ..., _FLOW] *= 0.05
  window.maps[index - 1, ..., _INTENSITY] *= 0.2


def cut(window: Window, record: PairRecord, rng: np.random.Generator) -> Window:
  """Goes on with another scene: the shot mirrored, from elsewhere, zoomed."""
  length = len(window)
  index = int(rng.integers(3, length - 3))
  maps = window.maps
  maps[index] = rng.choice(record.cuts)
  rest = length - index - 1
  start = int(rng.integers(0, len(record.maps[1]) - rest + 1))
  other = record.maps[1][start : start + rest, :, ::-1].astype(np.float32)
  other[..., _FLOW] *= 2.0 ** rng.normal(0, 1)
  other[..., 0] *= -1
  maps[index + 1 :] = other
  return window


def reverse(window: Window) -> None:
  """Plays a window backwards."""
  window.maps = window.maps[::-1]
  window.maps[..., :2] *= -1
  window.log2_interval = window.log2_interval[::-1]
  window.log2_ratio *= -1
  # Frame i of n + 1 becomes frame n - i; frame 0 begins no pair but the first.
  for name in ("target", "weight"):
    values = getattr(window, name)
    setattr(window, name, np.concatenate([[0.0], values[:0:-1]]))


def training_batches(
  data: ml_collections.ConfigDict,
  paths: Sequence[pathlib.Path],
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches of windows.

  Args:
    data: the `data` part of the experiment's config.
    paths: shards of pair records.
    batch_size: records per batch, of this process.
    seed: of order and randomness.
    process_index: this process.
    process_count: number of processes.
  """
  sampler = pipeline.configured(WindowSampler, data.sampler, maps=data.maps)
  return pipeline.batches(
    BalancedSource(RecordSource(paths), data.balance, tuple(data.leave_out)),
    [sampler],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
  )
