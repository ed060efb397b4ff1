"""All verbs as functions, with the arguments of the commands.

  from speedflow import api

  said = api.probe("clip.mp4")
  answer = api.estimate("clip.mp4")
  found = api.detect("clip.mp4")
  made = api.superres("clip.mp4", "slow.mp4", factor=8, slow=True)
  api.retime("clip.mp4", "fast.mp4", speed=3.0)
  api.generate("street.jpg", "out.mp4", speeds=[0.25, 1.0])
  account = api.mine(["videos"], "clips", fpr=0.02)
  ranked = api.attribute("queries", "tracks", "out")

Importing this module imports no JAX; the first call does. Networks are loaded
once and kept. Methods and their sources are described where they are
implemented: each docstring names the module.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  import numpy as np

  from speedflow.attribute import attribution
  from speedflow.detect.answer import Detection
  from speedflow.detect.detector import Detector
  from speedflow.estimate.answer import Estimate
  from speedflow.estimate.estimator import SpeedEstimator
  from speedflow.probe.answer import Probe
  from speedflow.retime.video import Output as Retimed
  from speedflow.superres.video import Output

Path = str | os.PathLike[str]
Progress = Callable[[float], None]
"""Called now and then with the share that is done, 0..1."""


def probe(video: Path) -> "Probe":
  """What is a video, and what does it declare of its capture?

  See `speedflow.probe.examine` and `speedflow.declared`.

  Args:
    video: a file.

  Returns:
    `info`, `sound`, and `declared` with its `capture_fps`, `speed` (factor:
    0.125 plays eight times slower than the world), `source` and `trust`.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  from speedflow.probe import examine

  return examine.examine(video)


def estimate(
  video: Path,
  *,
  weights: str = "tiny",
  ignore_metadata: bool = False,
  on_progress: Progress | None = None,
) -> "Estimate":
  """How fast does a video play?

  See `speedflow.estimate.estimator`, `speedflow.estimate.joint` (clocks in the
  scene) and `speedflow.estimate.witness`.

  Args:
    video: a file.
    weights: shipped weights, or a .safetensors file of exported ones.
    ignore_metadata: whether to ask the picture alone.
    on_progress: see `Progress`.

  Returns:
    `speed` (factor: 2.0 plays twice as fast as the world), `speed_low` and
    `speed_high` (an 80 % interval), `status`, `segments` and `curve` (over
    seconds of playback); `declared`, what the file says, `clocks`, and
    `decided_by`.

  Raises:
    SpeedflowError: the file cannot be read, or there are no such weights.
  """
  from speedflow.estimate import witness

  return witness.estimate(
    _estimator(weights), os.fspath(video), ignore_metadata, on_progress
  )


