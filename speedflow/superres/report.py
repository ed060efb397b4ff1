"""A page about a slowed video: what was seen, what was made, how sure."""

import os
import pathlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from speedflow import media
from speedflow.pages import page
from speedflow.superres import marker, plot, provenance

_Notes = Sequence[dict[str, Any]]

_STRIP_FRAMES = 9
_STRIP_HEIGHT = 96
_CLOSE_HEIGHT = 220
_WORST = 4
# Worst moments are told apart if they lie so far from each other.
_APART_S = 0.5
# Files may round times to milliseconds.
_TOLERANCE_S = Fraction(1, 1900)

_MEANING: dict[marker.Kind, str] = {
  "observed": "a frame of the input, as it was",
  "restored": "a frame of the input, deblurred",
  "synthesised": "made between two frames of the input; nobody filmed it",
  "held": "the last frame of a shot, shown until the next one begins",
  "averaged": "the mean of moments while the shutter is open",
}


def write(
  path: str | os.PathLike[str],
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
  *,
  words: str | None = None,
  speed_svg: str | None = None,
) -> None:
  """Writes the page; videos are linked relative to its folder.

  Args:
    path: the page.
    path_in: the video before.
    path_out: the video after, with the JSON beside it.
    words: what was done, in a sentence; by default, that it was slowed.
    speed_svg: a drawing of the speed over time, to be shown.

  Raises:
    SpeedflowError: one of these cannot be read or written.
  """
  path, before, after = (pathlib.Path(p) for p in (path, path_in, path_out))
  facts = provenance.read(after)
  frames: _Notes = facts["frames"]
  start = Fraction(frames[0]["time"])
  times_s = np.array([float(Fraction(f["time"]) - start) for f in frames])
  end_s = float(Fraction(facts["end"]) - start)
  worst = least_sure(frames, times_s)
  svg = plot.time_svg(frames, times_s, end_s, worst)
  shown = _small(_picture(after, frames[0]["time"]), _CLOSE_HEIGHT)
  page.write(
    path,
    "speedflow.superres",
    "slowed.html",
    title=f"{after.name}: seen or made?",
    duration_s=end_s,
    words=words or in_words(facts),
    speed=speed_svg and page.data_uri("image/svg+xml", speed_svg.encode()),
    after=page.player(after, path.parent, shown),
    before=page.player(before, path.parent, None),
    kinds=[
      {
        "name": kind,
        "colour": plot.hex_colour(kind),
        "count": sum(frame["kind"] == kind for frame in frames),
        "meaning": meaning,
      }
      for kind, meaning in _MEANING.items()
      # Most videos are slowed, where no such frames are.
      if kind != "averaged" or any(f["kind"] == kind for f in frames)
    ],
    uncertainty=page.data_uri("image/svg+xml", svg.encode()),
    whole=_strips(before, after, frames, times_s, _spread(len(frames))),
    # Pictures are made when the page has come to them.
    moments=(_moment(before, after, frames, times_s, n) for n in worst),
    limits=limits(facts),
  )


def in_words(facts: dict[str, Any]) -> str:
  """What was done, in a sentence or two."""
  frames: _Notes = facts["frames"]
  factor, slowdown = Fraction(facts["factor"]), Fraction(facts["slowdown"])
  seen = sum(frame["kind"] in ("observed", "restored") for frame in frames)
  made = [f for f in frames if f["kind"] == "synthesised"]
  text = (
    f"{facts['input']} with {float(factor):.4g} times as many frames"
    f"{f', {float(slowdown):.4g} times slower' if slowdown != 1 else ''}. "
    f"Of {len(frames)} frames, {seen} were filmed and {len(made)} were made up"
    " between two that were filmed"
  )
  doubts = [frame["uncertainty"] for frame in made]
  if doubts:
    text += (
      f"; these are expected to be off by {np.mean(doubts):.1f} grey levels of"
      f" 255 on average, {max(doubts):.1f} at worst"
    )
  return f"{text}."


