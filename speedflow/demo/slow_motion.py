"""Slow motion of a clip, beside what FFmpeg makes of it."""

import pathlib
from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from speedflow import media
from speedflow.demo import clips
from speedflow.pages import page
from speedflow.superres import provenance, report, video

_FACTOR = 8
# Little enough for a demonstration on one CPU core.
_FRAMES = 14
_SHORT_SIDE = 192

_LEAD = (
  f"{_FACTOR} times slower: between any two frames that were filmed, "
  f"{_FACTOR - 1} are made."
)

_READING = """<p>Left to right: the clip, slow motion by speedflow, and by
FFmpeg's minterpolate. Below, the part of the picture where speedflow is least
sure, from one filmed frame to the next; the first and the last column were
filmed. What lies between was not: it is a guess, and the
<a href="slow-report.html">report</a> says how sure it is.</p>"""


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
  video.superres(before, ours, factor=_FACTOR, slow=True)
  _write(theirs, minterpolate(images, _FACTOR), fps)
  report.write(folder / "slow-report.html", before, ours)
  players = "".join(
    f"<figure>{page.player(path, folder, images[0])}<figcaption>{title}"
    "</figcaption></figure>"
    for title, path in (
      ("filmed", before),
      ("speedflow", ours),
      ("minterpolate", theirs),
    )
  )
  body = (
    f"<style>{_STYLE}</style><article><div class=pair>{players}</div>"
    f"{_close_ups(ours, theirs)}</article>"
  )
  path = folder / "slow.html"
  page.write(path, "Slow motion", _LEAD, body, _READING)
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


def _close_ups(ours: pathlib.Path, theirs: pathlib.Path) -> str:
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
  place = notes[worst]["worst"]
  first = worst // _FACTOR * _FACTOR
  rows = []
  for title, images in (("speedflow", mine), ("minterpolate", others)):
    figures = "".join(
      f'<img src="{page.jpeg_uri(close)}" alt="{title}, frame {number}">'
      for number in range(first, first + _FACTOR + 1, 2)
      for close in [report.close_up(images[number], place["x"], place["y"])]
    )
    rows.append(f"<h3>{title}</h3><div class=close>{figures}</div>")
  return "".join(rows)


def _reduced(image: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  scale = min(_SHORT_SIDE / min(height, width), 1.0)
  size = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


_STYLE = """
figure { margin: 0; }
article h3 { margin: 18px 0 6px; font-size: 14px; }
.close { display: flex; gap: 6px; }
.close img { flex: 1 1 0; min-width: 0; border-radius: 6px; }
"""
