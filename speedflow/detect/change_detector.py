"""From a video to the times at which its speed changes, by its picture alone.

Shot by shot, motion maps go through the network in long overlapping pieces,
so that every moment is judged with all that the network can see around it.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from speedflow import media
from speedflow.data import motion, shots
from speedflow.detect import network, weights
from speedflow.detect.peaks import peaks
from speedflow.evaluation.speed import Z80
from speedflow.pictures import ahead, memory_frames, motion_maps
from speedflow.pictures import shots as picture
from speedflow.timewarp import labels

NEAR = 3
"""Moments, in frames, on either side of a change that are as good as it."""

# Frames that are looked at together; a longer shot goes in pieces.
_PIECE = 512
# Frames are left out of a denser video, down to this many a second: from
# frame to frame little would move.
_POINTS_PER_S = 30.0
# Moments so near to the ends of a shot, in frames, have too little to compare.
_EDGE = 5
# Changes nearer to each other than this, in seconds, are one.
_APART_S = 0.4
# Grey levels: below this, the fastest places of the picture hardly change.
_STILL = 1.0
# What cannot be judged.
_NEVER = -20.0


@dataclasses.dataclass(frozen=True)
class PictureChange:
  """A time at which the speed changes within a shot.

  Attributes:
    time_s: presentation time of the first frame that plays differently,
      seconds on the file's clock.
    ratio: speed after / speed before; 2.0: it goes on twice as fast.
    ratio_low: lower end of the 80 % interval of the ratio.
    ratio_high: its upper end.
    probability: that there is a change.
  """

  time_s: float
  ratio: float
  ratio_low: float
  ratio_high: float
  probability: float


@dataclasses.dataclass(frozen=True, eq=False)
class PictureChanges:
  """What the picture of a video says.

  Attributes:
    changes: in order of time.
    time_s: float64 [n], presentation times of all frames, on the file's clock.
    probability: float64 [n], that the speed changes at that frame.
    cuts_s: times of the first frames of all shots but the first.
    duration_s: from the first frame's time to the end of the last frame.
  """

  changes: tuple[PictureChange, ...]
  time_s: np.ndarray
  probability: np.ndarray
  cuts_s: tuple[float, ...]
  duration_s: float


@dataclasses.dataclass(frozen=True)
class Calibration:
  """What was measured of a network once it was trained.

  Attributes:
    scale: of the log of the sum of exp(logit) over some moments, to make it the
      log odds that there is a change in them.
    shift: added to that.
    alarm: probability from which on a change is reported.
    width: half width of an 80 % interval of the log2 ratio, in predicted
      spreads.
  """

  scale: float = 1.0
  shift: float = 0.0
  alarm: float = 0.5
  width: float = Z80


class Moments(NamedTuple):
  """What is seen at each of n frames of a shot; float64 [n] each.

  Attributes:
    log_odds: that the speed changes there, or hardly beside it.
    log2_ratio: of the speed after to the speed before it.
    spread: standard deviation of `log2_ratio`, octaves.
  """

  log_odds: np.ndarray
  log2_ratio: np.ndarray
  spread: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
  """What the network is shown of consecutive frames of a shot.

  Attributes:
    times_s: float64 [n], presentation times of all frames, on the file's clock.
    chosen: int64 [k], numbers of the frames that are compared.
    maps: float16 [k - 1, 12, 16, 8], motion between them; none at all where
      they are too few.
    first: the first frame that is answered for: those before it are context.
    end: the frame after the last one that is answered for.
    begins_shot: whether the shot begins here.
    ends_shot: whether it ends here.
  """

  times_s: np.ndarray
  chosen: np.ndarray
  maps: np.ndarray
  first: int
  end: int
  begins_shot: bool
  ends_shot: bool


class ChangeDetector:
  """Finds where the speed of videos changes."""

  def __init__(
    self, judge: network.Judge, calibration: Calibration | None = None
  ):
    """Wraps a trained network.

    Args:
      judge: the network: `network.of_model` or `network.of_weights`.
      calibration: of its answers.
    """
    self._calibration = calibration or Calibration()
    self._reach = judge.reach + NEAR
    self._program = judge.program

  def detect(
    self,
    source: str
    | os.PathLike[str]
    | picture.Picture
    | np.ndarray
    | Sequence[np.ndarray],
    fps: float | Fraction | None = None,
    on_progress: Callable[[float], None] | None = None,
    maps: motion_maps.MotionMaps | None = None,
  ) -> PictureChanges:
    """Finds the changes of one video, reading it once.

    Args:
      source: a file, or what is already decoded of it; or frames, uint8
        [t, h, w, 3] or [t, h, w].
      fps: frames per second at which frames are played; 30 if not given. A
        file says it by itself.
      on_progress: called now and then with the share that is done, 0..1.
      maps: between these frames in memory, where others look at them as well.

    Returns:
      The answer; without changes when nothing moves, or each shot is short.

    Raises:
      SpeedflowError: the file cannot be read, or these are no frames.
    """
    advance = on_progress or (lambda done: None)
    if isinstance(source, str | os.PathLike):
      source = picture.Picture(source)
    if isinstance(source, picture.Picture):
      found = self._detect(
        source.frames(), source.maps, source.info.duration_s, advance
      )
    else:
      frames = memory_frames.as_frames(source, fps, motion.to_flow_size)
      found = self._detect(
        picture.small_frames(frames),
        maps or motion_maps.MotionMaps(),
        0.0,
        advance,
      )
    advance(1.0)
    return found

  def judge(
    self,
    maps: np.ndarray,
    times_s: np.ndarray,
    *,
    begins_shot: bool = True,
    ends_shot: bool = True,
  ) -> Moments:
    """Judges the frames of one shot, or of a part of it.

    Whoever has the maps already, as the speed estimator does, asks here.

    Args:
      maps: float16 [n - 1, 12, 16, 8], motion between n consecutive frames,
        none of them a repeat of the one before; n at most 513.
      times_s: float64 [n], their presentation times.
      begins_shot: whether the shot begins with the first frame.
      ends_shot: whether it ends with the last one.
    """
    intervals = np.log2(np.diff(times_s))
    padded = next(size for size in network.LENGTHS if size >= len(maps))
    padding = padded - len(maps)
    log2_interval = np.pad(intervals - np.median(intervals), (0, padding))
    found = self._program(padded)(
      np.pad(maps, [(0, padding)] + [(0, 0)] * 3)[None],
      log2_interval[None].astype(np.float32),
      np.array([len(maps)], np.int32),
    )
    # Row i is about the frame that begins map i; the last frame begins none.
    logit, log2_ratio, spread = (
      np.append(np.asarray(x)[0, : len(maps)], 0.0).astype(np.float64)
      for x in found
    )
    logit[~_moving(maps)] = logit[-1] = _NEVER
    if begins_shot:
      logit[:_EDGE] = _NEVER
    if ends_shot:
      logit[-_EDGE:] = _NEVER
    return Moments(self._log_odds(logit), log2_ratio, spread)

  def _log_odds(self, logit: np.ndarray) -> np.ndarray:
    """Log odds that the speed changes about a frame, float64 [n].

    Against no change at all, whose logit is 0. Other moments do not compete:
    what may be a change twice within a second is not half as likely.
    """
    about = pooled(logit, NEAR)
    odds = self._calibration.scale * about + self._calibration.shift
    return np.clip(odds, _NEVER, -_NEVER)

  def look(self, video: picture.Picture) -> list[Look]:
    """What the network is shown of a video, for `of_looks`.

    Raises:
      SpeedflowError: the file cannot be decoded.
    """
    pieces = _pieces(video.frames(), self._reach)
    return [_look(video.maps, piece) for piece in pieces]

  def of_looks(self, looks: Iterable[Look]) -> PictureChanges:
    """Finds the changes in what was looked at, as `detect` does.

    Args:
      looks: of one video, at least one.
    """
    return self._joined((look, self._judge_look(look)) for look in looks)

  def _detect(
    self,
    frames: Iterable[shots.Numbered],
    maps: motion_maps.MotionMaps,
    expected_s: float,
    on_progress: Callable[[float], None],
  ) -> PictureChanges:
    def judged() -> Iterator[tuple[Look, Moments]]:
      begin_s = None
      for _, answer in ahead.results(
        functools.partial(self._judge_piece, maps), _pieces(frames, self._reach)
      ):
        yield answer
        times_s = answer[0].times_s
        begin_s = times_s[0] if begin_s is None else begin_s
        if expected_s:
          done = float(times_s[answer[0].end - 1] - begin_s) / expected_s
          on_progress(min(done, 0.99))

    return self._joined(judged())

  def _joined(self, judged: Iterable[tuple[Look, Moments]]) -> PictureChanges:
    """The answer about a video of those about its pieces."""
    time_s: list[np.ndarray] = []
    moments: list[Moments] = []
    cuts_s: list[float] = []
    for look, seen in judged:
      keep = slice(look.first, look.end)
      if look.begins_shot and time_s:
        cuts_s.append(float(look.times_s[0]))
      time_s.append(look.times_s[keep])
      moments.append(Moments(*(x[keep] for x in seen)))
    times = np.concatenate(time_s)
    found = Moments(*(np.concatenate(x) for x in zip(*moments, strict=True)))
    usual_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return PictureChanges(
      changes=tuple(self._changes(times, found)),
      time_s=times,
      probability=_probability(found.log_odds),
      cuts_s=tuple(cuts_s),
      duration_s=float(times[-1] - times[0]) + usual_s,
    )

  def _judge_piece(
    self, maps: motion_maps.MotionMaps, piece: "_Piece"
  ) -> tuple[Look, Moments]:
    look = _look(maps, piece)
    return look, self._judge_look(look)

  def _judge_look(self, look: Look) -> Moments:
    """Judges all frames of a piece; repeats, by their neighbours."""
    if not len(look.maps):
      count = len(look.times_s)
      return Moments(np.full(count, _NEVER), np.zeros(count), np.ones(count))
    times_s = look.times_s[look.chosen]
    seen = self.judge(
      look.maps,
      times_s,
      begins_shot=look.begins_shot,
      ends_shot=look.ends_shot,
    )
    return Moments(*(np.interp(look.times_s, times_s, x) for x in seen))

  def _changes(
    self, times_s: np.ndarray, found: Moments
  ) -> Iterator[PictureChange]:
    """The peaks of the probability."""
    probability = _probability(found.log_odds)
    usual_s = max(float(np.median(np.diff(times_s, append=np.inf))), 1e-3)
    tops = peaks(
      # Plateaus of certainty have their middle, where the odds are highest.
      np.pad(found.log_odds, 1, constant_values=_NEVER),
      least=np.log(self._calibration.alarm / (1 - self._calibration.alarm)),
      apart=max(1, round(_APART_S / usual_s)),
    )
    for peak in tops - 1:
      near = np.abs(times_s - times_s[peak]) <= _APART_S / 3
      weight = probability * near
      log2_ratio = float((weight * found.log2_ratio).sum() / weight.sum())
      half = self._calibration.width * float(found.spread[peak])
      yield PictureChange(
        time_s=float(times_s[peak]),
        ratio=2.0**log2_ratio,
        ratio_low=2.0 ** (log2_ratio - half),
        ratio_high=2.0 ** (log2_ratio + half),
        probability=float(probability[peak]),
      )


def pooled(logit: np.ndarray, reach: int) -> np.ndarray:
  """Log of the sum of exp(logit) within so many moments on either side.

  Args:
    logit: float64 [..., t].
    reach: moments on either side; fewer near the ends.

  Returns:
    float64 [..., t].
  """
  before = np.cumsum(np.exp(logit), axis=-1)
  before = np.concatenate([np.zeros((*logit.shape[:-1], 1)), before], axis=-1)
  moment = np.arange(logit.shape[-1])
  first = np.maximum(moment - reach, 0)
  end = np.minimum(moment + reach + 1, len(moment))
  total = before[..., end] - before[..., first]
  # Differences of sums keep no more digits than this.
  return np.log(np.maximum(total, np.exp(_NEVER)))


def load_change_detector(name: str = "tiny") -> ChangeDetector:
  """Loads shipped weights.

  Args:
    name: of the weights, or the path of a file that `speedflow eval --export`
      wrote.

  Raises:
    SpeedflowError: there are no such weights.
  """
  extra = weights.CHANGE.header(name)["extra"]
  calibration = Calibration(**extra.get("calibration", {}))
  return ChangeDetector(network.of_weights(name), calibration)


def _probability(log_odds: np.ndarray) -> np.ndarray:
  return 1 / (1 + np.exp(-log_odds))


def _moving(maps: np.ndarray) -> np.ndarray:
  """Whether anything moves about each frame, bool [n]; maps [n - 1, ...]."""
  change = maps[..., motion.CHANNELS.index("change_mean")]
  cells = np.sort(change.reshape(len(maps), -1).astype(np.float32), axis=1)
  fastest = cells[:, -4:].mean(1)
  # On one side it may be all but still: there the video was slowed.
  around = np.pad(fastest, (_EDGE, _EDGE - 1), mode="edge")
  about = np.convolve(around, np.ones(2 * _EDGE) / (2 * _EDGE), "valid")
  return np.append(about, about[-1]) > _STILL


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
  """Consecutive frames of a shot, some of which the next piece has, too.

  Attributes:
    frames: grey, uint8 [96, 128] each.
    first: the first frame that this piece answers for.
    end: the frame after the last one that it answers for.
    begins_shot: whether the shot begins here.
    ends_shot: whether it ends here.
  """

  frames: list[media.Frame]
  first: int
  end: int
  begins_shot: bool
  ends_shot: bool

  @functools.cached_property
  def times_s(self) -> np.ndarray:
    """Presentation times, float64 [n], on the file's clock."""
    return np.array([float(frame.time) for frame in self.frames])


