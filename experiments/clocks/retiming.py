"""What retiming by FFmpeg's filters makes of frames."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np


class Recipe(NamedTuple):
  """One way to change the time of a picture.

  Attributes:
    filters: FFmpeg's graph; {fps} is the rate of the frames given.
    rate: of the frames made, over that of those given.
    speed: by which the picture plays afterwards.
    shows: kind and share of true frames of the pattern that is left; None
      where none is expected.
  """

  filters: str
  rate: Fraction
  speed: float
  shows: tuple[str, Fraction] | None


RECIPES = {
  "slowed 0.5x, repeated": Recipe(
    "setpts=2*PTS,fps={fps}", Fraction(1), 0.5, ("repeats", Fraction(1, 2))
  ),
  "slowed 0.8x, repeated": Recipe(
    "setpts=1.25*PTS,fps={fps}", Fraction(1), 0.8, ("repeats", Fraction(4, 5))
  ),
  "slowed 0.5x, blended": Recipe(
    "setpts=2*PTS,minterpolate=fps={fps}:mi_mode=blend",
    Fraction(1),
    0.5,
    ("blends", Fraction(1, 2)),
  ),
  "slowed 0.5x, interpolated": Recipe(
    "setpts=2*PTS,minterpolate=fps={fps}:mi_mode=mci", Fraction(1), 0.5, None
  ),
  "converted to 1.25 times the rate, repeated": Recipe(
    "fps={fps}*5/4", Fraction(5, 4), 1.0, ("repeats", Fraction(4, 5))
  ),
  "converted to twice the rate, blended": Recipe(
    "framerate=fps={fps}*2", Fraction(2), 1.0, ("blends", Fraction(1, 2))
  ),
  "3:2 pulldown": Recipe(
    "fps={fps},telecine=pattern=23", Fraction(5, 4), 1.0, None
  ),
  "sped up 2x, dropped": Recipe(
    "setpts=PTS/2,fps={fps}", Fraction(1), 2.0, None
  ),
  "sped up 2x, averaged": Recipe(
    "tblend=all_mode=average,framestep=2,setpts=PTS/2", Fraction(1), 2.0, None
  ),
}


def retimed(
  images: Sequence[np.ndarray], fps: Fraction, recipe: Recipe
) -> Iterator[np.ndarray]:
  """Frames as the filters make them, uint8 [h, w, 3] each.

  Args:
    images: uint8 [h, w, 3], of even height and width.
    fps: frames per second.
    recipe: one of `RECIPES`.
  """
  height, width = images[0].shape[:2]
  graph = av.filter.Graph()
  nodes = [
    graph.add_buffer(
      width=width,
      height=height,
      format=av.VideoFormat("yuv420p"),
      time_base=1 / fps,
    )
  ]
  for described in recipe.filters.format(fps=fps).split(","):
    nodes.append(graph.add(*described.split("=", 1)))
  nodes.append(graph.add("buffersink"))
  graph.link_nodes(*nodes).configure()
  for number, image in enumerate([*images, None]):
    if image is None:
      graph.vpush(None)
    else:
      frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
      frame.pts, frame.time_base = number, 1 / fps
      graph.vpush(frame)
    while True:
      try:
        yield graph.vpull().to_ndarray(format="rgb24")
      except (BlockingIOError, EOFError):
        break
