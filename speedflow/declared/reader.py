"""From a file to all that it declares of its capture."""

import os
import pathlib
from collections.abc import Mapping

from speedflow import media
from speedflow.declared import (
  android,
  apple,
  edits,
  fujifilm,
  gopro,
  highspeed,
  samsung,
  sony,
  stamps,
  tools,
)
from speedflow.declared import boxes as boxes_lib
from speedflow.declared.declaration import Declaration, Retiming, Statement
from speedflow.media import container as media_container

_BOXED = "mp4"
_CINE = "cine"


def read(path: str | os.PathLike[str]) -> Declaration:
  """Reads what a video file declares of its capture.

  Args:
    path: the file.

  Raises:
    SpeedflowError: it cannot be opened, or has no picture.
  """
  file = pathlib.Path(path)
  with media_container.open_container(file) as container:
    stream = media_container.video_stream(container)
    if stream is None:
      # Its refusal says what is wrong.
      media.probe(file)
      return Declaration()
    formats = container.format.name.split(",")
    tags = _lower(container.metadata)
    all_tags = [tags, *(_lower(each.metadata) for each in container.streams)]
    found = stamps.read(container, stream)
  retimings: list[Retiming] = []
  statements: list[Statement] = [
    *highspeed.of_photron(file),
    *android.statements(tags),
    *apple.statements(tags, found.fps),
  ]
  with file.open("rb") as opened:
    boxes = boxes_lib.Boxes(opened)
    if _CINE in formats:
      statements += highspeed.of_cine(boxes)
    if _BOXED in formats:
      statements += samsung.statements(boxes)
      statements += sony.statements(boxes, file)
      statements += gopro.statements(boxes)
      statements += fujifilm.statements(boxes)
      capture_fps = next(
        (s.capture_fps for s in statements if s.capture_fps), None
      )
      retimings += edits.retimings(boxes)
      retimings += samsung.retimings(boxes, capture_fps)
  if (beside := apple.sidecar(file)) is not None:
    retimings += apple.retimings(beside)
  return Declaration(
    stored_fps=found.fps,
    steady=found.steady,
    # Stable: of those that cameras write, the first stays first.
    statements=tuple(sorted(statements, key=lambda s: not s.by_camera)),
    retimings=tuple(retimings),
    tools=tools.names(all_tags, found.first_packet),
  )


def companions(path: str | os.PathLike[str]) -> list[pathlib.Path]:
  """The files beside a video that `read` reads as well."""
  file = pathlib.Path(path)
  beside = [sony.sidecar(file), apple.sidecar(file)]
  return [*media.files_of(file)[1:], *(each for each in beside if each)]


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
  """Tags by name in lower case: Matroska's are in upper case."""
  return {key.lower(): value for key, value in tags.items()}
