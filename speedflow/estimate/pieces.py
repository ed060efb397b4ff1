"""A video in pieces: consecutive frames of one shot, of bounded number."""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

from speedflow import media
from speedflow.data import shots

DENSE_S = 120.0
"""Videos longer than this, in seconds, are sampled."""

# Frames that are looked at together; a longer shot goes in pieces.
_PIECE = 512
# Of a sampled video, of four stretches of so many frames one is looked at.
_SAMPLED_FRAMES = 96
_LEFT_OUT = 3


class TimedFrames:
  """Passes the frames of a video on, and reports how far they are.

  Attributes:
    first: time of the first frame, seconds on the file's clock.
    last: time of the latest frame.
  """

  def __init__(
    self,
    frames: Iterable[shots.Numbered],
    expected_s: float = 0.0,
    on_progress: Callable[[float], None] | None = None,
  ):
    """Wraps the frames.

    Args:
      frames: in order.
      expected_s: seconds of playback that are expected; 0: not known.
      on_progress: called now and then with the share that is done, 0..1.
    """
    self._frames = frames
    self._expected_s = expected_s
    self._on_progress = on_progress
    self.first = self.last = Fraction(0)

  def __iter__(self) -> Iterator[shots.Numbered]:
    for number, numbered in enumerate(self._frames):
      if not number:
        self.first = numbered.frame.time
      self.last = numbered.frame.time
      if self._on_progress and self._expected_s and not number % 32:
        done = float(self.last - self.first) / self._expected_s
        self._on_progress(min(done, 0.99))
      yield numbered


def cut(
  frames: Iterable[shots.Numbered],
  dense: bool,
  changes_s: Sequence[float],
  leave_out: Callable[[int], None] = lambda until: None,
) -> Iterator[list[media.Frame]]:
  """Yields consecutive frames of one speed and shot.

  Args:
    frames: of a video, in order.
    dense: whether to yield all of them, or a quarter.
    changes_s: known times of changes of speed, seconds on the file's clock,
      increasing; no piece goes on across one.
    leave_out: told the number of a frame before which none is looked at, so
      that they may come empty, unless there is a cut.
  """
  longest = _PIECE if dense else _SAMPLED_FRAMES
  piece: list[media.Frame] = []
  place, skipped = (0, 0), 0
  for number, numbered in enumerate(frames):
    speed = bisect.bisect(changes_s, float(numbered.frame.time))
    before, place = place, (numbered.shot, speed)
    if piece and (place != before or len(piece) == longest):
      yield piece
      # The rest of a sampled shot is looked at now and then.
      skipped = 0 if dense or place != before else _LEFT_OUT * len(piece)
      piece = []
      if skipped:
        leave_out(number + skipped)
    if skipped:
      skipped -= 1
      continue
    piece.append(numbered.frame)
  if piece:
    yield piece
