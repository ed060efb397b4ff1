"""From a picture on disk to a video on disk, or a row of clips in one."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from speedflow import media
from speedflow.generate import generator
from speedflow.generate import weights as generator_weights
from speedflow.generate.options import Options
from speedflow.output import claims
from speedflow.timewarp import curve_file, labels
from speedflow.wan import pipeline as wan
from speedflow.weights import compiled

# Pixels of the strip below a clip that tells its speed.
_CAPTION = 24
# Pixels along a side, and steps of the sampler, where nobody says.
_SIZE, _STEPS = 256, 30


def write_video(
  out: str | os.PathLike[str],
  source: generator.Picture,
  options: Options,
  on_progress: Callable[[float], None] = lambda done: None,
) -> None:
  """Generates clips, and writes them side by side.

  Args:
    out: the video.
    source: the first frame, see `SpeedGenerator.generate`.
    options: how it is set in motion.
    on_progress: called with the share that is done.

  Raises:
    SpeedflowError: bad input.
  """
  options.check()
  media.require_suffix(out)
  compiled.keep()
  with claims.claim(
    "generate",
    files={out: media.is_ours},
    inputs=_inputs(source, options.curve, options.weights),
    overwrite=options.overwrite,
  ):
    make = _by_wan if wan.is_folder(options.weights) else _by_trajectories
    clips = make(source, options, on_progress)
    captions = (
      [f"{speed:g}x" for speed in options.speeds] if len(clips) > 1 else []
    )
    shown = side_by_side(clips, captions)
    height, width = shown.shape[1:3]
    with media.VideoWriter(out, options.fps, (width, height)) as writer:
      for picture in shown:
        writer.write(picture)


def _by_trajectories(
  source: generator.Picture,
  options: Options,
  on_progress: Callable[[float], None],
) -> np.ndarray:
  """Clips of a generator of this library, uint8 [n, t, s, s, 3]."""
  maker = generator_weights.load_generator(options.weights)
  count = options.frames
  if count is None:
    count = maker.facts.knots + 1
  curves = _curves(options, count)
  size = _SIZE if options.size is None else options.size
  image = generator.first_frame(source, size)
  return maker.generate_batch(
    np.stack([image] * len(curves)),
    labels.speed_to_step(np.log2(curves), float(options.fps)),
    seeds=[options.seed] * len(curves),
    on_progress=on_progress,
    guidance=options.guidance,
    image_guidance=options.image_guidance,
    steps=_STEPS if options.steps is None else options.steps,
    exposure=options.exposure,
  )


def _by_wan(
  source: generator.Picture,
  options: Options,
  on_progress: Callable[[float], None],
) -> np.ndarray:
  """Clips of Wan, uint8 [n, t, h, w, 3]."""
  maker = wan.WanGenerator(pathlib.Path(options.weights))
  count = maker.trained.frames if options.frames is None else options.frames
  image = maker.fitted(generator.picture(source))
  curves: list[np.ndarray | None] = [*_curves(options, count)]
  plain = options.curve is None and tuple(options.speeds) == Options.speeds
  if plain and not maker.knows_speed:
    curves = [None]
  wish = wan.Wish(
    text=options.text,
    against=options.against,
    log2_speeds=[
      None
      if curve is None
      else labels.speed_to_step(np.log2(curve), float(options.fps))
      for curve in curves
    ],
    frames=count,
    seed=options.seed,
    steps=wan.STEPS if options.steps is None else options.steps,
    text_guidance=options.text_guidance,
    speed_guidance=options.guidance,
  )
  return maker.generate(image, wish, on_progress)


def _curves(options: Options, count: int) -> list[np.ndarray]:
  """Speed at each frame of each clip, float64 [count]."""
  if options.curve is not None:
    return [read_curve(options.curve, count, float(options.fps))]
  return [np.full(max(count, 0), speed) for speed in options.speeds]


def _inputs(*given: Any) -> list[str | os.PathLike[str]]:
  """Those that are names of files."""
  return [each for each in given if isinstance(each, str | os.PathLike)]


def side_by_side(clips: np.ndarray, captions: Sequence[str]) -> np.ndarray:
  """Lays clips out in a row.

  Args:
    clips: uint8 [n, t, h, w, 3].
    captions: [n], written below them; empty: no strip.

  Returns:
    uint8 [t, H, W, 3].
  """
  columns = list(clips)
  if captions:
    columns = [
      np.concatenate([clip, _strip(text, clip.shape)], 1)
      for clip, text in zip(clips, captions, strict=True)
    ]
  return np.concatenate(columns, 2)


def _strip(text: str, shape: tuple[int, ...]) -> np.ndarray:
  """White letters on black, uint8 [t, _CAPTION, w, 3]."""
  frames, _, width, _ = shape
  strip = np.zeros((_CAPTION, width, 3), np.uint8)
  place, font = (4, _CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX
  cv2.putText(strip, text, place, font, 0.5, (255,) * 3)
  return np.broadcast_to(strip, (frames, *strip.shape))


def read_curve(
  path: str | os.PathLike[str], frames: int, fps: float
) -> np.ndarray:
  """Reads speed over time, and finds it at each frame.

  Args:
    path: see `curve_file.read`; times are seconds of playback.
    frames: how many.
    fps: frames per second of playback.

  Returns:
    float64 [frames]: straight in log2 between the points, constant beyond.

  Raises:
    SpeedflowError: the file is no such table.
  """
  times, speeds = curve_file.read(path)
  at = np.arange(max(frames, 0)) / fps
  return np.exp2(np.interp(at, times, np.log2(speeds)))
