"""Where in a video slow motion may be: a sparse scan, then a dense one.

Mixed frequency, as in SlowFocus (Nie et al., NeurIPS 2024): a few frames from
a keyframe here and there of the whole video, and every frame only around those
samples that may be slow. Memory holds one piece at a small size, whatever the
length of the video.
"""

import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from speedflow import media
from speedflow.data import motion, schema, shots
from speedflow.estimate import belief
from speedflow.estimate import estimator as estimator_lib
from speedflow.mine import bars as bars_lib
from speedflow.mine import refusal
from speedflow.pictures import motion_maps

PERIOD_S = 4.0
"""Seconds from one sample of the sparse scan to the next, at least."""

SAMPLE_FRAMES = 12

# Pieces that seem faster than wanted by this factor are not scanned again.
_CLOSE = 1.5
# Log2 speeds of slow motion, and how far from 0 real time reaches.
_SLOWEST, _SLOW = -4.0, -1.0
_NEAR_REAL_TIME = 0.35
# A hole of so many periods between samples is scanned densely.
_LARGEST_HOLE = 3
# Samples that go through the network together.
_TOGETHER = 8

FindChanges = Callable[
  [Sequence[np.ndarray], float, motion_maps.MotionMaps], Sequence[float]
]
"""From frames, uint8 RGB [96, 128, 3], their rate, frames per second, and the
maps between them to the times at which speed changes, seconds after the first
frame."""


@dataclasses.dataclass(frozen=True)
class Glance:
  """The estimate of a sample.

  Attributes:
    time_s: of its first frame, seconds on the file's clock.
    log2_speed: its estimate; nan when nothing moves.
    spread: standard deviation, octaves; nan when nothing moves.
  """

  time_s: float
  log2_speed: float
  spread: float

  def may_be_slow(self, max_speed: float, doubt: float) -> bool:
    """Whether it is worth a dense scan.

    Args:
      max_speed: the fastest that is wanted.
      doubt: by how many standard deviations the estimate may be too fast.
    """
    if math.isnan(self.log2_speed):
      return False
    return self.log2_speed - doubt * self.spread <= math.log2(max_speed)


@dataclasses.dataclass(frozen=True)
class Span:
  """A part of a video; `end_s` may be infinite.

  Attributes:
    start_s: seconds on the file's clock.
    end_s: the same.
  """

  start_s: float
  end_s: float


@dataclasses.dataclass(frozen=True)
class Piece:
  """A stretch of one shot that plays at about one speed.

  Attributes:
    start_s: time of its first frame, seconds on the file's clock.
    end_s: when its last frame ends.
    fps: average frames per second of playback.
    speed: playback speed factor.
    speed_low: lower end of the 80 % interval.
    speed_high: its upper end.
    tells: whether the speed can be estimated from the picture at all.
    evidence: log-likelihood ratio, nats, of half speed and slower against real
      time; -inf where it is too fast by far.
    bars: about the picture of its shot; speed is that of what is between them.
  """

  start_s: float
  end_s: float
  fps: float
  speed: float
  speed_low: float
  speed_high: float
  tells: bool
  evidence: float = -math.inf
  bars: bars_lib.Bars = dataclasses.field(default_factory=bars_lib.Bars)

  @property
  def seconds(self) -> float:
    """Length, seconds of playback."""
    return self.end_s - self.start_s

  @property
  def capture_fps(self) -> float:
    """Frames per second of the world that would give this speed."""
    return self.fps / self.speed


def glances(
  path: str | os.PathLike[str],
  estimator: estimator_lib.SpeedEstimator,
  period_s: float = PERIOD_S,
  limit_s: float = math.inf,
  deadline_s: float = math.inf,
) -> Iterator[Glance]:
  """Estimates samples of a whole file, in order.

  Args:
    path: the file.
    estimator: of speed.
    period_s: least distance of samples, seconds.
    limit_s: samples after this much time are left out, seconds.
    deadline_s: when to give up, on the clock of `time.monotonic`.

  Raises:
    SpeedflowError: the file cannot be read, or not in time.
  """
  size = motion.FRAME_SIZE[::-1]
  samples = refusal.in_time(
    media.sample_keyframes(path, period_s, SAMPLE_FRAMES, size),
    path,
    deadline_s,
  )
  first: float | None = None
  while batch := list(itertools.islice(samples, _TOGETHER)):
    found = estimator.glance(
      [_without_bars(sample.images) for sample in batch],
      [sample.times for sample in batch],
    )
    for sample, answer in zip(batch, found, strict=True):
      time_s = float(sample.times[0])
      first = time_s if first is None else first
      if time_s - first > limit_s:
        return
      yield Glance(time_s, *(answer or (math.nan, math.nan)))


def _without_bars(gray: Sequence[np.ndarray]) -> list[np.ndarray]:
  if found := bars_lib.find(gray):
    return [found.scaled(image) for image in gray]
  return list(gray)


