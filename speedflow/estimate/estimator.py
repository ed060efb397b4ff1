"""From a video to its speed over time.

The video is cut into pieces of one shot; each is read at several strides by
the network, and the readings are fused into estimates of windows; these make
the segments and the answer. Each step has its module.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from speedflow import media
from speedflow.data import motion
from speedflow.estimate import (
  belief,
  network,
  pieces,
  segments,
  strides,
  telling,
  weights,
)
from speedflow.estimate.answer import Estimate
from speedflow.evaluation.speed import Z80
from speedflow.pictures import ahead, memory_frames, motion_maps
from speedflow.pictures import shots as picture
from speedflow.timewarp import labels


@dataclasses.dataclass(frozen=True)
class Calibration:
  """What was measured of a network once it was trained.

  All but the frequency of labels comes from repositories that were left out
  of training.

  Attributes:
    window: as of `segments.Widths`.
    file: as of `segments.Widths`.
    slope: as of `network.Scale`.
    offset: as of `network.Scale`.
    label_frequency: of each bin of log2 step in training; empty: all alike.
  """

  window: float = Z80
  file: float = Z80
  slope: float = 1.0
  offset: float = 0.0
  label_frequency: tuple[float, ...] = ()

  @property
  def widths(self) -> segments.Widths:
    """Of the intervals."""
    return segments.Widths(self.window, self.file)

  @property
  def scale(self) -> network.Scale:
    """Of the network's readings."""
    return network.Scale(self.slope, self.offset)

  def frequency(self, bins: int) -> np.ndarray:
    """`label_frequency` for so many bins, float64 [bins]."""
    return np.array(self.label_frequency or np.ones(bins))


