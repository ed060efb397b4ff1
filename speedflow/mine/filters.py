"""What slow motion is not: filters for candidate pieces of video.

Each filter is a pure function from `Footage` to a `Judgement`: a score in
units that its docstring names, whether the footage passes, and a reason where
it does not. Footage that ordinary slow motion resembles too closely to be told
apart passes; where that is so, the docstring says it.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from speedflow.data import optical_flow
from speedflow.timewarp import labels

ANALYSED_FRAMES = 160
"""Frames of a candidate that are examined, from its middle."""

SHORT_SIDE = 256
"""Pixels of the frames that the filters expect; their limits were set so."""

# Time from frame to frame is judged at this size, texture at the full one.
_SMALL_SHORT_SIDE = 120
# True frames of fake slow motion are so many frames apart, at most. Keyframes
# of old codecs, every 10 to 15 frames, make beats as well.
_LONGEST_PERIOD = 9
# A pattern that does not come so many times is no pattern.
_PERIODS = 6


@dataclasses.dataclass(frozen=True)
class Judgement:
  """The result of one filter.

  Attributes:
    name: of the filter.
    score: what was measured; its unit depends on the filter.
    passes: whether the footage may be real slow motion of a camera.
    reason: what was seen and what was wanted, where it does not pass.
  """

  name: str
  score: float
  passes: bool
  reason: str = ""


class Footage:
  """A piece of one shot, and what several filters want to know about it.

  Attributes:
    frames: uint8 RGB [h, w, 3] each, `SHORT_SIDE` pixels high or across.
    times: float64 [n], seconds, increasing.
  """

  def __init__(self, frames: Sequence[np.ndarray], times: np.ndarray):
    """Takes consecutive frames.

    Args:
      frames: [n], at least one, uint8 RGB [h, w, 3].
      times: [n], seconds of playback.
    """
    if not frames or len(frames) != len(times):
      raise ValueError(f"{len(frames)} frames with {len(times)} times")
    self.frames = frames
    self.times = np.asarray(times, np.float64)

  @property
  def seconds(self) -> float:
    """Length, the last frame's own time included."""
    if len(self.times) < 2:
      return 0.0
    span = float(self.times[-1] - self.times[0])
    return span * len(self.times) / (len(self.times) - 1)

  @functools.cached_property
  def gray(self) -> list[np.ndarray]:
    """Brightness, uint8 [h, w] each."""
    return [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in self.frames]

  @functools.cached_property
  def small(self) -> np.ndarray:
    """Brightness at a small size, float32 [n, h, w]."""
    height, width = self.gray[0].shape
    scale = min(1.0, _SMALL_SHORT_SIDE / min(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    resized = [
      cv2.resize(image, size, interpolation=cv2.INTER_AREA)
      for image in self.gray
    ]
    return np.stack(resized).astype(np.float32)

  @functools.cached_property
  def spread(self) -> np.ndarray:
    """Standard deviation of each pixel of `small` over time, float32 [h, w]."""
    return self.small.std(0)

  @functools.cached_property
  def changes(self) -> np.ndarray:
    """`labels.frame_change` from frame to frame, float64 [n - 1]."""
    pairs = itertools.pairwise(self.gray)
    return np.array([labels.frame_change(*pair) for pair in pairs])

  @functools.cached_property
  def bending(self) -> np.ndarray:
    """How far each inner frame is from the mean of its neighbours.

    float64 [n - 2], grey levels of `small`. It is none in linear blends.
    """
    small = self.small
    middle = (small[:-2] + small[2:]) / 2
    return _busy_mean(np.abs(small[1:-1] - middle))

  @functools.cached_property
  def surprise(self) -> np.ndarray:
    """How far each inner frame is from what optical flow makes of neighbours.

    float64 [n - 2], grey levels of `small`.
    """
    estimator = optical_flow.FlowEstimator()
    images = [
      cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_GRAY2RGB)
      for image in self.small
    ]
    missed = []
    for before, between, after in zip(
      images, images[1:], images[2:], strict=False
    ):
      flow = estimator.both_ways(before, after)
      guess = optical_flow.interpolate(before, after, flow, 0.5)
      missed.append(cv2.absdiff(guess, between)[..., 0])
    return _busy_mean(np.array(missed, np.float32))

  @functools.cached_property
  def sharpness(self) -> np.ndarray:
    """Energy of the finest detail of each frame, float64 [n]."""
    return np.array(
      [
        float(np.abs(cv2.Laplacian(image, cv2.CV_32F)).mean())
        for image in self.gray
      ]
    )


def _busy_mean(misses: np.ndarray) -> np.ndarray:
  """Mean of the tenth of the pixels that miss most over time, float64 [n]."""
  if not len(misses):
    return np.zeros(0)
  flat = misses.reshape(len(misses), -1)
  busiest = np.argsort(flat.mean(0))[-max(1, flat.shape[1] // 10) :]
  return flat[:, busiest].mean(1).astype(np.float64)


Filter = Callable[[Footage], Judgement]


def static(footage: Footage, least: float = 4.0) -> Judgement:
  """Whether anything moves over all; score: grey levels.

  Compared are frames far apart, so that very slow motion is motion.
  """
  gray = footage.gray
  picks = np.unique(np.linspace(0, len(gray) - 1, 5).astype(int))
  moved = [
    labels.frame_change(gray[a], gray[b]) for a, b in itertools.pairwise(picks)
  ]
  score = float(np.median(moved)) if moved else 0.0
  return _judge(
    "static", score, score >= least, "nothing moves in it, or hardly"
  )


def too_dark(footage: Footage, least: float = 40.0) -> Judgement:
  """Whether its bright parts are bright; score: 95th percentile, 0..255."""
  step = max(1, len(footage.gray) // 8)
  score = float(np.percentile(np.stack(footage.gray[::step]), 95))
  return _judge(
    "too_dark", score, score >= least, f"too dark: at most {score:.0f} of 255"
  )


def repeated(footage: Footage, most: float = 0.15) -> Judgement:
  """Whether frames only repeat others; score: share of frames, 0..1."""
  if len(footage.times) < 2:
    return _judge("repeated", 0.0, True)
  kept = labels.drop_duplicates(footage.changes, footage.times)
  score = max(
    1 - len(kept.indices) / len(footage.times), _stalls(footage.changes)
  )
  return _judge(
    "repeated",
    score,
    score <= most,
    f"{score:.0%} of its frames repeat the one before",
  )


def _stalls(changes: np.ndarray) -> float:
  """Share of changes that are next to none in a steady beat of large ones.

  `labels.drop_duplicates` knows up to six showings of a frame, lest pauses are
  taken for repeats; a beat may be slower.
  """
  contrast, period = deepest_beat(changes)
  if period < 2 or contrast < 0.8:
    return 0.0
  level = np.percentile(changes, 100 * (1 - 0.5 / period))
  return float(np.mean(changes < 0.2 * level))


def interpolated(footage: Footage, most: float = 0.32) -> Judgement:
  """Whether frames were made of others, by blending or along optical flow.

  Made frames follow from their neighbours and are softer than true ones, which
  come in a steady beat. Score: how deep the beat is, 0..1: the share by which
  the mean at the strongest phase falls at the weakest one. Ordinary footage
  shows the beats of its codec, which are shallow.
  """
  beats = {
    "the distance from the mean of their neighbours": deepest_beat(
      footage.bending
    ),
    "what optical flow does not explain": deepest_beat(footage.surprise),
    # Detail varies little even where half of the frames are made up.
    "sharpness": _scaled(deepest_beat(footage.sharpness), 3.0),
  }
  what, (score, period) = max(beats.items(), key=lambda item: item[1][0])
  return _judge(
    "interpolated",
    score,
    score <= most,
    f"made-up frames: {what} beats every {period} frames",
  )


def _scaled(beat: tuple[float, int], factor: float) -> tuple[float, int]:
  return min(1.0, beat[0] * factor), beat[1]


def deepest_beat(signal: np.ndarray) -> tuple[float, int]:
  """Depth of the deepest beat of a signal, 0..1, and its period.

  The depth is the difference of the mean logarithms at the strongest and the
  weakest phase, beyond what chance makes of a signal that varies as much.

  Args:
    signal: positive, float [n].
  """
  best = (0.0, 0)
  for period in range(2, _LONGEST_PERIOD + 1):
    beats = len(signal) // period
    if beats < _PERIODS:
      break
    log = np.log(signal[: beats * period] + 0.1).reshape(beats, period)
    # What changes slowly is the scene's, not the beat's.
    log = log - np.median(log, axis=1, keepdims=True)
    middle = np.median(log, axis=0)
    noise = 1.4826 * np.median(np.abs(log - middle)) / np.sqrt(beats)
    # The extremes of so many phases lie about this far apart by chance.
    chance = 2 * noise * np.sqrt(2 * np.log(period))
    depth = 1 - np.exp(-max(0.0, float(np.ptp(middle)) - 1.5 * chance))
    # Multiples of the true period show the same beat.
    if depth > best[0] + 0.02:
      best = (float(depth), period)
  return best


def overlay(footage: Footage, most: float = 0.004) -> Judgement:
  """Whether captions or logos are burnt in; score: share of the picture.

  They are edges that stay while the picture moves. Where the camera stands
  still, the edges of the scene do so as well, and the footage passes.
  """
  step = max(1, len(footage.small) // 16)
  small = footage.small[::step]
  edges = np.stack([_edges(image) for image in small])
  textured = edges.mean(0) > 24
  if not textured.any() or len(small) < 3:
    return _judge("overlay", 0.0, True)
  moving = float(np.mean(footage.spread[textured] > 8))
  stays = (edges.min(0) > 48) & (footage.spread < 4)
  score = float(stays.mean()) if moving > 0.7 else 0.0
  return _judge(
    "overlay", score, score <= most, f"writing over {score:.1%} of the picture"
  )


def _edges(image: np.ndarray) -> np.ndarray:
  across = cv2.Sobel(image, cv2.CV_32F, 1, 0)
  down = cv2.Sobel(image, cv2.CV_32F, 0, 1)
  return np.hypot(across, down)


def drawn(footage: Footage, most: float = 0.65) -> Judgement:
  """Whether it is an animation or a screen; score: share without texture.

  What is drawn has areas of one colour, where a camera sees shades and noise.
  Counted are pixels whose neighbourhood has just one grey level, and is not
  black. Rendered scenes with texture pass.
  """
  step = max(1, len(footage.gray) // 4)
  shares = []
  for image in footage.gray[::step]:
    kernel = np.ones((7, 7), np.uint8)
    extent = cv2.absdiff(cv2.dilate(image, kernel), cv2.erode(image, kernel))
    lit = image > 24
    shares.append(float((extent[lit] == 0).mean()) if lit.any() else 0.0)
  score = float(np.median(shares))
  return _judge(
    "drawn", score, score <= most, f"{score:.0%} of it are flat colours"
  )


def timelapse(footage: Footage, most: float = 0.12) -> Judgement:
  """Whether so much passes between frames that nothing leads over.

  Optical flow from one frame to the next and back ends where it began, if
  there is motion to follow (Sundaram et al., "Dense point trajectories by
  GPU-accelerated large displacement optical flow", ECCV 2010). Score: the
  share, 0..1, of where most changes, where it does not.
  """
  estimator = optical_flow.FlowEstimator()
  picks = np.unique(
    np.linspace(0, len(footage.small) - 2, 12).clip(0).astype(int)
  )
  shares = []
  for before, after in ((p, p + 1) for p in picks if p + 1 < len(footage.gray)):
    change = np.abs(footage.small[after] - footage.small[before])
    busy = change >= np.percentile(change, 90)
    # Codec noise follows no motion.
    if change[busy].mean() <= 6:
      continue
    there, back = estimator.both_ways(
      *(
        cv2.cvtColor(footage.small[i].astype(np.uint8), cv2.COLOR_GRAY2RGB)
        for i in (before, after)
      )
    )
    missed = np.linalg.norm(there + optical_flow.warp(back, there), axis=-1)
    allowed = 0.5 + 0.5 * np.linalg.norm(there, axis=-1)
    shares.append(float((missed > allowed)[busy].mean()))
  score = float(np.median(shares)) if shares else 0.0
  return _judge(
    "timelapse",
    score,
    score <= most,
    f"no motion leads from frame to frame in {score:.0%} of what changes",
  )


def _judge(
  name: str, score: float, passes: bool, reason: str = ""
) -> Judgement:
  return Judgement(name, score, bool(passes), "" if passes else reason)


FILTERS: tuple[Filter, ...] = (
  too_dark,
  static,
  repeated,
  overlay,
  drawn,
  timelapse,
  interpolated,
)
"""All of them, the cheapest first."""


def judge(footage: Footage) -> list[Judgement]:
  """The results of all filters."""
  return [each(footage) for each in FILTERS]
