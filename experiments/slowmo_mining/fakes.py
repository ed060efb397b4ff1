"""Slow motion that is none: ordinary footage with frames put in between."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

_FPS = 30
_TIME_BASE = Fraction(1, 90_000)


def repeat(frames: Sequence[np.ndarray], factor: int) -> list[np.ndarray]:
  """Every frame shown several times; uint8 RGB [h, w, 3] each."""
  return [frame for frame in frames for _ in range(factor)]


def blend(frames: Sequence[np.ndarray], factor: int) -> list[np.ndarray]:
  """Linear blends between every two frames."""
  made = []
  for first, second in itertools.pairwise(frames):
    for step in range(factor):
      share = step / factor
      mixed = (1 - share) * first.astype(np.float32) + share * second
      made.append(np.rint(mixed).astype(np.uint8))
  return made


def interpolate(frames: Sequence[np.ndarray], factor: int) -> list[np.ndarray]:
  """Motion-compensated frames between every two, by FFmpeg's minterpolate."""
  graph = Graph()
  height, width = frames[0].shape[:2]
  graph.link_nodes(
    graph.add_buffer(
      width=width,
      height=height,
      format=VideoFormat("yuv420p"),
      time_base=_TIME_BASE,
    ),
    graph.add("minterpolate", f"fps={_FPS * factor}:mi_mode=mci:mc_mode=aobmc"),
    graph.add("buffersink"),
  ).configure()
  made: list[np.ndarray] = []
  for number, image in enumerate(frames):
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
    picture = picture.reformat(format="yuv420p")
    picture.pts = round(number / (_FPS * _TIME_BASE))
    picture.time_base = _TIME_BASE
    graph.vpush(picture)
    made += _ready(graph)
  graph.vpush(None)
  return made + list(_ready(graph))


def _ready(graph: Graph) -> Iterator[np.ndarray]:
  while True:
    try:
      yield graph.vpull().to_ndarray(format="rgb24")
    except (BlockingIOError, EOFError):
      return


Fake = Callable[[Sequence[np.ndarray], int], list[np.ndarray]]

KINDS: Mapping[str, Fake] = {
  "repeated": repeat,
  "blended": blend,
  "interpolated": interpolate,
}
"""By name, what makes slow motion of that many times fewer moments."""
