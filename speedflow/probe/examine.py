"""From a file to what it is and declares; no picture is looked at."""

import os
from collections.abc import Callable

from speedflow import declared, media
from speedflow.media import container as media_container
from speedflow.probe.answer import Probe, Track


def examine(
  path: str | os.PathLike[str],
  on_progress: Callable[[float], None] | None = None,
) -> Probe:
  """Says what a file is, and what it declares of its capture.

  Args:
    path: a video file.
    on_progress: called with the share that is done, 0..1.

  Raises:
    SpeedflowError: it cannot be read.
  """
  advance = on_progress or (lambda done: None)
  info = media.probe(path)
  with media_container.open_container(path) as container:
    name = container.format.name
    tracks = tuple(
      Track(
        stream.codec_context.codec.canonical_name,
        stream.codec_context.sample_rate,
        stream.codec_context.channels,
      )
      for stream in container.streams.audio
      # Of a codec that FFmpeg does not know.
      if stream.codec_context is not None
    )
  advance(0.5)
  found = declared.read(path, info)
  advance(1.0)
  return Probe(
    os.fspath(path),
    "ok",
    container=name,
    info=info,
    sound=tracks,
    declared=found,
  )
