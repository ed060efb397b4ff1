"""The picture of a video as networks look at it: small, grey, shot by shot."""

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import IO, Self

import cv2
import numpy as np

from speedflow import media
from speedflow.data import motion, shots
from speedflow.pictures import motion_maps, spool


class Picture:
  """A video that may be looked at more than once, and is decoded once.

  It is a context manager, which removes what was kept.

  Attributes:
    path: the file.
    info: what the file says of itself.
    maps: motion between its frames; those that were asked for are kept.
    damage: what could not be read, known once it was; None if all could.
  """

  def __init__(
    self,
    path: str | os.PathLike[str],
    *,
    keep: bool = False,
    kept: IO[bytes] | None = None,
  ):
    """Opens the file; frames are decoded when they are first asked for.

    Args:
      path: of the video.
      keep: whether to keep what was decoded and computed in a temporary file,
        so that memory does not grow with the length: 15 kB a frame, 1.7 GB an
        hour at 30 frames per second. Otherwise every look decodes.
      kept: an empty file to keep it in instead.

    Raises:
      SpeedflowError: the file cannot be read.
    """
    self.path = path
    self._reader: media.VideoReader | None = self._opened()
    self.info = self._reader.info
    self._read: media.VideoReader | None = None
    self._spool = spool.Spool(path, kept) if keep or kept else None
    self.maps = motion_maps.MotionMaps(self._spool)
    self.damage: str | None = None
    self._places: list[tuple[int, Fraction, spool.Place]] | None = None

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *unused_exception: object) -> None:
    if self._spool:
      self._spool.close()
    if self._reader:
      self._reader.close()

  def frames(self) -> Iterator[shots.Numbered]:
    """Yields all frames as `small_frames` does, empty if they were left out.

    Raises:
      SpeedflowError: the file cannot be decoded, or there is no room to keep
        what was.
    """
    if self._spool and self._places is not None:
      for shot, time, place in self._places:
        image = np.frombuffer(self._spool.get(place), np.uint8)
        frame = media.Frame(image.reshape(motion.FRAME_SIZE), time)
        yield shots.Numbered(shot, frame)
      return
    places = []
    # The first look goes on where the file was opened.
    reader, self._reader = self._reader or self._opened(), None
    self._read = reader
    with reader:
      for numbered in small_frames(reader, reader.resumed):
        if self._spool:
          place = self._spool.put(numbered.frame.image.tobytes())
          places.append((numbered.shot, numbered.frame.time, place))
        yield numbered
      self.damage = reader.damage
    # Only once all of them are kept.
    self._places = places

  def leave_out(self, until: int) -> None:
    """As `VideoReader.leave_out`, of the frames that come now.

    Where frames are kept, none is left out: others will look at them.
    """
    if self._read and not self._spool:
      self._read.leave_out(until)

  def _opened(self) -> media.VideoReader:
    return media.VideoReader(self.path, size=motion.FRAME_SIZE[::-1])


def small_frames(
  frames: Iterable[media.Frame], resumed: Sequence[Fraction] = ()
) -> Iterator[shots.Numbered]:
  """Numbers the shots of a video and takes its colours away.

  Args:
    frames: in order, RGB, uint8 [96, 128, 3].
    resumed: as of `shots.number_shots`.

  Yields:
    Every frame, grey, uint8 [96, 128], with the number of its shot; empty
    where it was left out.
  """
  for numbered in shots.number_shots(frames, resumed):
    shot, frame = numbered
    if frame.left_out:
      yield numbered
      continue
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    yield shots.Numbered(shot, media.Frame(grey, frame.time))
