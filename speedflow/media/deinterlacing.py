"""Interlaced pictures made progressive."""

from collections.abc import Iterator

from av.filter import Graph
from av.video.frame import VideoFrame


def deinterlacer(picture: VideoFrame) -> Graph:
  """One progressive frame per interlaced one; others pass unchanged."""
  graph = Graph()
  graph.link_nodes(
    graph.add_buffer(
      width=picture.width,
      height=picture.height,
      format=picture.format,
      time_base=picture.time_base,
    ),
    graph.add("yadif", "mode=send_frame:deint=interlaced"),
    graph.add("buffersink"),
  ).configure()
  return graph


def pull(graph: Graph) -> Iterator[VideoFrame]:
  """The frames that are ready at the end of a filter graph."""
  while True:
    try:
      yield graph.vpull()
    except (BlockingIOError, EOFError):
      return
