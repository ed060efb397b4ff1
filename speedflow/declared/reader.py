"""From a file to all that it declares of its capture."""

import contextlib
import os
import pathlib
from collections.abc import Mapping

import av
from av.container import InputContainer

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
from speedflow.errors import SpeedflowError
from speedflow.media import container as media_container

# Encoders sign within the first hundreds of bytes.
_FIRST_BYTES = 8192
_BOXED = "mp4"
_CINE = "cine"


def read(
  path: str | os.PathLike[str], info: media.VideoInfo | None = None
) -> Declaration:
  """Reads what a video file declares of its capture.

  Args:
    path: the file.
    info: what the file is, where that is known already.

  Raises:
    SpeedflowError: it cannot be opened, or has no moving picture.
  """
  file = pathlib.Path(path)
  found = stamps.pace((info or media.probe(file)).timeline.times)
  with media_container.open_container(file) as container:
    formats = container.format.name.split(",")
    tags = _lower(container.metadata)
    all_tags = [tags, *(_lower(each.metadata) for each in container.streams)]
    first_packet = _first_packet(container)
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
    tools=tools.names(all_tags, first_packet),
  )


def ask(
  path: str | os.PathLike[str],
  ignore_metadata: bool,
  info: media.VideoInfo | None = None,
) -> Declaration | None:
  """Asks a file as a witness beside its picture.

  Args:
    path: a video file whose picture has been read.
    ignore_metadata: whether not to ask it.
    info: what the file is, where that is known already.

  Returns:
    What it declares; None where it is not asked, or cannot answer, which is no
    reason to lose what the picture says.
  """
  if ignore_metadata:
    return None
  try:
    return read(path, info)
  except (SpeedflowError, OSError):
    return None


def companions(path: str | os.PathLike[str]) -> list[pathlib.Path]:
  """The files beside a video that `read` reads as well."""
  file = pathlib.Path(path)
  beside = [sony.sidecar(file), apple.sidecar(file)]
  return [*media.files_of(file)[1:], *(each for each in beside if each)]


def _first_packet(container: InputContainer) -> bytes:
  """The beginning of the first packet of the picture."""
  stream = media_container.video_stream(container)
  with contextlib.suppress(av.FFmpegError):
    packets = media_container.packets(container, stream) if stream else ()
    for packet in packets:
      return bytes(packet)[:_FIRST_BYTES]
  return b""


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
  """Tags by name in lower case: Matroska's are in upper case."""
  return {key.lower(): value for key, value in tags.items()}
