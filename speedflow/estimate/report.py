"""Pages that show how fast videos play.

A page is one HTML file that needs no network: pictures are embedded, videos
are linked by relative path.
"""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from speedflow import media, wording
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import plot
from speedflow.pages import drawing, page

# Of the overview's scale.
_TICKS = {
  1 / 8: "1/8x",
  1 / 4: "1/4x",
  1 / 2: "1/2x",
  1: "1x",
  2: "2x",
  4: "4x",
  8: "8x",
}
_STRIP_FRAMES = 8
_STRIP_HEIGHT = 96


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Videos that belong together on a page."""

  title: str
  exhibits: tuple[plot.Exhibit, ...]
  note: str = ""


def write(
  estimates: Sequence[estimate_lib.Estimate], path: str | os.PathLike[str]
) -> None:
  """Shows the answers about files as a .png picture or an .html page."""
  path = pathlib.Path(path)
  exhibits = [
    plot.Exhibit(
      title=wording.shown(pathlib.Path(e.file).name),
      estimate=e,
      video=pathlib.Path(e.file) if e.status != "error" else None,
    )
    for e in estimates
  ]
  if path.suffix.lower() == ".png":
    plot.write_picture(path, exhibits)
  else:
    groups = [Group("", (exhibit,)) for exhibit in exhibits]
    write_page(path, "How fast does it play?", "", groups)


@dataclasses.dataclass(frozen=True)
class Link:
  """Another page: its file, beside this one, its title, and its caveat."""

  file: str
  title: str
  note: str


def write_page(
  path: pathlib.Path,
  title: str,
  lead: str,
  groups: Sequence[Group],
  links: Sequence[Link] = (),
) -> None:
  """Writes a page with players, curves and film strips.

  Args:
    path: where; videos are linked relative to its folder.
    title: the heading.
    lead: a paragraph below it, or "".
    groups: what to show, in order.
    links: what else there is; listed first.
  """
  page.write(
    path,
    "speedflow.estimate",
    "estimates.html",
    title=title,
    lead=lead,
    links=links,
    groups=[
      {
        "title": group.title,
        "note": group.note,
        "exhibits": [_shown(e, path.parent) for e in group.exhibits],
      }
      for group in groups
    ],
    ticks=[(_percent(speed), label) for speed, label in _TICKS.items()],
  )


def film_strip(
  video: pathlib.Path, duration_s: float, count: int, height: int
) -> list[tuple[float, np.ndarray]]:
  """Takes frames at equal distances from a video.

  Args:
    video: the file.
    duration_s: its length in seconds.
    count: how many frames; fewer come back from a shorter file.
    height: their height in pixels.

  Returns:
    Pairs of a time in seconds after the first frame and an image, uint8
    [height, w, 3], RGB.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  with media.VideoReader(video) as reader:
    first = next(iter(reader)).time
  frames: list[tuple[float, np.ndarray]] = []
  for number in range(count):
    wanted = (number + 0.5) * duration_s / count
    # From the nearest keyframe on, so that a long file takes no longer.
    with media.VideoReader(video, start_s=float(first) + wanted) as reader:
      frame = next(iter(reader), None)
    if frame is None:
      break
    time_s = float(frame.time - first)
    if frames and time_s <= frames[-1][0]:
      continue
    width = max(1, round(frame.image.shape[1] * height / frame.image.shape[0]))
    image = cv2.resize(
      frame.image, (width, height), interpolation=cv2.INTER_AREA
    )
    frames.append((time_s, image))
  return frames


def _shown(exhibit: plot.Exhibit, folder: pathlib.Path) -> dict[str, Any]:
  """What the page shows of an exhibit; its video is linked from `folder`.

  Its pictures are made when the page has come to them, one exhibit's at a time.
  """
  estimate = exhibit.estimate
  shown: dict[str, Any] = {
    "exhibit": exhibit,
    "duration_s": estimate.duration_s or 0.0,
    "mean": None,
    "interval": None,
    "pictures": functools.partial(_pictures, exhibit, folder),
  }
  if exhibit.expected_mean is not None:
    shown["mean"] = _percent(exhibit.expected_mean)
  if estimate.status == "ok":
    speeds = (estimate.speed_low, estimate.speed, estimate.speed_high)
    shown["interval"] = [_percent(speed or 1.0) for speed in speeds]
  return shown


def _pictures(exhibit: plot.Exhibit, folder: pathlib.Path) -> dict[str, Any]:
  estimate = exhibit.estimate
  duration_s = estimate.duration_s
  frames = []
  if exhibit.video is not None and duration_s:
    frames = film_strip(exhibit.video, duration_s, _STRIP_FRAMES, _STRIP_HEIGHT)
  poster = frames[0][1] if frames else None
  return {
    "player": exhibit.video and page.player(exhibit.video, folder, poster),
    "curve": page.data_uri("image/svg+xml", plot.curve_svg(exhibit).encode()),
    "frames": [
      {
        "time_s": time_s,
        "uri": page.jpeg_uri(image),
        "label": _speed_at(estimate, time_s),
      }
      for time_s, image in frames
    ],
  }


def _speed_at(estimate: estimate_lib.Estimate, time_s: float) -> str:
  if estimate.status == "ok" and estimate.curve is not None:
    return f"{estimate.curve.at(time_s):.2g}x"
  return "?"


def _percent(speed: float) -> float:
  """A speed's place on the overview's scale."""
  octaves = min(max(math.log2(speed), -drawing.OCTAVES), drawing.OCTAVES)
  return 50 + 50 * octaves / (drawing.OCTAVES + 0.3)
