"""A first pass over a whole video: cuts, repeats, and whether it is blurred."""

import dataclasses
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np

from speedflow import media
from speedflow.data import optical_flow, shots
from speedflow.timewarp import labels

# Of so many pairs of frames, those between which most moves, the blur of a
# shot is judged.
_PAIRS = 5
_CHANGE_SHORT_SIDE = 96
# Of what differs between two frames of a shot, motion explains most. On 110
# clips, no pair of frames of one shot is above both of these, and 19 of 20
# pairs of different clips are: grey levels, and share of the contrast.
_JUMP = 15.0
_JUMP_SHARE = 0.7


class Pair(NamedTuple):
  """Two consecutive frames of a shot, uint8 RGB [h, w, 3]."""

  first: np.ndarray
  second: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
  """What a video is made of.

  Attributes:
    info: what the file says about itself.
    times: presentation time of every frame, seconds, exact; of an even rate
      without the file's rounding.
    fps: frames per second, by the times.
    even: whether all intervals are the same.
    last_s: how long the file says the last frame is shown, seconds; 0: nothing.
    shot: int64 [n], number of the shot of every frame.
    true: bool [n], False where a frame only repeats the one before.
    exposure: for every shot, open-shutter time / frame interval.
    transparent: whether something in it is not opaque.
    damage: what ended the reading early; None if nothing did.
  """

  info: media.VideoInfo
  times: list[Fraction]
  fps: Fraction
  even: bool
  last_s: Fraction
  shot: np.ndarray
  true: np.ndarray
  exposure: list[float]
  transparent: bool
  damage: str | None

  @property
  def end(self) -> Fraction:
    """When the last frame has been shown, at least as long as others are."""
    return self.times[-1] + max(self.interval, self.last_s)

  @property
  def interval(self) -> Fraction:
    """Mean time from frame to frame, seconds."""
    if len(self.times) < 2:
      return 1 / self.fps
    return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def survey(
  path: str | os.PathLike[str],
  judge: Callable[[Sequence[Pair]], float],
  on_progress: Callable[[float], None] = lambda done: None,
) -> Survey:
  """Reads a video once, keeping a few bytes per frame.

  Frame times of a constant rate are set exactly evenly, whatever the file's
  rounding; those of a variable rate stay as they are.

  Args:
    path: the file.
    judge: estimates how long the shutter was open from the pairs of a shot
      between which most moves, as in `Survey.exposure`.
    on_progress: called now and then with the share that is done.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  times: list[Fraction] = []
  numbers: list[int] = []
  changes: list[float] = []
  exposure: list[float] = []
  has_alpha = media.probe(path).has_alpha
  with media.VideoReader(
    path, pixel_format="rgba" if has_alpha else "rgb24"
  ) as reader:
    expected = max(reader.info.frames, 1)
    opaque = _Opaque(reader)
    jumps = _Jumps()
    busiest = _Busiest()
    last = 0
    # Frames within a dissolve have others between them as any others do.
    for shot, (image, time) in shots.number_shots(
      opaque, reader.resumed, find_gradual=False
    ):
      change, jumped = jumps.next(image)
      if times:
        changes.append(change)
        if shot != last or jumped:
          exposure.append(judge(busiest.pairs))
          busiest = _Busiest()
      last = shot
      busiest.add(image, change)
      times.append(time)
      numbers.append(len(exposure))
      if not len(times) % 32:
        on_progress(min(len(times) / expected, 1.0))
    exposure.append(judge(busiest.pairs))
    info, damage = reader.info, reader.damage
  seconds = [float(time) for time in times]
  true = np.zeros(len(times), bool)
  true[labels.drop_duplicates(changes, seconds).indices] = True
  stored = info.timeline
  # By the frames that were read, which damage may have made fewer.
  seen = media.Timeline(tuple(times), stored.time_base, stored.declared)
  return Survey(
    info,
    list(seen.evened),
    seen.rate,
    seen.even,
    stored.last_s if times[-1] == stored.times[-1] else Fraction(0),
    np.array(numbers),
    true,
    exposure,
    opaque.not_all,
    damage,
  )


class _Opaque:
  """Frames without their transparency.

  Attributes:
    not_all: whether anything was transparent so far.
  """

  def __init__(self, frames: Iterator[media.Frame]):
    self.not_all = False
    self._frames = frames

  def __iter__(self) -> Iterator[media.Frame]:
    for image, time in self._frames:
      if image.shape[-1] == 4:
        self.not_all = self.not_all or bool((image[..., 3] < 255).any())
        image = np.ascontiguousarray(image[..., :3])
      yield media.Frame(image, time)


class _Jumps:
  """Compares each frame with the one before, much reduced."""

  def __init__(self) -> None:
    self._flow = optical_flow.FlowEstimator()
    self._before: np.ndarray | None = None

  def next(self, image: np.ndarray) -> tuple[float, bool]:
    """How much a frame has changed, and whether no motion explains it.

    So cuts are found, too, that lie too close together for a detector that
    looks at what changes all around.
    """
    # A flash jumps, too, on both sides, though `cuts` takes none for a cut: of
    # what is lit up, flow finds no motion, so nothing can be made up between it
    # and its neighbours. The scene that goes on is then two shots, which only
    # means that each is judged by its own frames.
    before, after = self._before, _small(image)
    self._before = after
    if before is None:
      return 0.0, False
    change = labels.frame_change(before, after)
    jumped = bool(
      cv2.absdiff(before, after).mean() > _JUMP
      and self._unexplained(before, after)
    )
    return change, jumped

  def _unexplained(self, before: np.ndarray, after: np.ndarray) -> bool:
    flow = self._flow.between(before, after)
    moved = optical_flow.warp(after, flow)
    rest = cv2.absdiff(before, moved).mean()
    contrast = np.abs(before - before.mean((0, 1))).mean()
    return rest > max(_JUMP, _JUMP_SHARE * contrast)


class _Busiest:
  """Those pairs of a shot between which most moves."""

  def __init__(self) -> None:
    self._last: np.ndarray | None = None
    self._count = 0
    self._held: list[tuple[float, int, Pair]] = []

  def add(self, image: np.ndarray, change: float) -> None:
    """Adds the next frame, which changed so much from the one before."""
    if self._last is not None:
      # The number decides between equals, since pictures cannot.
      entry = (change, self._count, Pair(self._last, image))
      keep = heapq.heappush if len(self._held) < _PAIRS else heapq.heappushpop
      keep(self._held, entry)
    self._last = image
    self._count += 1

  @property
  def pairs(self) -> list[Pair]:
    """The pairs, in no order."""
    return [pair for *_, pair in self._held]


def _small(image: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  scale = min(1.0, _CHANGE_SHORT_SIDE / min(height, width))
  size = (max(round(width * scale), 1), max(round(height * scale), 1))
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
