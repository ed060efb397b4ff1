"""The picture of a video as networks look at it: small, grey, shot by shot."""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import IO

import cv2
import numpy as np

from speedflow import media
from speedflow.data import motion, shots
from speedflow.errors import SpeedflowError

_FRAME_BYTES = motion.FRAME_SIZE[0] * motion.FRAME_SIZE[1]


class Picture:
  """A video that may be looked at more than once, and is decoded once.

  Attributes:
    path: the file.
    info: what the file says of itself.
  """

  def __init__(
    self, path: str | os.PathLike[str], kept: IO[bytes] | None = None
  ):
    """Opens the file; frames are decoded when they are first asked for.

    Args:
      path: of the video.
      kept: an empty temporary file for what was decoded, so that memory does
        not grow with the length: 12 kB a frame, 1.3 GB an hour at 30 frames
        per second. Without, every look decodes.

    Raises:
      SpeedflowError: the file cannot be read.
    """
    self.path = path
    self.info = media.probe(path)
    self._kept = kept
    self._stamps: list[tuple[int, Fraction]] | None = None

  def frames(self) -> Iterator[shots.Numbered]:
    """Yields all frames as `small_frames` does.

    Raises:
      SpeedflowError: the file cannot be decoded, or there is no room to keep
        what was.
    """
    if self._kept and self._stamps is not None:
      self._kept.seek(0)
      for shot, time in self._stamps:
        image = np.frombuffer(self._kept.read(_FRAME_BYTES), np.uint8)
        frame = media.Frame(image.reshape(motion.FRAME_SIZE), time)
        yield shots.Numbered(shot, frame)
      return
    stamps = []
    if self._kept:
      self._kept.seek(0)
    with media.VideoReader(self.path, size=motion.FRAME_SIZE[::-1]) as reader:
      for numbered in small_frames(reader):
        if self._kept:
          self._keep(numbered.frame.image)
        stamps.append((numbered.shot, numbered.frame.time))
        yield numbered
    # Only once all of them are kept.
    self._stamps = stamps

  def _keep(self, image: np.ndarray) -> None:
    assert self._kept is not None
    try:
      self._kept.write(image.tobytes())
    except OSError as error:
      raise SpeedflowError(
        f"{self.path}: its small frames cannot be kept ({error.strerror}); "
        "set TMPDIR to a folder with room for 12 kB a frame"
      ) from error


def small_frames(frames: Iterable[media.Frame]) -> Iterator[shots.Numbered]:
  """Numbers the shots of a video and takes its colours away.

  Args:
    frames: in order, RGB, uint8 [96, 128, 3].

  Yields:
    Every frame, grey, uint8 [96, 128], with the number of its shot.
  """
  for shot, (image, time) in shots.number_shots(frames):
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    yield shots.Numbered(shot, media.Frame(grey, time))