def limits(facts: dict[str, Any]) -> list[str]:
  """What cannot be known about the video, in sentences."""
  frames: _Notes = facts["frames"]
  kinds = {frame["kind"] for frame in frames}
  told = [
    "A frame that was made shows what could have been between two frames, not "
    "what was: what came and went between them is missing, and what moved is "
    "drawn on a straight path.",
    "What both neighbouring frames hide is filled with what is around it; the "
    "expected error does not cover that.",
    "An expected error is an average over other videos. Do not measure places, "
    "times or contacts on frames that were made.",
  ]
  if "restored" in kinds:
    told.append(
      "Detail in restored frames is inferred from blur: it fits the frame, as "
      "other detail may, too."
    )
  blurred = sum(exposure > 0 for exposure in facts["exposure"])
  if blurred:
    told.append(
      f"{blurred} of {len(facts['exposure'])} shots are taken to be blurred; "
      "how long the shutter was open is an estimate, unless it was given."
    )
  if facts["repeats"]:
    told.append(
      f"{facts['repeats']} frames of the input only repeat the one before, and "
      "were replaced; a true standstill of that length looks the same."
    )
  held = sum(frame["kind"] == "held" for frame in frames)
  if held:
    told.append(
      f"{held} frames are held, before a cut or at the end: what happened "
      "meanwhile is not known, and nothing was made up."
    )
  if not kinds & {"observed", "restored"}:
    told.append("Not one frame is at the time of a frame that was filmed.")
  if facts["damage"]:
    told.append(f"The input is {facts['damage']}; the rest is missing.")
  return told


def least_sure(frames: _Notes, times_s: np.ndarray) -> list[int]:
  """Numbers of the frames that are least sure, not close to each other.

  Args:
    frames: notes of the JSON.
    times_s: when each is shown; float64 [n].
  """
  order = sorted(
    (n for n, frame in enumerate(frames) if "worst" in frame),
    key=lambda number: -frames[number]["worst"]["uncertainty"],
  )
  chosen: list[int] = []
  for number in order:
    if all(abs(times_s[number] - times_s[n]) >= _APART_S for n in chosen):
      chosen.append(number)
    if len(chosen) == _WORST:
      break
  return sorted(chosen)


def _spread(count: int) -> list[int]:
  return sorted(
    set(np.linspace(0, count - 1, _STRIP_FRAMES).round().astype(int))
  )


def _moment(
  before: pathlib.Path,
  after: pathlib.Path,
  frames: _Notes,
  times_s: np.ndarray,
  number: int,
) -> dict[str, Any]:
  """One moment: the two frames that were filmed, and what was made of them."""
  frame = frames[number]
  place = frame["worst"]
  first = max(min(number - _STRIP_FRAMES // 2, len(frames) - _STRIP_FRAMES), 0)
  around = range(first, min(first + _STRIP_FRAMES, len(frames)))
  return {
    "time_s": times_s[number],
    "uncertainty": place["uncertainty"],
    "around": _strips(before, after, frames, times_s, around),
    "close_ups": [
      {
        "title": title,
        "time_s": float(Fraction(time)),
        "uri": page.jpeg_uri(
          close_up(_picture(video, time), place["x"], place["y"])
        ),
      }
      for title, video, time in (
        ("filmed before", before, frame["source_times"][0]),
        (frame["kind"], after, frame["time"]),
        ("filmed after", before, frame["source_times"][-1]),
      )
    ],
  }


def _strips(
  before: pathlib.Path,
  after: pathlib.Path,
  frames: _Notes,
  times_s: np.ndarray,
  numbers: Sequence[int],
) -> list[dict[str, Any]]:
  """Frames, and what the input shows at the same moments."""
  columns = []
  for number in numbers:
    frame = frames[number]
    *_, earlier = (
      time
      for time in frame["source_times"]
      if Fraction(time) <= Fraction(frame["input_time"])
    )
    columns.append(
      {
        "time_s": times_s[number],
        "filmed": _thumbnail(before, earlier, "observed"),
        "shown": _thumbnail(after, frame["time"], frame["kind"]),
      }
    )
  return columns


def _thumbnail(
  video: pathlib.Path, time: str, kind: marker.Kind
) -> dict[str, str]:
  image = _small(_picture(video, time), _STRIP_HEIGHT)
  return {"kind": kind, "uri": page.jpeg_uri(image)}


def _picture(video: pathlib.Path, time: str) -> np.ndarray:
  """The frame of a video at a time; uint8 [h, w, 3]."""
  start = Fraction(time) - _TOLERANCE_S
  with media.VideoReader(video, start_s=start) as reader:
    return next(reader).image


def _small(image: np.ndarray, height: int) -> np.ndarray:
  width = max(round(image.shape[1] * height / image.shape[0]), 1)
  return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def close_up(image: np.ndarray, x: float, y: float) -> np.ndarray:
  """A third of a picture around a place, 0..1 of its size, enlarged."""
  height, width = image.shape[:2]
  size = max(height // 3, 1), max(width // 3, 1)
  top = round(min(max(y * height - size[0] / 2, 0), height - size[0]))
  left = round(min(max(x * width - size[1] / 2, 0), width - size[1]))
  part = image[top : top + size[0], left : left + size[1]]
  scale = _CLOSE_HEIGHT / size[0]
  return cv2.resize(
    part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
  )