def _look(maps: motion_maps.MotionMaps, piece: _Piece) -> Look:
  """Chooses the frames to compare, and compares them."""
  images = [frame.image for frame in piece.frames]
  chosen = np.arange(len(images))
  if len(images) > 1:
    kept = labels.true_frames(images, piece.times_s)
    chosen = kept.indices[:: max(1, int(kept.fps / _POINTS_PER_S + 0.05))]
  if len(chosen) < 2 * _EDGE:
    seen = np.zeros((0, *motion.MAP_SIZE, len(motion.CHANNELS)), np.float16)
  else:
    seen = maps.along([piece.frames[i] for i in chosen])
  return Look(
    piece.times_s,
    chosen,
    seen,
    piece.first,
    piece.end,
    piece.begins_shot,
    piece.ends_shot,
  )


def _pieces(numbered: Iterable[shots.Numbered], reach: int) -> Iterator[_Piece]:
  """Cuts shots into pieces that overlap by twice the network's reach."""
  for _, shot in itertools.groupby(numbered, key=lambda item: item.shot):
    frames: list[media.Frame] = []
    begins = True
    for _, frame in shot:
      if len(frames) == _PIECE:
        first = 0 if begins else reach
        yield _Piece(frames, first, _PIECE - reach, begins, False)
        frames = frames[-2 * reach :]
        begins = False
      frames.append(frame)
    yield _Piece(frames, 0 if begins else reach, len(frames), begins, True)
