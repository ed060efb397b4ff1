"""Videos whose cuts are known, spliced of real clips that have none.

Each is a chain of shots of different scenes, joined by hard cuts, dissolves and
fades through black. Within shots are what must not be taken for a cut: flashes,
and clips of few frames a second with fast pans, whip pans and fast action.
"""

import dataclasses
import itertools
import math
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from speedflow import media
from speedflow.evaluation import real_clips

SIZE = (256, 144)
"""Of the spliced pictures, width and height."""

JOINS = ("cut", "dissolve", "fade")
"""Kinds of joins: where a shot ends."""

DISTURBANCES = ("flash", "pan", "whip pan", "action")
"""Kinds of what happens within a shot and is no cut."""

_SHOT = (36, 60)
_DISSOLVE, _FADE, _BLACK, _FLASH = (8, 30), (5, 15), (0, 6), (1, 3)
_FEW_FPS = (8.0, 15.0)
# Share of the width that a view shows of the picture it pans over.
_VIEW = 0.3
_EXPOSURE, _BLUR_STEPS = 0.5, 32
_LONGEST = 150


class Event(NamedTuple):
  """Something that happens in a spliced video.

  Attributes:
    kind: one of `JOINS` or `DISTURBANCES`.
    first: number of the first frame concerned; of a cut, of the new shot.
    end: number after the last frame concerned.
  """

  kind: str
  first: int
  end: int


@dataclasses.dataclass(frozen=True, eq=False)
class Splice:
  """A video, and what happens in it.

  Attributes:
    images: uint8 RGB [h, w, 3] each, of `SIZE`.
    events: in order of their first frames.
    groups: scene groups of the clips it is made of.
  """

  images: list[np.ndarray]
  events: list[Event]
  groups: list[str]


@dataclasses.dataclass(frozen=True)
class Source:
  """A clip without cuts."""

  path: pathlib.Path
  group: str
  fps: float


def sources(data: str | os.PathLike[str], split: str) -> list[Source]:
  """Clips of a split that have no cut, one of each scene group.

  Args:
    data: folder of `clips.csv`.
    split: "train", "val" or "test".
  """
  folder = pathlib.Path(data)
  rows = [
    row
    for row in real_clips.rows(folder)
    if row["split"] == split
    and row["category"] != "timelapse"
    and row["cuts"] == "0"
    and int(row["frames"]) >= 2 * _SHOT[1]
  ]
  found = {
    row["scene_group"]: Source(
      folder / row["file"], row["scene_group"], float(row["fps"])
    )
    for row in rows
  }
  return list(found.values())


def joined(
  clips: Sequence[Source], rng: np.random.Generator, shots: int = 8
) -> Splice:
  """Shots joined in every way, with flashes in every other one.

  Args:
    clips: to choose from, at least as many as shots.
    rng: chooses.
    shots: how many.
  """
  chosen = [clips[k] for k in rng.permutation(len(clips))[:shots]]
  kinds = [*itertools.islice(itertools.cycle(JOINS), shots - 1), "end"]
  kinds[:-1] = rng.permutation(kinds[:-1]).tolist()
  images: list[np.ndarray] = []
  events: list[Event] = []
  before: list[np.ndarray] = []
  kind = "cut"
  for number, (clip, following) in enumerate(zip(chosen, kinds, strict=True)):
    length = int(rng.integers(*_SHOT, endpoint=True))
    tail = _mixed_length(following, rng)
    frames = _read(clip, len(before) + length + tail)
    lead = len(before)
    if lead:
      images += _mixed(kind, before, frames[:lead], rng)
    shot = frames[lead : lead + length]
    if number % 2:
      events.append(_flash(shot, len(images), rng))
    images += shot
    kind, before = following, frames[lead + length :]
    if kind != "end":
      events.append(Event(kind, len(images), len(images) + len(before)))
  return Splice(images, events, [clip.group for clip in chosen])