def detect(
  video: Path,
  *,
  ignore_metadata: bool = False,
  on_progress: Progress | None = None,
) -> "Detection":
  """Where was the speed of a video changed, and what was done?

  See `speedflow.detect.detector` and `speedflow.detect.witness`.

  Args:
    video: a file.
    ignore_metadata: whether to ask picture and sound alone.
    on_progress: see `Progress`.

  Returns:
    `verdict` with its `probabilities`, `changes` (at seconds of playback),
    `why`, in words, and `findings`: what the file says that cannot be so.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  from speedflow.detect import witness

  return witness.detect(
    _detector(), os.fspath(video), ignore_metadata, on_progress
  )


def superres(
  path_in: Path,
  path_out: Path,
  *,
  on_progress: Progress = lambda done: None,
  **options: Any,
) -> "Output":
  """Makes a video of more frames a second, or one that plays slower.

  See `speedflow.superres.video.superres`.

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv; `<path_out>.json` says what each frame is.
    on_progress: see `Progress`.
    **options: of `speedflow.superres.options.Options`: `factor`, `fps` (frames
      per second of the scene), `slow`, `exposure` (open-shutter time / frame
      interval), `audio`, `crf`, `mark`, `weights`, `resume`, `overwrite`.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written, or
      these settings do not go together.
  """
  from speedflow.superres import options as superres_options
  from speedflow.superres import video

  wanted = superres_options.Options(**options)
  return video.superres(path_in, path_out, wanted, on_progress)


def retime(
  path_in: Path,
  path_out: Path,
  *,
  on_progress: Progress = lambda done: None,
  **options: Any,
) -> "Retimed":
  """Makes a video that plays at another speed, or along a curve of speeds.

  See `speedflow.retime.video.retime`.

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv; `<path_out>.json` says what each frame is.
    on_progress: see `Progress`.
    **options: of `speedflow.retime.options.Options`: one of `speed` (factor),
      `curve` (a CSV file), `duration` (seconds) and `real_time`; `fps` (frames
      per second), `shutter` (degrees), `audio`, `exposure` (open-shutter time /
      frame interval), `crf`, `mark`, `weights`, `resume`, `overwrite`.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written, or
      these settings do not go together.
  """
  from speedflow.retime import options as retime_options
  from speedflow.retime import video

  wanted = retime_options.Options(**options)
  return video.retime(path_in, path_out, wanted, on_progress)


def generate(
  first: "Path | np.ndarray",
  out: Path,
  *,
  on_progress: Progress = lambda done: None,
  **options: Any,
) -> None:
  """Sets a picture in motion, at one speed, several, or along a curve.

  See `speedflow.generate.video.write_video`.

  Args:
    first: a picture, or a video whose first frame is taken; or pixels, uint8
      [h, w, 3].
    out: the video to write.
    on_progress: see `Progress`.
    **options: of `speedflow.generate.options.Options`: `speeds` (factors),
      `curve` (a CSV file), `frames`, `fps` (frames per second), `size`
      (pixels), `seed`, `text`, `against`, `text_guidance`, `guidance`,
      `image_guidance`, `steps`, `exposure`, `weights`, `overwrite`.

  Raises:
    SpeedflowError: bad input, or an output that cannot be written.
  """
  from speedflow.generate import options as generate_options
  from speedflow.generate import video

  wanted = generate_options.Options(**options)
  source = os.fspath(first) if isinstance(first, str | os.PathLike) else first
  video.write_video(out, source, wanted, on_progress)


def mine(sources: Sequence[Path], out: Path, **options: Any) -> dict[str, Any]:
  """Finds slow motion in any amount of video.

  See `speedflow.mine.search.search`.

  Args:
    sources: files, folders, patterns, .txt lists of them, or URLs.
    out: folder for clips, records and reports.
    **options: of `speedflow.mine.options.Options`: `max_speed` (factor), `fpr`
      (false-positive rate), `min_seconds` (of playback), `max_minutes`
      (of work on a file), `dense`, `changes`, `ignore_metadata`, `weights`,
      `calibration`, `workers`, `runner`, `beam_options`, `overwrite`.

  Returns:
    What `mining.json` holds: counts, settings, and what may be claimed.

  Raises:
    SpeedflowError: bad input, or results that cannot be written.
  """
  from speedflow.mine import options as mine_options
  from speedflow.mine import search

  given = [os.fspath(each) for each in sources]
  return search.search(given, out, mine_options.Options(**options))


def attribute(
  queries: Path,
  data: Path,
  out: Path,
  *,
  on_progress: Progress = lambda done: None,
  **options: Any,
) -> "attribution.Answer":
  """Which training clips taught the generator a motion?

  See `speedflow.attribute.attribution.attribute`.

  Args:
    queries: folder of videos that show the motion, or of records of tracks; of
      records of latents for Wan.
    data: folder of records of tracks that the generator learnt from; of latents
      for Wan.
    out: folder for the results.
    on_progress: see `Progress`.
    **options: of `speedflow.attribute.options.Options`: `top`, `drop`,
      `weights`, `split`, `query_speed` (factor), `adapter_rank`, `part`,
      `overwrite`.

  Raises:
    SpeedflowError: bad input, or results that cannot be written.
  """
  from speedflow.attribute import attribution
  from speedflow.attribute import options as attribute_options

  return attribution.attribute(
    pathlib.Path(queries),
    pathlib.Path(data),
    pathlib.Path(out),
    attribute_options.Options(**options),
    on_progress,
  )


@functools.cache
def _estimator(weights: str) -> "SpeedEstimator":
  from speedflow.estimate import estimator

  return estimator.load_estimator(weights)


@functools.cache
def _detector() -> "Detector":
  from speedflow.detect import detector

  return detector.load_detector()
