"""`speedflow generate`: a clip, or a row of clips, at the wanted speed."""

import argparse
import csv
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from fractions import Fraction

import cv2
import numpy as np

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels

# Pixels of the strip below a clip that tells its speed.
_CAPTION = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Declares the arguments that `run` reads."""
  first = parser.add_mutually_exclusive_group(required=True)
  first.add_argument("--image", metavar="IMG", help="the first frame")
  first.add_argument(
    "--video", metavar="CLIP", help="a video whose first frame is the first"
  )
  speed = parser.add_mutually_exclusive_group()
  speed.add_argument(
    "--speed",
    type=_speeds,
    metavar="S[,S...]",
    default=(1.0,),
    help="0.25 plays four times slowed; several speeds are shown side by side, "
    "from the same seed (default: 1)",
  )
  speed.add_argument(
    "--speed-curve",
    metavar="CSV",
    help="speed over time, columns time_s and speed",
  )
  parser.add_argument(
    "--frames", type=int, metavar="N", help="length (default: as trained)"
  )
  parser.add_argument(
    "--fps",
    type=_rate,
    default=Fraction(30),
    metavar="RATE",
    help="frames per second of playback (default: 30)",
  )
  for flag, name, text in (
    ("--guidance", "G", "1 follows the speed as trained, 2 exaggerates it"),
    ("--image-guidance", "G", "the same for the first frame"),
  ):
    parser.add_argument(
      flag, type=float, default=1.0, metavar=name, help=f"{text} (default: 1)"
    )
  for flag, default, text in (
    ("--steps", 30, "of the sampler"),
    ("--seed", 0, "the same seed gives the same clip"),
    ("--enlarge", 4, "output pixels per pixel of the network"),
  ):
    parser.add_argument(
      flag,
      type=int,
      default=default,
      metavar="N",
      help=f"{text} (default: {default})",
    )
  parser.add_argument(
    "--weights",
    default="tiny",
    metavar="NAME|FILE",
    help="a shipped generator, or an exported one (default: tiny)",
  )
  parser.add_argument("out", metavar="OUT.mp4")


def run(
  args: argparse.Namespace,
  on_progress: Callable[[float], None] = lambda done: None,
) -> int:
  """Generates, and writes the video.

  Args:
    args: parsed by what `add_arguments` declares.
    on_progress: called with the share that is done.

  Returns:
    The exit code, 0.

  Raises:
    SpeedflowError: bad input.
  """
  from speedflow.inference import generator, generator_weights

  if not 1 <= args.enlarge <= 64:
    raise SpeedflowError(f"--enlarge is {args.enlarge}; wanted 1 to 64")
  if args.seed < 0:
    raise SpeedflowError(f"--seed is {args.seed}; wanted 0 or more")
  maker = generator_weights.load_generator(args.weights)
  frames = maker.facts.frames if args.frames is None else args.frames
  if args.speed_curve:
    curves = read_curve(args.speed_curve, frames, float(args.fps))[None]
  else:
    curves = np.tile(np.array(args.speed)[:, None], (1, max(frames, 0)))
  image = generator.first_frame(args.image or args.video, maker.facts.size)
  clips = maker.generate_batch(
    np.stack([image] * len(curves)),
    labels.speed_to_step(np.log2(curves), float(args.fps)),
    seeds=[args.seed] * len(curves),
    guidance=args.guidance,
    image_guidance=args.image_guidance,
    steps=args.steps,
    on_progress=on_progress,
  )
  captions = [f"{speed:g}x" for speed in curves[:, 0]] if len(clips) > 1 else []
  shown = side_by_side(clips, captions, args.enlarge)
  height, width = shown.shape[1:3]
  with media.VideoWriter(args.out, args.fps, (width, height)) as writer:
    for picture in shown:
      writer.write(picture)
  return 0


def side_by_side(
  clips: np.ndarray, captions: Sequence[str], enlarge: int
) -> np.ndarray:
  """Lays clips out in a row.

  Args:
    clips: uint8 [n, t, h, w, 3].
    captions: [n], written below them; empty: no strip.
    enlarge: output pixels per pixel.

  Returns:
    uint8 [t, H, W, 3].
  """
  columns = []
  for number, clip in enumerate(clips):
    side = clip.shape[2] * enlarge, clip.shape[1] * enlarge
    column = np.stack(
      [cv2.resize(f, side, interpolation=cv2.INTER_CUBIC) for f in clip]
    )
    if captions:
      strip = np.zeros((_CAPTION, side[0], 3), np.uint8)
      place = 4, _CAPTION - 7
      font = cv2.FONT_HERSHEY_SIMPLEX
      cv2.putText(strip, captions[number], place, font, 0.5, (255,) * 3)
      strips = np.broadcast_to(strip, (len(clip), *strip.shape))
      column = np.concatenate([column, strips], 1)
    columns.append(column)
  return np.concatenate(columns, 2)


def read_curve(
  path: str | os.PathLike[str], frames: int, fps: float
) -> np.ndarray:
  """Reads speed over time, and finds it at each frame.

  Args:
    path: a CSV file with the columns time_s (seconds of playback,
      increasing) and speed (positive).
    frames: how many.
    fps: frames per second of playback.

  Returns:
    float64 [frames]: straight in log2 between the points, constant beyond.

  Raises:
    SpeedflowError: the file is no such table.
  """
  name = os.fspath(path)
  try:
    with pathlib.Path(path).open(newline="", encoding="utf-8") as file:
      rows = [
        (float(row["time_s"]), float(row["speed"]))
        for row in csv.DictReader(file)
      ]
  except OSError as error:
    raise SpeedflowError(
      f"{name}: {error.strerror}; give a CSV file"
    ) from error
  except (KeyError, TypeError, ValueError, csv.Error) as error:
    raise SpeedflowError(
      f"{name}: not a speed curve ({error}); wanted the columns time_s and "
      "speed, and numbers in them"
    ) from error
  if not rows:
    raise SpeedflowError(f"{name}: no rows; give a time and a speed in each")
  times, speeds = np.array(rows).T
  if not (np.all(np.diff(times) > 0) and np.isfinite(times).all()):
    raise SpeedflowError(f"{name}: the times must increase from row to row")
  if not (np.all(speeds > 0) and np.isfinite(speeds).all()):
    raise SpeedflowError(f"{name}: the speeds must be positive numbers")
  at = np.arange(max(frames, 0)) / fps
  return np.exp2(np.interp(at, times, np.log2(speeds)))


def _speeds(text: str) -> tuple[float, ...]:
  try:
    speeds = tuple(float(part) for part in text.split(","))
  except ValueError:
    speeds = (0.0,)
  if not all(0 < speed < math.inf for speed in speeds):
    raise argparse.ArgumentTypeError(
      f"{text} is no speed; wanted one such as 0.25, or some: 0.25,1,4"
    )
  return speeds


def _rate(text: str) -> Fraction:
  try:
    rate = Fraction(text)
  except (ValueError, ZeroDivisionError):
    rate = Fraction(0)
  if not 0 < rate <= 1000 or not math.isfinite(rate):
    raise argparse.ArgumentTypeError(
      f"{text} is no frame rate; wanted one such as 30 or 30000/1001"
    )
  return rate
