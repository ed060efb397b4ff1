"""Real video whose speed never changes: every alarm on it is false."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from speedflow.data.schema import ShotRecord
from speedflow.detect import change_detector
from speedflow.evaluation import report

CATEGORIES = ("realtime", "highfps")
"""Films in slow motion may well change their speed."""

# Seconds from one flash to the next, on average.
_BETWEEN_FLASHES_S = 2.0


@dataclasses.dataclass(frozen=True)
class Watched:
  """One untouched video, and what a detector reported.

  Attributes:
    shot: id of the shot.
    group: scene group.
    minutes: of video.
    alarms: probability, time in seconds and ratio of each change reported.
  """

  shot: str
  group: str
  minutes: float
  alarms: tuple[tuple[float, float, float], ...]

  def count(self, threshold: float) -> int:
    """Alarms of at least this probability."""
    return sum(probability >= threshold for probability, *_ in self.alarms)


def watch(
  detector: change_detector.ChangeDetector,
  shots: Iterable[ShotRecord],
  *,
  eventful: bool,
) -> Iterator[Watched]:
  """Runs a detector over shots.

  Args:
    detector: the whole detector, cuts and repeated frames included.
    shots: of any kind; others than `CATEGORIES` are left out.
    eventful: whether each shot flashes now and then and is followed, after a
      cut, by the shot before it.
  """
  usable = (shot for shot in shots if shot.category in CATEGORIES)
  for before, shot in itertools.pairwise(itertools.chain([None], usable)):
    assert shot is not None  # For the type checker: only the first is None.
    images = _images(shot)
    if eventful:
      rng = np.random.default_rng([2, *shot.id.encode()])
      images = _flashing(images, float(shot.fps), rng)
      if before is not None:
        images += _images(before)
    found = detector.detect(images, shot.fps)
    yield Watched(
      shot.id,
      shot.scene_group,
      found.duration_s / 60,
      tuple((c.probability, c.time_s, c.ratio) for c in found.changes),
    )


def per_minute(
  watched: Sequence[Watched], threshold: float = 0.0
) -> tuple[float, float, float]:
  """False alarms per minute, with a 95 % interval by scene group."""
  counts = np.array([w.count(threshold) for w in watched])
  minutes = np.array([w.minutes for w in watched])

  def rate(index: np.ndarray) -> float:
    return float(counts[index].sum() / minutes[index].sum())

  groups = np.array([w.group for w in watched])
  return report.interval(rate, groups).to_json()


def _images(shot: ShotRecord) -> list[np.ndarray]:
  reduce = 2 if min(shot.height, shot.width) >= 192 else 1
  return [shot.image(i, reduce=reduce) for i in range(shot.num_frames)]


def _flashing(
  images: list[np.ndarray], fps: float, rng: np.random.Generator
) -> list[np.ndarray]:
  """Overexposes single frames."""
  lit = rng.random(len(images)) < 1 / (_BETWEEN_FLASHES_S * fps)
  return [
    np.clip(image * rng.uniform(1.5, 3.0) + 40, 0, 255).astype(np.uint8)
    if flash
    else image
    for image, flash in zip(images, lit, strict=True)
  ]
