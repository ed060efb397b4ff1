"""Slow motion of a clip, beside what FFmpeg makes of it."""

import pathlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from speedflow import api, media
from speedflow.demo import clips
from speedflow.pages import page
from speedflow.superres import provenance, report

_FACTOR = 8
# Little enough for a demonstration on one CPU core.
_FRAMES = 14
_SHORT_SIDE = 192

_LEAD = (
  f"{_FACTOR} times slower: between any two frames that were filmed, "
  f"{_FACTOR - 1} are made."
)


def write(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
  """Writes `slow.html`, its clips, and a report.

  Args:
    source: a video.
    folder: where to.

  Returns:
    The page.

  Raises:
    SpeedflowError: the video cannot be read, or the folder not be written.
  """
  images, fps = clips.read_frames(source)
  images = [_reduced(image) for image in images[:_FRAMES]]
  made = folder / "clips"
  before, ours, theirs = (
    made / f"{source.stem}-{name}.mp4"
    for name in ("filmed", "slow", "slow-minterpolate")
  )
  _write(before, images, fps)
  api.superres(before, ours, factor=_FACTOR, slow=True)
  _write(theirs, minterpolate(images, _FACTOR), fps)
  report.write(folder / "slow-report.html", before, ours)
  path = folder / "slow.html"
  page.write(
    path,
    "speedflow.demo",
    "slow.html",
    title="Slow motion",
    lead=_LEAD,
    videos=[
      (title, page.player(video_path, folder, images[0]))
      for title, video_path in (
        ("filmed", before),
        ("speedflow", ours),
        ("minterpolate", theirs),
      )
    ],
    close_ups=_close_ups(ours, theirs),
  )
  return path


def minterpolate(
  images: Iterable[np.ndarray], factor: int
) -> Iterator[np.ndarray]:
  """FFmpeg's motion-compensated interpolation.

  Args:
    images: uint8 RGB [h, w, 3], at even distances.
    factor: frames for each of them.

  Yields:
    uint8 RGB [h, w, 3]; none after the last two frames, which the filter keeps
    to itself.
  """
  graph: Graph | None = None
  for number, image in enumerate([*images, None]):
    if image is None:
      assert graph is not None
      graph.vpush(None)
    else:
      if graph is None:
        graph = _graph(image.shape[1], image.shape[0], factor)
      frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
      frame.pts, frame.time_base = number, Fraction(1)
      graph.vpush(frame)
    while True:
      try:
        yield graph.vpull().to_ndarray()
      except (BlockingIOError, EOFError):
        break


def _graph(width: int, height: int, factor: int) -> Graph:
  graph = Graph()
  graph.link_nodes(
    graph.add_buffer(
      width=width,
      height=height,
      format=VideoFormat("rgb24", width, height),
      time_base=Fraction(1),
    ),
    graph.add("minterpolate", f"fps={factor}:mi_mode=mci:scd=none"),
    graph.add("format", "rgb24"),
    graph.add("buffersink"),
  ).configure()
  return graph


def _write(
  path: pathlib.Path, images: Iterable[np.ndarray], fps: Fraction
) -> None:
  images = iter(images)
  first = next(images)
  with media.VideoWriter(path, fps, first.shape[1::-1]) as writer:
    writer.write(first)
    for image in images:
      writer.write(image)


def _close_ups(
  ours: pathlib.Path, theirs: pathlib.Path
) -> list[dict[str, Any]]:
  """The least sure interval that both have, in both."""
  notes = provenance.read(ours)["frames"]
  with media.VideoReader(ours) as reader:
    mine = [frame.image for frame in reader]
  with media.VideoReader(theirs) as reader:
    others = [frame.image for frame in reader]
  both = min(len(mine), len(others) - _FACTOR)
  (worst, *_) = sorted(
    report.least_sure(notes[:both], np.arange(float(both))),
    key=lambda number: -notes[number]["worst"]["uncertainty"],
  )
  x, y = (notes[worst]["worst"][axis] for axis in "xy")
  first = worst // _FACTOR * _FACTOR
  return [
    {
      "title": title,
      "pictures": [
        (number, page.jpeg_uri(report.close_up(images[number], x, y)))
        for number in range(first, first + _FACTOR + 1, 2)
      ],
    }
    for title, images in (("speedflow", mine), ("minterpolate", others))
  ]


def _reduced(image: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  scale = min(_SHORT_SIDE / min(height, width), 1.0)
  size = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