def panned(
  clip: Source, kind: str, rng: np.random.Generator, pans: int = 3
) -> Splice:
  """A view that stands, pans fast over a picture, and stands again.

  Of few frames a second: a pan moves on by 20 to 60 % of the view from frame to
  frame, and is blurred by an open shutter; a whip pan is over in two to four.

  Args:
    clip: whose frames are panned over.
    kind: "pan" or "whip pan".
    rng: chooses.
    pans: how many.
  """
  fps = rng.uniform(*_FEW_FPS)
  step = max(round(clip.fps / fps), 1)
  places, events = [_still(0.0)], []
  side = 0
  for _ in range(pans):
    start = sum(map(len, places))
    if kind == "pan":
      count = math.ceil((1 / _VIEW - 1) / rng.uniform(0.2, 0.6))
      shares = np.linspace(0, 1, count + 1)[1:]
    else:
      count = int(rng.integers(3, 5, endpoint=True))
      shares = (1 - np.cos(np.pi * np.linspace(0, 1, count + 1)[1:])) / 2
    places.append(np.abs(side - shares))
    side = 1 - side
    places.append(_still(float(side)))
    events.append(Event(kind, start, start + count))
  way = np.concatenate(places)
  frames = _read(clip, len(way), step, size=None)
  if len(frames) < len(way):
    # Back and forth, where the clip is short.
    turned = itertools.cycle([*frames, *frames[-2:0:-1]])
    frames = list(itertools.islice(turned, len(way)))
  steps = np.diff(way, prepend=way[0])
  images = [
    _view(frame, place, moved)
    for frame, place, moved in zip(frames, way, steps, strict=True)
  ]
  return Splice(images, events, [clip.group])


def action(clip: Source, rng: np.random.Generator) -> Splice:
  """A whole clip at few frames a second, as it is."""
  step = max(round(clip.fps / rng.uniform(*_FEW_FPS)), 1)
  frames = _read(clip, _LONGEST, step)
  return Splice(frames, [Event("action", 0, len(frames))], [clip.group])


def _still(place: float) -> np.ndarray:
  return np.full(12, place)


def _read(
  clip: Source,
  count: int,
  step: int = 1,
  size: tuple[int, int] | None = SIZE,
) -> list[np.ndarray]:
  """Every so manieth frame, from the beginning."""
  with media.VideoReader(clip.path, size=size) as reader:
    return [
      frame.image for frame in itertools.islice(reader, 0, count * step, step)
    ]


def _mixed_length(kind: str, rng: np.random.Generator) -> int:
  if kind == "dissolve":
    return int(rng.integers(*_DISSOLVE, endpoint=True))
  if kind == "fade":
    half = int(rng.integers(*_FADE, endpoint=True))
    return 2 * half + int(rng.integers(*_BLACK, endpoint=True))
  return 0


def _mixed(
  kind: str,
  before: Sequence[np.ndarray],
  after: Sequence[np.ndarray],
  rng: np.random.Generator,
) -> list[np.ndarray]:
  """The frames of a dissolve or a fade through black."""
  count = len(before)
  shares = np.arange(1, count + 1) / (count + 1)
  if kind == "dissolve":
    weights = zip(1 - shares, shares, strict=True)
  else:
    ramp = rng.uniform(0.35, 0.5)
    weights = zip(
      np.maximum(1 - shares / ramp, 0),
      np.maximum(1 - (1 - shares) / ramp, 0),
      strict=True,
    )
  return [
    cv2.addWeighted(one, float(a), other, float(b), 0)
    for one, other, (a, b) in zip(before, after, weights, strict=True)
  ]


def _flash(
  shot: list[np.ndarray], first: int, rng: np.random.Generator
) -> Event:
  """Lights up one to three frames in the middle of a shot, in place."""
  count = int(rng.integers(*_FLASH, endpoint=True))
  begin = int(rng.integers(12, len(shot) - 12 - count))
  light = rng.uniform(0.5, 1.0)
  gain = rng.uniform(1.0, 2.5)
  for place in range(begin, begin + count):
    # It fades from frame to frame, as a flash over a rolling shutter does.
    strength = light * rng.uniform(0.6, 1.0)
    lit = cv2.addWeighted(
      shot[place], gain * (1 - strength), shot[place], 0, 255 * strength
    )
    shot[place] = lit
  return Event("flash", first + begin, first + begin + count)


def _view(frame: np.ndarray, place: float, moved: float) -> np.ndarray:
  """What is seen of a picture at a place, blurred by how far it has moved."""
  height, width = frame.shape[:2]
  view_width = round(_VIEW * width)
  view_height = min(round(view_width * SIZE[1] / SIZE[0]), height)
  top = (height - view_height) // 2
  total = np.zeros((view_height, view_width, 3), np.float32)
  for share in np.linspace(-0.5, 0.5, _BLUR_STEPS):
    at = np.clip(place + share * _EXPOSURE * moved, 0, 1)
    left = round(float(at) * (width - view_width))
    total += frame[top : top + view_height, left : left + view_width]
  return cv2.resize((total / _BLUR_STEPS).astype(np.uint8), SIZE)