@dataclasses.dataclass(frozen=True, eq=False)
class Respeeded:
  """The estimate of a shot, read at several strides.

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
  """Estimates how fast videos play.

  Attributes:
    network: the trained network.
  """

  def __init__(
    self, reader: network.Reader, calibration: Calibration | None = None
  ):
    """Wraps a trained network.

    Args:
      reader: the network: `network.of_model` or `network.of_weights`.
      calibration: of its intervals.
    """
    calibration = calibration or Calibration()
    self.network = network.WindowNetwork(
      reader,
      calibration.frequency(len(reader.centres)),
      calibration.scale,
    )
    self._widths = calibration.widths

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
    maps: motion_maps.MotionMaps | None = None,
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
      maps: between these frames in memory, where others look at them as well.

    Returns:
      The answer. Its status is "uncertain" when the picture does not tell.

    Raises:
      SpeedflowError: the file cannot be read, or these are no frames.
    """
    if isinstance(source, str | os.PathLike):
      source = picture.Picture(source)
    if isinstance(source, picture.Picture):
      return self._estimate_file(source, on_progress, changes_s)
    rate = memory_frames.frame_rate(fps)
    frames: list[media.Frame] = []
    if len(source):
      frames += memory_frames.as_frames(source, fps, motion.to_flow_size)
    timed = pieces.TimedFrames(picture.small_frames(frames))
    found = self._windows(
      timed, maps or motion_maps.MotionMaps(), True, changes_s or ()
    )
    duration_s = len(frames) / float(rate)
    return segments.summarise(
      "", found, duration_s, float(rate), self._widths, changes_s
    )

  def glance(
    self,
    clips: Sequence[Sequence[np.ndarray]],
    times: Sequence[Sequence[float | Fraction]],
  ) -> list[tuple[float, float] | None]:
    """A quick look at short clips together, in one round.

    Args:
      clips: consecutive frames without a cut, uint8 [96, 128] each; at most
        `network.window` + 1 of them are looked at.
      times: of the frames, seconds, increasing.

    Returns:
      For each clip log2 speed and its standard deviation, octaves; None where
      nothing tells the speed or there are too few frames.
    """
    mapper = motion.MotionMapper()
    maps, to_speed, numbers = [], [], []
    for number, (images, stamps) in enumerate(zip(clips, times, strict=True)):
      kept = labels.true_frames(images, [float(time) for time in stamps])
      chosen = kept.indices[: self.network.window + 1]
      if len(chosen) <= motion.MIN_MAPS:
        continue
      found = mapper.along([images[i] for i in chosen])
      if telling.tells_speed(found):
        maps.append(found)
        to_speed.append(float(labels.step_to_speed(0.0, kept.fps)))
        numbers.append(number)
    answers: list[tuple[float, float] | None] = [None] * len(clips)
    likelihood = self.network.likelihood(maps)
    for number, shift, seen in zip(numbers, to_speed, likelihood, strict=True):
      values = self.network.log2_speed(shift)
      mean, spread = belief.moments(seen, values, belief.anything(values))
      answers[number] = float(mean), float(spread)
    return answers

  def respeeded(
    self,
    images: Sequence[np.ndarray],
    fps: float,
    maps: motion_maps.MotionMaps | None = None,
    first: int = 0,
  ) -> Respeeded | None:
    """What a shot says of its speed, seen at several speeds.

    Every frame, every second, fourth and eighth say the same of the world, but
    the network errs differently on each.

    Args:
      images: consecutive frames without a cut, uint8 [96, 128] each.
      fps: frames per second at which they are played.
      maps: between the frames of a stretch, where others look at them as well.
      first: number of the first image in that stretch.

    Returns:
      The answer; None where nothing tells.
    """
    maps = maps or motion_maps.MotionMaps()
    rate = memory_frames.frame_rate(fps)
    frames = [
      media.Frame(image, number / rate)
      for number, image in enumerate(images, first)
    ]
    looks = strides.look(
      self.network.window,
      images,
      np.arange(len(images)) / fps,
      lambda chosen: maps.along([frames[i] for i in chosen]),
    )
    readings = strides.read(self.network, looks)
    if not readings:
      return None
    seen = belief.together([reading.likelihood for reading in readings])
    prior = belief.anything(belief.GRID)
    mean, spread = belief.moments(np.exp(seen), belief.GRID, prior)
    half = self._widths.file * spread
    speeds = (2.0 ** float(x) for x in (mean, mean - half, mean + half))
    return Respeeded(seen, *speeds)

  def _estimate_file(
    self,
    video: picture.Picture,
    on_progress: Callable[[float], None] | None,
    changes_s: Sequence[float] | None,
  ) -> Estimate:
    expected_s = video.info.duration_s
    timed = pieces.TimedFrames(video.frames(), expected_s, on_progress)
    dense = expected_s <= pieces.DENSE_S
    found = self._windows(
      timed, video.maps, dense, changes_s or (), video.leave_out
    )
    if on_progress:
      on_progress(1.0)
    timeline = video.info.timeline
    # The last frame may be held; after damage, it is not the last one.
    ended = timed.last == timeline.times[-1]
    end = timeline.end if ended else timed.last + 1 / timeline.rate
    duration_s = float(end - timed.first)
    if changes_s is not None:
      changes_s = [time_s - float(timed.first) for time_s in changes_s]
    answer = segments.summarise(
      os.fspath(video.path),
      found,
      duration_s,
      float(timeline.rate),
      self._widths,
      changes_s,
    )
    return dataclasses.replace(
      answer,
      fps_nominal=float(video.info.fps_nominal),
      variable_rate=not timeline.even,
      damage=video.damage,
      info=video.info,
    )

  def _windows(
    self,
    timed: pieces.TimedFrames,
    maps: motion_maps.MotionMaps,
    dense: bool,
    changes_s: Sequence[float],
    leave_out: Callable[[int], None] = lambda until: None,
  ) -> list[strides.WindowEstimate]:
    """All windows in order, times after the first frame."""

    def estimate(piece: Sequence[media.Frame]) -> list[strides.WindowEstimate]:
      looks = look(piece, timed.first, maps, self.network.window)
      return strides.fuse(strides.read(self.network, looks))

    found: list[strides.WindowEstimate] = []
    cut = pieces.cut(timed, dense, changes_s, leave_out)
    for _, windows in ahead.results(estimate, cut):
      found += windows
    return found


def look(
  piece: Sequence[media.Frame],
  first: Fraction,
  maps: motion_maps.MotionMaps,
  window: int,
) -> list[strides.Look]:
  """What the network is shown of a piece of a video.

  Args:
    piece: as of `pieces.cut`.
    first: time of the video's first frame, seconds on the file's clock.
    maps: of the video.
    window: maps in a window.
  """
  return strides.look(
    window,
    [frame.image for frame in piece],
    np.array([float(frame.time - first) for frame in piece]),
    lambda chosen: maps.along([piece[i] for i in chosen]),
  )


def load_estimator(name: str = "tiny") -> SpeedEstimator:
  """Loads shipped weights.

  Args:
    name: of the weights, or the path of a file that `speedflow eval --export`
      wrote.

  Raises:
    SpeedflowError: there are no such weights.
  """
  extra = weights.SPEED.header(name)["extra"]
  calibration = Calibration(**extra.get("calibration", {}))
  return SpeedEstimator(network.of_weights(name), calibration)
