"""Clips at any speed from shots, with some of their frames known.

What a video model learns speed and time from: the first frame is known, and
the rest is to be made (generation); or the last as well; or every eighth, sharp
or blurred by a long exposure (super-resolution); or the first few (going on).
No frame is shown twice: speeds are whole numbers of frames of the shot, and
slow ones come from high-speed footage.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np

from speedflow.data.schema import ShotRecord
from speedflow.timewarp import labels, resample

Task = Literal["first", "ends", "every", "blurred", "before"]
"""Which frames are known; see the module."""

TASKS: tuple[Task, ...] = get_args(Task)

EVERY = 8
"""From known frame to known frame, where every n-th is."""

# Labels of shots whose speed is known well enough to learn from.
_SURE = frozenset({"known", "declared", "believed", "assumed_realtime"})
# Frames that may be known before what is made: one more than this times n.
_CHUNK = 4
_MOST_CHUNKS = 2
# Open-shutter time of blurred frames, in intervals between known ones.
_EXPOSURES = (0.2, 1.0)
# Share of clips whose speed changes.
_RAMPS = 0.3


class Clip(NamedTuple):
  """A clip, and what is known of it.

  Attributes:
    task: which frames are known.
    truth: uint8 [t, h, w, 3].
    shown: uint8 [t, h, w, 3], as far as it is known; elsewhere of no meaning.
    exposure: open-shutter time / interval of the known frames; 0: sharp.
    known: bool [t].
    log2_step: float [t], log2 of the speed if 30 frames played in a second, to
      each frame from the one before; the first is like the second.
  """

  task: Task
  truth: np.ndarray
  shown: np.ndarray
  exposure: float
  known: np.ndarray
  log2_step: np.ndarray


@dataclasses.dataclass(frozen=True)
class Drawing:
  """What clips are drawn.

  Attributes:
    frames: 1 more than a multiple of 8, so that every 8th can be known.
    height: pixels.
    width: pixels.
    tasks: of which each clip gets one, all alike often.
    slowest: log2 step.
    fastest: log2 step.
    mirror: whether every second clip has left and right exchanged. What is
      said of a clip, writing in it, and what always goes one way become wrong.
  """

  frames: int
  height: int
  width: int
  tasks: Sequence[Task] = TASKS
  slowest: float = -7.0
  fastest: float = 4.0
  mirror: bool = False

  def draw(self, shot: ShotRecord, rng: np.random.Generator) -> Clip | None:
    """Draws a clip of a shot.

    Args:
      shot: of known speed.
      rng: source of randomness.

    Returns:
      The clip; None where the shot is too short, or its speed unknown.
    """
    if shot.label not in _SURE or not shot.speed > 0:
      return None
    if shot.num_frames < self.frames:
      return None
    small = [shot.image(k, gray=True, reduce=8) for k in range(shot.num_frames)]
    kept = labels.true_frames(small, shot.times_s())
    # Of one source frame to the next.
    own = float(labels.speed_to_step(np.log2(shot.speed), kept.fps))
    jumps = self._jumps(len(kept.indices), own, rng)
    if jumps is None:
      return None
    places = np.concatenate([[0], np.cumsum(jumps)])
    start = int(rng.integers(len(kept.indices) - places[-1]))
    task = self.tasks[int(rng.integers(len(self.tasks)))]
    known = self._known(task, rng)
    places += start
    cut = _Cut.draw(shot, self.height, self.width, rng, self.mirror)

    def picture(number: int) -> np.ndarray:
      return cut.of(shot.image(int(kept.indices[number])))

    truth = np.stack([picture(place) for place in places])
    exposure, shown = 0.0, truth
    if task == "blurred":
      exposure = float(rng.uniform(*_EXPOSURES))
      shown = truth.copy()
      for frame in np.flatnonzero(known):
        width = exposure * _interval(places, int(frame))
        # The light of a source frame is that until the next.
        middle = float(places[frame]) + 0.5
        shown[frame] = _exposed(picture, middle, width, len(kept.indices))
    log2_step = own + np.log2(jumps)
    return Clip(
      task,
      truth,
      shown,
      exposure,
      known,
      np.concatenate([log2_step[:1], log2_step]).astype(np.float32),
    )

  def _jumps(
    self, available: int, own: float, rng: np.random.Generator
  ) -> np.ndarray | None:
    """Source frames from each frame to the next, int [frames - 1]."""
    count = self.frames - 1
    most = (available - 1) / count
    low = max(0.0, self.slowest - own)
    high = min(np.log2(most) if most >= 1 else -1.0, self.fastest - own)
    if high < low:
      return None
    if rng.random() < _RAMPS:
      points = rng.uniform(low, high, 3)
      middle = rng.uniform(0.3, 0.7)
      wanted = np.interp(np.linspace(0, 1, count), [0.0, middle, 1.0], points)
    else:
      wanted = np.full(count, rng.uniform(low, high))
    # Whole numbers, none of which rounds beyond what there is.
    return np.floor(np.exp2(wanted) + 1e-6).astype(int)

  def _known(self, task: Task, rng: np.random.Generator) -> np.ndarray:
    numbers = np.arange(self.frames)
    if task == "before":
      chunks = int(rng.integers(1, _MOST_CHUNKS, endpoint=True))
      return numbers <= chunks * _CHUNK
    if task in ("every", "blurred"):
      return numbers % EVERY == 0
    known = numbers == 0
    if task == "ends":
      known |= numbers == self.frames - 1
    return known


def _interval(places: np.ndarray, frame: int) -> int:
  """Source frames from a known frame to the next; of the last, before it."""
  if frame + EVERY < len(places):
    return int(places[frame + EVERY] - places[frame])
  return int(places[frame] - places[frame - EVERY])


def _exposed(
  picture: Callable[[int], np.ndarray], middle: float, width: float, count: int
) -> np.ndarray:
  """What a shutter sees, as far as there are source frames."""
  opens = min(max(middle - width / 2, 0.0), count - 1.0)
  closes = min(middle + width / 2, float(count))
  plan = resample.ClipPlan(opens, max(closes - opens, 1.0), 1, exposure=1.0)
  return resample.render_clip(picture, plan)[0]


@dataclasses.dataclass(frozen=True)
class _Cut:
  """A part of the picture of the wanted shape, as large as it can be."""

  top: int
  left: int
  high: int
  wide: int
  size: tuple[int, int]
  mirrored: bool

  @classmethod
  def draw(
    cls,
    shot: ShotRecord,
    height: int,
    width: int,
    rng: np.random.Generator,
    mirror: bool,
  ) -> "_Cut":
    scale = min(shot.height / height, shot.width / width)
    high = min(round(height * scale), shot.height)
    wide = min(round(width * scale), shot.width)
    return cls(
      int(rng.integers(shot.height - high, endpoint=True)),
      int(rng.integers(shot.width - wide, endpoint=True)),
      high,
      wide,
      (width, height),
      bool(rng.integers(2)) and mirror,
    )

  def of(self, image: np.ndarray) -> np.ndarray:
    part = image[
      self.top : self.top + self.high, self.left : self.left + self.wide
    ]
    if (self.wide, self.high) != self.size:
      smaller = self.wide > self.size[0]
      kind = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
      part = cv2.resize(part, self.size, interpolation=kind)
    return part[:, ::-1] if self.mirrored else part
