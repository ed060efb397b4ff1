"""From a video to one with more frames a second, sharp if it was blurred.

The video is read twice: once for its cuts and repeats, once to be slowed.
Frames are written as they are made, so memory does not grow with the length.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import IO, Literal, NamedTuple

import cv2
import numpy as np

from speedflow import media
from speedflow.atomic import atomic_path
from speedflow.errors import SpeedflowError
from speedflow.inference import slow_audio, superres_weights
from speedflow.inference import survey as survey_lib
from speedflow.inference.interpolator import FrameInterpolator, Picture

Kind = Literal["observed", "restored", "synthesised", "held"]

MOST_FACTOR = 64
"""No more frames than this are made of one."""

# Moving edges that sharpen by this factor were blurred.
_SHARPENED = 1.15
# Pixels that change by so many grey levels are said to move.
_MOVING = 12.0
# Share of the work that the first reading is.
_SURVEY_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Output:
  """What was written.

  Attributes:
    path: the video.
    provenance: the JSON file beside it.
    fps: frames per second of playback; an average if the rate varies.
    factor: how many times as many frames there are.
    slowdown: how many times slower it plays.
    exposure: open-shutter time / frame interval that was assumed; None:
      blurred by an unknown amount.
    counts: number of frames of each kind.
  """

  path: str
  provenance: str
  fps: Fraction
  factor: Fraction
  slowdown: Fraction
  exposure: float | None
  counts: dict[str, int]


class _Made(NamedTuple):
  """A frame to be written, at its time in the input."""

  time: Fraction
  kind: Kind
  image: np.ndarray
  sources: tuple[int, ...]
  uncertainty: float


def superres(
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
  *,
  factor: int | None = None,
  fps: Fraction | float | None = None,
  slow: bool = False,
  exposure: float | Literal["auto"] = "auto",
  audio: Literal["keep", "stretch", "drop"] | None = None,
  crf: int = 14,
  weights: str = "tiny",
  on_progress: Callable[[float], None] = lambda done: None,
) -> Output:
  """Makes a video of more frames a second, or one that plays slower.

  Input frames keep their own times. Between two shots nothing is made up: the
  last frame of a shot is held. Frames that only repeat the one before are
  replaced. Beside the video, `<path_out>.json` says of every frame what it
  is: "observed" (a frame of the input as it was), "restored" (one that was
  deblurred), "synthesised" or "held".

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv.
    factor: frames for each input frame, 2 to `MOST_FACTOR`; 2 if neither this
      nor `fps` is given.
    fps: frames per second (of the scene) instead.
    slow: play at the input's rate, so much slower, instead of at a higher
      rate for as long as the input.
    exposure: open-shutter time / frame interval of the input, 0 (sharp) to 1;
      "auto": judged from the picture.
    audio: "keep" as it is; "stretch" to the new length, at its old pitch; or
      "drop". By default it is kept, or stretched if `slow`.
    crf: quality of the picture, 0 (lossless) to 51 (worst).
    weights: shipped weights, or a file of exported ones.
    on_progress: called now and then with the share that is done, 0..1.

  Returns:
    What was written.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written, or
      these settings do not go together.
  """
  _check(path_in, path_out, factor, fps, exposure, audio, crf)
  found = survey_lib.survey(
    path_in, lambda done: on_progress(done * _SURVEY_SHARE)
  )
  maker = FrameInterpolator(superres_weights.load(weights))
  shutter = _judge(maker, found.busiest) if exposure == "auto" else exposure
  if fps is not None:
    wanted = Fraction(fps).limit_denominator(100_000)
    ratio = wanted / found.info.fps
    moments = _even_moments(found, wanted)
    if ratio > MOST_FACTOR:
      raise SpeedflowError(
        f"{path_in}: {float(wanted):g} frames per second are {float(ratio):.4g}"
        f" times its own; at most {MOST_FACTOR} times are made"
      )
  else:
    ratio = Fraction(factor or 2)
    wanted = found.info.fps * ratio
    moments = _divided_moments(found, int(ratio))
  slowdown = ratio if slow else Fraction(1)
  total = max(float((found.end - found.times[0]) * wanted), 1.0)
  uneven = fps is None and found.info.variable_frame_rate
  writer = media.VideoWriter(
    path_out,
    wanted / slowdown,
    (found.info.width, found.info.height),
    crf=crf,
    audio=slow_audio.sound(
      path_in,
      audio or ("stretch" if slow else "keep"),
      found.times[0],
      slowdown,
    ),
    time_base=found.info.time_base * slowdown / ratio if uneven else None,
  )
  sidecar = f"{os.fspath(path_out)}.json"
  counts: dict[str, int] = {}
  with contextlib.ExitStack() as stack:
    frames = stack.enter_context(media.VideoReader(path_in))
    notes = stack.enter_context(_Provenance(sidecar))
    stack.enter_context(writer)
    notes.begin(
      input=os.path.basename(path_in),
      output=os.path.basename(path_out),
      factor=str(ratio),
      slowdown=str(slowdown),
      exposure=shutter,
      weights=weights,
    )
    made = _frames(frames, found, moments, maker, shutter)
    for number, frame in enumerate(made):
      time = found.times[0] + (frame.time - found.times[0]) * slowdown
      writer.write(frame.image, time)
      notes.frame(frame, time)
      counts[frame.kind] = counts.get(frame.kind, 0) + 1
      on_progress(
        min(_SURVEY_SHARE + (1 - _SURVEY_SHARE) * number / total, 1.0)
      )
  on_progress(1.0)
  return Output(
    path=os.fspath(path_out),
    provenance=sidecar,
    fps=wanted / slowdown,
    factor=ratio,
    slowdown=slowdown,
    exposure=shutter,
    counts=counts,
  )


def _check(path_in, path_out, factor, fps, exposure, audio, crf) -> None:
  if factor is not None and fps is not None:
    raise SpeedflowError("give --factor or --fps, not both")
  if factor is not None and not 2 <= factor <= MOST_FACTOR:
    raise SpeedflowError(f"--factor is {factor}; wanted 2 to {MOST_FACTOR}")
  if fps is not None and not 0 < fps < float("inf"):
    raise SpeedflowError(f"--fps is {fps}; wanted frames per second above 0")
  if exposure != "auto" and not 0 <= exposure <= 1:
    raise SpeedflowError(f"--exposure is {exposure}; wanted auto, or 0 to 1")
  if audio not in (None, "keep", "stretch", "drop"):
    raise SpeedflowError(f"--audio is {audio}; wanted keep, stretch or drop")
  if not 0 <= crf <= 51:
    raise SpeedflowError(f"--crf is {crf}; wanted 0 (lossless) to 51")
  if pathlib.Path(path_in).resolve() == pathlib.Path(path_out).resolve():
    raise SpeedflowError(
      f"{path_out}: input and output are one file; name another output"
    )


def _divided_moments(
  found: survey_lib.Survey, factor: int
) -> Iterator[Fraction]:
  """Times at every 1 / factor of every interval, the last one included."""
  ends = itertools.chain(found.times[1:], [found.end])
  for start, end in zip(found.times, ends, strict=True):
    for part in range(factor):
      yield start + (end - start) * Fraction(part, factor)


def _even_moments(
  found: survey_lib.Survey, fps: Fraction
) -> Iterator[Fraction]:
  """Times at an even rate, from the first frame to the end of the last."""
  for number in itertools.count():
    time = found.times[0] + number / fps
    if time >= found.end:
      return
    yield time


def _frames(
  frames: media.VideoReader,
  found: survey_lib.Survey,
  moments: Iterator[Fraction],
  maker: FrameInterpolator,
  exposure: float | None,
) -> Iterator[_Made]:
  """Every output frame, in order."""
  kept = (
    (number, frame.image)
    for number, frame in enumerate(frames)
    if number < len(found.times) and found.true[number]
  )
  pending = next(moments, None)
  sharp = exposure == 0
  before: tuple[int, np.ndarray] | None = None
  for (first, image), after in _pairs(kept):
    end = found.end if after is None else found.times[after[0]]
    inside = []
    while pending is not None and pending < end:
      inside.append(pending)
      pending = next(moments, None)
    start = found.times[first]
    if after is None or found.shot[first] != found.shot[after[0]]:
      last = _Made(start, "observed", image, (first,), 0.0)
      if not sharp and before and found.shot[before[0]] == found.shot[first]:
        (picture,) = maker.between(before[1], image, [1.0], exposure)
        last = _restored(start, picture, (before[0], first))
      yield from _hold(inside, last)
    else:
      shares = [float((time - start) / (end - start)) for time in inside]
      wanted = [share for share in shares if share or not sharp]
      made = maker.between(image, after[1], wanted, exposure)
      for time, share in zip(inside, shares, strict=True):
        if sharp and not share:
          yield _Made(time, "observed", image, (first,), 0.0)
          continue
        frame = _restored(time, next(made), (first, after[0]))
        yield frame._replace(kind="synthesised") if share else frame
    before = first, image


def _restored(
  time: Fraction, picture: Picture, sources: tuple[int, int]
) -> _Made:
  doubt = float(picture.uncertainty.mean())
  return _Made(time, "restored", picture.image, sources, doubt)


def _hold(moments: list[Fraction], last: _Made) -> Iterator[_Made]:
  """The last frame of a shot, shown until the next shot begins."""
  for time in moments:
    kind: Kind = last.kind if time == last.time else "held"
    yield last._replace(time=time, kind=kind)


def _pairs(items):
  """Each item with the next one; None after the last."""
  first, second = itertools.tee(items)
  next(second, None)
  return itertools.zip_longest(first, second)


def _judge(
  maker: FrameInterpolator, pairs: list[survey_lib.Pair]
) -> float | None:
  """0.0 for a sharp video; None for one that is blurred, who knows how much.

  A video is blurred if, where something moves, the network finds much sharper
  edges to explain its frames.
  """
  gains = []
  for first, second in pairs:
    moving = cv2.absdiff(first, second).max(-1) > _MOVING
    if moving.mean() < 1e-3:
      continue
    (restored,) = maker.between(first, second, [0.0], None)
    gains.append(_edges(restored.image, moving) / _edges(first, moving))
  return None if gains and np.median(gains) > _SHARPENED else 0.0


def _edges(image: np.ndarray, where: np.ndarray) -> float:
  """Power of the gradients in a part of the picture, at least 1."""
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  power = (
    cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3) ** 2
    + cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3) ** 2
  )
  return max(float(power[where].mean()), 1.0)


class _Provenance:
  """Writes the JSON beside a video, frame by frame; whole or not at all."""

  def __init__(self, path: str):
    self._path = path
    self._stack = contextlib.ExitStack()
    self._file: IO[str]
    self._separator = ""

  def __enter__(self) -> "_Provenance":
    temporary = self._stack.enter_context(atomic_path(self._path))
    self._file = self._stack.enter_context(open(temporary, "w"))
    return self

  def __exit__(self, kind, error, trace) -> None:
    if kind is None:
      self._file.write("\n]}\n")
    self._stack.__exit__(kind, error, trace)

  def begin(self, **facts) -> None:
    """Writes what holds for the whole video."""
    self._file.write(json.dumps(facts)[:-1] + ', "frames": [')

  def frame(self, made: _Made, time: Fraction) -> None:
    """Notes one frame."""
    entry = {
      "time": str(time),
      "kind": made.kind,
      "sources": made.sources,
      "uncertainty": round(made.uncertainty, 3),
    }
    self._file.write(f"{self._separator}\n{json.dumps(entry)}")
    self._separator = ","
