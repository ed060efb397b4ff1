"""From a video to its speed over time.

Shot by shot, motion maps go through the network in overlapping windows: every
frame, and every second, fourth and eighth, which brings slow shots towards the
speeds that the network has seen most of. All that they say is put together.
Iterative inference (Seeing Fast and Slow, arXiv 2604.21931, speed estimation)
keeps the last of such looks only, and was worse.
"""

import bisect
import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from fractions import Fraction
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx

from speedflow import media
from speedflow.data import motion, shots
from speedflow.estimate import belief, telling, weights
from speedflow.estimate.answer import WIDEST, Estimate, Segment, SpeedCurve
from speedflow.evaluation.speed import Z80
from speedflow.models import motion_net
from speedflow.pictures import memory_frames
from speedflow.pictures import shots as picture
from speedflow.timewarp import labels

WINDOW = 47
"""Maps in a window; a shorter one is padded."""

HOP = 24
"""Maps from one window to the next."""

STRIDES = (1, 2, 4, 8)
"""Every shot is looked at frame by frame, and at each n-th frame."""

# Frames that are looked at together; a longer shot goes in pieces.
_PIECE = 512
# Windows through the network at a time; one shape, compiled once.
_BATCH = 8
# Longer videos are sampled: of four stretches of so many frames, one is seen.
_DENSE_S = 120.0
_SAMPLED_FRAMES = 96
_LEFT_OUT = 3
# What is answered when nothing is known, and the interval of all that occurs.
_PRIOR = (0.0, -5.0, 4.0)
# How much of the frequency of labels is taken out of the answers of the
# network; by the errors on repositories that training has not seen.
_FREQUENCY_POWER = 0.5
# A stretch between speed changes is worth at least so many octaves squared.
_CHANGE_PENALTY = 1.0


@dataclasses.dataclass(frozen=True)
class Calibration:
  """What was measured of a network once it was trained.

  The widths make 80 % intervals of spreads, and come from validation clips.

  Attributes:
    window: half width of a window's interval, in predicted standard
      deviations.
    file: the same for the summary of a file.
    label_frequency: of each bin of log2 step in training; empty: all alike.
  """

  window: float = Z80
  file: float = Z80
  label_frequency: tuple[float, ...] = ()

  def frequency(self, bins: int) -> np.ndarray:
    """`label_frequency` for so many bins, float64 [bins]."""
    return np.array(self.label_frequency or np.ones(bins))


@dataclasses.dataclass(frozen=True)
class WindowEstimate:
  """What one window says.

  Attributes:
    start_s: time of its first frame, seconds of playback.
    end_s: time of its last frame.
    log2_speed: the estimate.
    spread: its predicted standard deviation, octaves.
    rounds: estimates of log2 speed with the first of `STRIDES`, the first two,
      and so on.
  """

  start_s: float
  end_s: float
  log2_speed: float
  spread: float
  rounds: tuple[float, ...] = ()


class _Look(NamedTuple):
  """Windows of a shot at one stride.

  Attributes:
    start_s: times of their first frames, seconds of playback, float [n].
    end_s: times of their last frames.
    likelihood: at `belief.GRID`, float [n, 121].
  """

  start_s: np.ndarray
  end_s: np.ndarray
  likelihood: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Respeeded:
  """What a shot says, seen at several speeds.

  Attributes:
    log_likelihood: at each of `belief.GRID`, up to a constant, float64 [121].
    speed: the estimate.
    speed_low: lower end of its 80 % interval.
    speed_high: upper end.
  """

  log_likelihood: np.ndarray
  speed: float
  speed_low: float
  speed_high: float


