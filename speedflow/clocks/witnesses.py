"""All clocks of a file: what its picture shows, and what its sound."""

import itertools
import os
from collections.abc import Iterable, Iterator

import numpy as np

from speedflow import media
from speedflow.clocks import cadence, flicker, hum, reading
from speedflow.data import shots as data_shots
from speedflow.errors import SpeedflowError
from speedflow.pictures import shots

# Relative: frames that are less evenly spaced have no aliases.
_EVEN = 0.1
# Of so many frames the longest shot tells enough.
_ENOUGH = 2 * flicker.LONGEST


class PictureClocks:
  """Watches frames go by, and keeps little of the longest shot.

  At most `flicker.LONGEST` frames of a shot, 9 kB each, are kept.
  """

  def __init__(self) -> None:
    self._watched = 0
    self._shot: int | None = None
    self._now: list[tuple[float, np.ndarray, np.ndarray]] = []
    self._longest: list[tuple[float, np.ndarray, np.ndarray]] = []

  @property
  def content(self) -> bool:
    """Whether frames may be left out from now on."""
    longest = len(self._longest)
    return longest >= flicker.LONGEST or self._watched >= _ENOUGH

  def watch(
    self, frames: Iterable[data_shots.Numbered]
  ) -> Iterator[data_shots.Numbered]:
    """Yields the frames as they are, grey, uint8 [96, 128], in order.

    Those that were left out, empty, interrupt what is watched.
    """
    for numbered in frames:
      if numbered.frame.left_out:
        self._shot = None
        yield numbered
        continue
      self._watched += 1
      if numbered.shot != self._shot:
        self._shot, self._now = numbered.shot, []
      if len(self._now) < flicker.LONGEST:
        image, time = numbered.frame.image, float(numbered.frame.time)
        self._now.append((time, flicker.profile(image), cadence.cells(image)))
        if len(self._now) > len(self._longest):
          self._longest = self._now
      yield numbered

  def readings(self) -> tuple[reading.Reading, ...]:
    """What the longest shot of those that went by says."""
    if len(self._longest) < 2:
      return ()
    times, profiles, cells = zip(*self._longest, strict=True)
    intervals = np.diff(times)
    usual_s = float(np.median(intervals))
    if not np.all(np.abs(intervals - usual_s) < _EVEN * usual_s):
      return ()
    fps = len(intervals) / (times[-1] - times[0])
    found = flicker.read(profiles, fps), cadence.read(cells, fps)
    return tuple(each for each in found if each)


class WatchedPicture(shots.Picture):
  """A picture that clocks watch as it is looked at for the first time.

  Attributes:
    clocks: what watches.
  """

  def __init__(self, path: str | os.PathLike[str], *, keep: bool = False):
    """As `shots.Picture`."""
    super().__init__(path, keep=keep)
    self.clocks = PictureClocks()
    self._watched = False

  def frames(self) -> Iterator[data_shots.Numbered]:
    """As `shots.Picture.frames`."""
    if self._watched:
      yield from super().frames()
      return
    # A look that was broken off tells nothing.
    self.clocks = PictureClocks()
    yield from self.clocks.watch(super().frames())
    self._watched = True

  def leave_out(self, until: int) -> None:
    """As `shots.Picture.leave_out`, once clocks have seen enough."""
    if self.clocks.content:
      super().leave_out(until)


def of_sound(path: str | os.PathLike[str]) -> tuple[reading.Reading, ...]:
  """What the sound of a file says; nothing where there is none."""
  try:
    blocks = media.audio_blocks(path)
    found = hum.read(itertools.islice(blocks, hum.BLOCKS))
  except SpeedflowError:
    # A track of which nothing can be decoded; the verb says so.
    return ()
  return (found,) if found else ()


def of_picture(
  frames: Iterable[data_shots.Numbered],
) -> tuple[reading.Reading, ...]:
  """What the longest shot of some frames says; see `PictureClocks`."""
  clocks = PictureClocks()
  for _ in clocks.watch(frames):
    pass
  return clocks.readings()
