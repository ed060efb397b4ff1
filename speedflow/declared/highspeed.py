"""High-speed cameras: Phantom's .cine and Photron's .cih and .cihx.

A .cine file begins with "CI"; its SETUP block, at the offset in bytes 28 to 31,
has the rate of filming in 32 bits at byte 768, which FFmpeg (cinedec.c) takes
for the time base: decoded pictures follow one another as they were filmed. So
do those of Photron's recordings (`media.photron`). Time stamps of both are
those of the world, and the speed is 1 until somebody plays them slower.

Source: FFmpeg, libavformat/cinedec.c; Vision Research, "The Cine File Format".
"""

import pathlib
from collections.abc import Iterator

from speedflow.declared import boxes as boxes_lib
from speedflow.declared import numbers
from speedflow.declared.declaration import Statement
from speedflow.media import photron

_SETUP_AT, _RATE_AT = 28, 768


def of_cine(boxes: boxes_lib.Boxes) -> Iterator[Statement]:
  """Yields the rate of a .cine file; nothing of another."""
  head = boxes.bytes_at(0, 44)
  if head[:2] != b"CI" or len(head) < 44:
    return
  setup = int.from_bytes(head[_SETUP_AT : _SETUP_AT + 4], "little")
  value = boxes.bytes_at(setup + _RATE_AT, 4)
  if rate := numbers.rate(int.from_bytes(value, "little")):
    yield Statement(
      "Phantom SETUP",
      f"the camera filmed {rate:.6g} frames a second",
      capture_fps=rate,
      by_camera=True,
    )


def of_photron(path: pathlib.Path) -> Iterator[Statement]:
  """Yields the rate of a Photron recording.

  Args:
    path: of its header or its frames; nothing is said of another file.

  Raises:
    SpeedflowError: it cannot be read.
  """
  if photron.is_recording(path):
    recording = photron.read_header(path)
    yield Statement(
      f"Photron {recording.header.suffix}",
      f"the camera filmed {float(recording.fps):.6g} frames a second",
      capture_fps=float(recording.fps),
      by_camera=True,
    )