class SpeedEstimator:
  """Estimates how fast videos play."""

  def __init__(
    self, model: motion_net.MotionNet, calibration: Calibration | None = None
  ):
    """Wraps a trained network.

    Args:
      model: the network, in evaluation mode.
      calibration: of its intervals.
    """
    self._calibration = calibration or Calibration()
    self._centres = np.asarray(model.config.centres, np.float64)
    self._label_frequency = self._calibration.frequency(len(self._centres))
    graph, state = nnx.split(model)

    @jax.jit
    def predict(state, maps, length):
      return jax.nn.softmax(nnx.merge(graph, state)(maps, length))

    self._predict = functools.partial(predict, state)

  def estimate(
    self,
    source: str
    | os.PathLike[str]
    | picture.Picture
    | np.ndarray
    | Sequence[np.ndarray],
    fps: float | Fraction | None = None,
    on_progress: Callable[[float], None] | None = None,
    changes_s: Sequence[float] | None = None,
  ) -> Estimate:
    """Estimates one video.

    Args:
      source: a file, or what is already decoded of it; or frames, uint8
        [t, h, w, 3] or [t, h, w].
      fps: frames per second at which frames are played; 30 if not given. A
        file says it by itself.
      on_progress: called now and then with the share that is done, 0..1.
      changes_s: when the speed changes, where that is known: increasing
        presentation times of frames, seconds on the file's clock (of frames in
        memory: after the first). Segments lie between them, and nothing is
        looked at across them. By default they are found from the estimates.

    Returns:
      The answer. Its status is "uncertain" when the picture does not tell.

    Raises:
      SpeedflowError: the file cannot be read, or these are no frames.
    """
    if isinstance(source, str | os.PathLike):
      source = picture.Picture(source)
    if isinstance(source, picture.Picture):
      return self._estimate_file(
        source, on_progress or (lambda done: None), changes_s
      )
    rate = memory_frames.frame_rate(fps)
    frames: list[media.Frame] = []
    if len(source):
      frames += memory_frames.as_frames(source, fps, motion.to_flow_size)
    timed = _Timed(picture.small_frames(frames))
    found = self._windows(timed, True, changes_s or ())
    duration_s = len(frames) / float(rate)
    return self._summarise("", found, duration_s, float(rate), changes_s)

  def glance(
    self,
    clips: Sequence[Sequence[np.ndarray]],
    times: Sequence[Sequence[float | Fraction]],
  ) -> list[tuple[float, float] | None]:
    """A quick look at short clips together, in one round.

    Args:
      clips: consecutive frames without a cut, uint8 [96, 128] each; at most
        `WINDOW` + 1 of them are looked at.
      times: of the frames, seconds, increasing.

    Returns:
      For each clip log2 speed and its standard deviation, octaves; None where
      nothing tells the speed or there are too few frames.
    """
    mapper = motion.MotionMapper()
    maps, to_speed, numbers = [], [], []
    for number, (images, stamps) in enumerate(zip(clips, times, strict=True)):
      kept = labels.true_frames(images, [float(time) for time in stamps])
      chosen = kept.indices[: WINDOW + 1]
      if len(chosen) <= motion.MIN_MAPS:
        continue
      found = mapper.along([images[i] for i in chosen])
      if telling.tells_speed(found):
        maps.append(found)
        to_speed.append(float(labels.step_to_speed(0.0, kept.fps)))
        numbers.append(number)
    answers: list[tuple[float, float] | None] = [None] * len(clips)
    likelihood = self.likelihood(maps)
    for number, shift, seen in zip(numbers, to_speed, likelihood, strict=True):
      values = self._centres + shift
      mean, spread = belief.moments(seen, values, belief.everyday(values))
      answers[number] = float(mean), float(spread)
    return answers

  def respeeded(
    self, images: Sequence[np.ndarray], fps: float
  ) -> Respeeded | None:
    """What a shot says of its speed, seen at several speeds.

    Every frame, every second, fourth and eighth say the same of the world, but
    the network errs differently on each.

    Args:
      images: consecutive frames without a cut, uint8 [96, 128] each.
      fps: frames per second at which they are played.

    Returns:
      The answer; None where nothing tells.
    """
    looks = self._looks(images, np.arange(len(images)) / fps)
    if not looks:
      return None
    seen = belief.together([look.likelihood for look in looks])
    prior = belief.everyday(belief.GRID)
    mean, spread = belief.moments(np.exp(seen), belief.GRID, prior)
    half = self._calibration.file * spread
    speeds = (2.0 ** float(x) for x in (mean, mean - half, mean + half))
    return Respeeded(seen, *speeds)

  def _estimate_file(
    self,
    video: picture.Picture,
    on_progress: Callable[[float], None],
    changes_s: Sequence[float] | None,
  ) -> Estimate:
    expected_s = video.info.duration_s
    frames = _Timed(_reporting(video.frames(), expected_s, on_progress))
    found = self._windows(frames, expected_s <= _DENSE_S, changes_s or ())
    fps = float(video.info.fps)
    on_progress(1.0)
    duration_s = float(frames.last - frames.first) + 1 / fps
    if changes_s is not None:
      changes_s = [time_s - float(frames.first) for time_s in changes_s]
    file = os.fspath(video.path)
    return self._summarise(file, found, duration_s, fps, changes_s)

  def _windows(
    self, timed: "_Timed", dense: bool, changes_s: Sequence[float]
  ) -> list[WindowEstimate]:
    """All windows in order."""
    found: list[WindowEstimate] = []
    pending: list[futures.Future[list[WindowEstimate]]] = []
    # Decoding goes on while the flow of earlier pieces is computed.
    with futures.ThreadPoolExecutor(max_workers=2) as pool:
      for piece in _pieces(timed, dense, changes_s):
        times = np.array([float(frame.time - timed.first) for frame in piece])
        images = [frame.image for frame in piece]
        pending.append(pool.submit(self._estimate_piece, images, times))
        while len(pending) > 3:
          found.extend(pending.pop(0).result())
      for job in pending:
        found.extend(job.result())
    return found

  def _estimate_piece(
    self, images: Sequence[np.ndarray], times: np.ndarray
  ) -> list[WindowEstimate]:
    """Windows of consecutive frames without a cut.

    What a window says is put together with what the windows nearest to it say
    at larger strides.
    """
    looks = self._looks(images, times)
    if not looks:
      return []
    finest = looks[0]
    middles = (finest.start_s + finest.end_s) / 2
    nearest = [
      look.likelihood[
        np.abs(middles[:, None] - (look.start_s + look.end_s) / 2).argmin(1)
      ]
      for look in looks
    ]
    prior = belief.everyday(belief.GRID)
    found = []
    for number in range(len(middles)):
      seen = [likelihood[number][None] for likelihood in nearest]
      logs = [belief.together(seen[: n + 1]) for n in range(len(seen))]
      means, spreads = belief.moments(np.exp(logs), belief.GRID, prior)
      found.append(
        WindowEstimate(
          start_s=float(finest.start_s[number]),
          end_s=float(finest.end_s[number]),
          log2_speed=float(means[-1]),
          spread=float(spreads[-1]),
          rounds=tuple(float(mean) for mean in means),
        )
      )
    return found

  def _looks(
    self, images: Sequence[np.ndarray], times: np.ndarray
  ) -> list[_Look]:
    """Consecutive frames without a cut, at each of `STRIDES` that tells."""
    if telling.drawn(images):
      return []
    kept = labels.true_frames(images, times)
    images = [images[i] for i in kept.indices]
    times = times[kept.indices]
    mapper = motion.MotionMapper()
    looks = []
    for stride in STRIDES:
      if len(images[::stride]) <= motion.MIN_MAPS:
        break
      maps = mapper.along(images[::stride])
      windows = {
        start: maps[start : start + WINDOW]
        for start in window_starts(len(maps))
      }
      starts = [s for s, w in windows.items() if telling.tells_speed(w)]
      if not starts:
        if any(map(telling.moves, windows.values())):
          # A drifting pattern, aliased, would tell something at last.
          break
        continue
      seen = self.likelihood([windows[start] for start in starts])
      to_speed = labels.step_to_speed(-np.log2(stride), kept.fps)
      ends = np.minimum(np.array(starts) + WINDOW, len(maps))
      looks.append(
        _Look(
          start_s=times[::stride][starts],
          end_s=times[::stride][ends],
          likelihood=belief.on_grid(seen, self._centres + to_speed),
        )
      )
    return looks

  def likelihood(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """What windows say of the step from frame to frame, each for itself.

    Args:
      windows: motion maps, float16 [t <= `WINDOW`, 12, 16, 8] each.

    Returns:
      Likelihoods of the network's bins of log2 step, float64 [n, bins], up to
      a factor for each row.
    """
    return belief.likelihood(
      self._probability(windows), self._label_frequency, _FREQUENCY_POWER
    )

  def _probability(self, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Distributions over log2 step [n, bins] of [<= WINDOW, 12, 16, 8]."""
    found = [np.zeros((0, len(self._centres)))]
    for first in range(0, len(windows), _BATCH):
      part = windows[first : first + _BATCH]
      maps = np.zeros((_BATCH, WINDOW, *part[0].shape[1:]), np.float16)
      length = np.ones(_BATCH, np.int32)
      for row, window in enumerate(part):
        maps[row, : len(window)] = window
        length[row] = len(window)
      found.append(np.asarray(self._predict(maps, length))[: len(part)])
    return np.concatenate(found)

  def _summarise(
    self,
    file: str,
    windows: list[WindowEstimate],
    duration_s: float,
    fps: float,
    changes_s: Sequence[float] | None,
  ) -> Estimate:
    """Makes one answer of all windows; times are after the first frame."""
    answer = Estimate(file, "ok", duration_s=duration_s, fps=fps)
    if not windows:
      short = duration_s * fps <= motion.MIN_MAPS + 1
      reason = (
        f"it is too short, {duration_s:.2g} s; at least {motion.MIN_MAPS + 2} "
        "frames without a cut are wanted"
        if short
        else "nothing moves in it as filmed things do, it is drawn, or each "
        "shot is too short"
      )
      return _unknown(answer, reason, duration_s)
    values = np.array([w.log2_speed for w in windows])
    spreads = np.array([w.spread for w in windows])
    middles = np.array([(w.start_s + w.end_s) / 2 for w in windows])
    half = self._calibration.window * spreads
    curve = SpeedCurve(
      middles,
      np.exp2(values),
      np.exp2(values - half),
      np.exp2(values + half),
    )
    if changes_s is None:
      bounds = _change_points(values, spreads)
      edges = [(middles[b - 1] + middles[b]) / 2 for b in bounds[1:-1]]
    else:
      bounds = [0, *np.searchsorted(middles, changes_s), len(windows)]
      edges = list(changes_s)
    segments = []
    for (start_s, end_s), (first, end) in zip(
      itertools.pairwise([0.0, *edges, duration_s]),
      itertools.pairwise(bounds),
      strict=True,
    ):
      numbers = _prior()
      if first < end:
        numbers = self._pool(values[first:end], spreads[first:end])
      segments.append(Segment(float(start_s), float(end_s), *numbers))
    speed, low, high = self._pool(values, spreads)
    if np.log2(high / low) > WIDEST:
      reason = "what moves in it could be of any pace"
      answer = dataclasses.replace(answer, status="uncertain", reason=reason)
    longest = max(len(w.rounds) for w in windows)
    rounds = [
      np.median([w.rounds[min(k, len(w.rounds) - 1)] for w in windows])
      for k in range(longest)
    ]
    return dataclasses.replace(
      answer,
      speed=speed,
      speed_low=low,
      speed_high=high,
      segments=tuple(segments),
      curve=curve,
      rounds=tuple(float(2.0**r) for r in rounds),
    )

  def _pool(
    self, values: np.ndarray, spreads: np.ndarray
  ) -> tuple[float, float, float]:
    """Speed and interval of windows that go together.

    Windows of one scene err alike, so the interval does not shrink with
    their number.
    """
    share = 1 / spreads**2
    middle = float((values * share).sum() / share.sum())
    spread = float(np.sqrt(np.mean(spreads**2)))
    half = self._calibration.file * spread
    return 2.0**middle, 2.0 ** (middle - half), 2.0 ** (middle + half)


def load_estimator(name: str = "tiny") -> SpeedEstimator:
  """Loads shipped weights.

  Args:
    name: of the weights, or the path of a file that `speedflow eval --export`
      wrote.

  Raises:
    SpeedflowError: there are no such weights.
  """
  model, extra = weights.SPEED.load(name)
  return SpeedEstimator(model, Calibration(**extra.get("calibration", {})))


def _prior() -> tuple[float, float, float]:
  """Speed and interval of what shows nothing of its speed."""
  speed, low, high = (2.0**x for x in _PRIOR)
  return speed, low, high


def _unknown(answer: Estimate, reason: str, duration_s: float) -> Estimate:
  speed, low, high = _prior()
  return dataclasses.replace(
    answer,
    status="uncertain",
    reason=reason,
    speed=speed,
    speed_low=low,
    speed_high=high,
    segments=(Segment(0.0, duration_s, speed, low, high),),
    curve=SpeedCurve(
      np.array([duration_s / 2]),
      np.array([speed]),
      np.array([low]),
      np.array([high]),
    ),
  )


class _Timed:
  """Passes frames on, and knows the times of the first and the last."""

  def __init__(self, frames: Iterable[shots.Numbered]):
    self._frames = frames
    self.first = self.last = Fraction(0)

  def __iter__(self) -> Iterator[shots.Numbered]:
    for number, numbered in enumerate(self._frames):
      if not number:
        self.first = numbered.frame.time
      self.last = numbered.frame.time
      yield numbered


def _reporting(
  frames: Iterable[shots.Numbered],
  expected_s: float,
  on_progress: Callable[[float], None],
) -> Iterator[shots.Numbered]:
  """Passes frames on and tells how far they are, about once a second."""
  start: Fraction | None = None
  for number, numbered in enumerate(frames):
    time = numbered.frame.time
    if start is None:
      start = time
    if expected_s and not number % 32:
      on_progress(min(float(time - start) / expected_s, 0.99))
    yield numbered


def _pieces(
  frames: Iterable[shots.Numbered], dense: bool, changes_s: Sequence[float]
) -> Iterator[list[media.Frame]]:
  """Consecutive frames of one speed and shot; a quarter unless `dense`."""
  longest = _PIECE if dense else _SAMPLED_FRAMES
  piece: list[media.Frame] = []
  place, skipped = (0, 0), 0
  for numbered in frames:
    speed = bisect.bisect(changes_s, float(numbered.frame.time))
    before, place = place, (numbered.shot, speed)
    if piece and (place != before or len(piece) == longest):
      yield piece
      # The rest of a sampled shot is seen now and then.
      skipped = 0 if dense or place != before else _LEFT_OUT * len(piece)
      piece = []
    if skipped:
      skipped -= 1
      continue
    piece.append(numbered.frame)
  if piece:
    yield piece


def window_starts(maps: int) -> list[int]:
  """Where windows begin, so that together they cover so many maps."""
  last = max(0, maps - WINDOW)
  starts = list(range(0, last + 1, HOP))
  if starts[-1] < last:
    starts.append(last)
  return starts


def _change_points(values: np.ndarray, spreads: np.ndarray) -> list[int]:
  """Bounds of stretches of constant speed, by optimal partitioning.

  Minimises the squared deviation from each stretch's mean plus a penalty for
  each stretch (Jackson et al., "An algorithm for optimal partitioning of data
  on an interval", 2005).

  Args:
    values: log2 speeds of windows in order, float [n].
    spreads: their predicted standard deviations, float [n].

  Returns:
    0, the first window of each further stretch, n.
  """
  count = len(values)
  sums = np.concatenate([[0.0], np.cumsum(values)])
  squares = np.concatenate([[0.0], np.cumsum(values**2)])
  noise = float(np.median(np.abs(np.diff(values)))) if count > 1 else 0.0
  penalty = _CHANGE_PENALTY + 4 * noise**2 * np.log(max(count, 2))
  best = np.zeros(count + 1)
  previous = np.zeros(count + 1, int)
  for end in range(1, count + 1):
    start = np.arange(end)
    length = end - start
    total = sums[end] - sums[start]
    cost = squares[end] - squares[start] - total**2 / length
    candidates = best[start] + cost + penalty
    previous[end] = int(candidates.argmin())
    best[end] = candidates[previous[end]]
  bounds = [count]
  while bounds[-1]:
    bounds.append(int(previous[bounds[-1]]))
  return bounds[::-1]