def worth_a_look(
  found: Sequence[Glance],
  max_speed: float,
  doubt: float,
  period_s: float = PERIOD_S,
) -> list[Span]:
  """The parts of a video that the dense scan goes through.

  They reach from the sample before each that may be slow to the one after it,
  for what is slow may begin and end anywhere between. Holes without samples
  belong to them, and so does a video with few samples.

  Args:
    found: in order of time.
    max_speed: the fastest speed that is wanted.
    doubt: as for `Glance.may_be_slow`.
    period_s: as for `glances`.

  Returns:
    Spans in order, apart from one another.
  """
  edges = [-math.inf, *(glance.time_s for glance in found), math.inf]
  wanted: list[Span] = []
  for number, glance in enumerate(found):
    before, here, after = edges[number : number + 3]
    if glance.may_be_slow(max_speed, doubt):
      wanted.append(Span(before, after))
    elif math.isfinite(after) and after - here > _LARGEST_HOLE * period_s:
      wanted.append(Span(here, after))
  if len(found) < _LARGEST_HOLE:
    wanted = [Span(-math.inf, math.inf)]
  joined: list[Span] = []
  for span in sorted(wanted, key=lambda span: span.start_s):
    if joined and span.start_s <= joined[-1].end_s:
      last = joined.pop()
      span = Span(last.start_s, max(last.end_s, span.end_s))
    joined.append(span)
  return joined


def pieces(
  path: str | os.PathLike[str],
  span: Span,
  estimator: estimator_lib.SpeedEstimator,
  max_speed: float,
  find_changes: FindChanges | None = None,
  deadline_s: float = math.inf,
  on_damage: Callable[[], None] | None = None,
) -> Iterator[Piece]:
  """Cuts a span at cuts and changes of speed, and estimates each piece.

  A piece is at most one record long.

  Args:
    path: the file.
    span: the part to scan.
    estimator: of speed.
    max_speed: the fastest that is wanted; evidence is weighed up to there.
    find_changes: finds where speed changes within a shot; None: where the
      estimates themselves say so.
    deadline_s: when to give up, on the clock of `time.monotonic`.
    on_damage: called if something of the span could not be read.

  Raises:
    SpeedflowError: the file cannot be read, or not in time.
  """
  start_s = span.start_s if math.isfinite(span.start_s) else None
  with media.VideoReader(
    path, size=motion.FRAME_SIZE[::-1], start_s=start_s
  ) as reader:
    rate = float(reader.info.fps)
    frames = itertools.takewhile(
      lambda f: f.time < span.end_s, refusal.in_time(reader, path, deadline_s)
    )
    numbered = shots.number_shots(frames, reader.resumed)
    for shot in _stretches(numbered):
      yield from _estimated(shot, rate, estimator, max_speed, find_changes)
    if reader.damage and on_damage:
      on_damage()


def _stretches(
  numbered: Iterator[shots.Numbered],
) -> Iterator[list[media.Frame]]:
  """Frames of one shot together, at most a record of them."""
  for _, members in itertools.groupby(numbered, key=lambda n: n.shot):
    shot = (member.frame for member in members)
    while stretch := list(itertools.islice(shot, schema.MAX_FRAMES)):
      yield stretch


def _estimated(
  shot: Sequence[media.Frame],
  rate: float,
  estimator: estimator_lib.SpeedEstimator,
  max_speed: float,
  find_changes: FindChanges | None,
) -> Iterator[Piece]:
  start_s = float(shot[0].time)
  if len(shot) < 2:
    yield Piece(start_s, start_s + 1 / rate, rate, 1.0, 1.0, 1.0, False)
    return
  # Of a variable rate, the average here.
  fps = (len(shot) - 1) / float(shot[-1].time - shot[0].time)
  images = [frame.image for frame in shot]
  gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
  if bars := bars_lib.find(gray):
    images = [bars.scaled(image) for image in images]
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
  # All networks look at the same pairs of frames.
  maps = motion_maps.MotionMaps.in_memory()
  changes_s = find_changes(images, fps, maps) if find_changes else None
  answer = estimator.estimate(gray, fps, changes_s=changes_s, maps=maps)
  for segment in answer.segments:
    piece = Piece(
      start_s + segment.start_s,
      start_s + segment.end_s,
      fps,
      segment.speed,
      segment.speed_low,
      segment.speed_high,
      segment.tells,
      bars=bars,
    )
    if piece.tells and piece.speed <= _CLOSE * max_speed:
      first, end = (round(t * fps) for t in (segment.start_s, segment.end_s))
      piece = _weighed(
        piece, estimator.respeeded(gray[first:end], fps, maps, first)
      )
    yield piece


def _weighed(piece: Piece, seen: estimator_lib.Respeeded | None) -> Piece:
  """A piece with the better estimate and the evidence that it is slow."""
  if seen is None:
    return piece
  slow, real_time = (
    np.logaddexp.reduce(seen.log_likelihood[where])
    for where in (
      (_SLOWEST < belief.GRID) & (belief.GRID <= _SLOW),
      np.abs(belief.GRID) < _NEAR_REAL_TIME,
    )
  )
  return dataclasses.replace(
    piece,
    speed=seen.speed,
    speed_low=seen.speed_low,
    speed_high=seen.speed_high,
    evidence=float(slow - real_time),
  )
