"""Dissolves and fades: shots that pass into each other."""

import collections

import cv2
import numpy as np

from speedflow.data import likeness

# Frames on either side by which a frame is judged, and of which the middle of a
# change is the likeliest.
_REACH, _SETTLE = 12, 5

AFTER = _REACH + _SETTLE
"""Frames that follow before a frame is judged."""

_SIZE = (24, 14)
# Levels of 0 to 255. What is far apart; what has no contrast; and what has too
# little, as blurred walls that are panned over, to be told from a mix.
_FAR, _FLAT, _PLAIN = 25.0, 5.0, 8.0
# Of a frame that is a mix of those `_REACH` before and after it: distance from
# the line between them over its length, at its middle and halfway to either
# end; share of the later one; length of the way through all frames between,
# its longest step and the longest back, over the length of the line.
_REST, _REST_HALFWAY = 0.36, 0.5
_UNEVEN = 0.25
_WAY, _STEP, _BACK = 3.5, 0.35, 0.08
# The same scene is not mixed with itself.
_CORRELATION, _MATCH = 0.75, 0.62
# Contrast within a fade over that of its ends; and on either side the way, and
# the longest step, as above.
_FADE_CONTRAST, _FADE_WAY, _FADE_STEP = 0.25, 3.0, 0.6
# A mix of two pictures has hardly less contrast than they.
_MIX_CONTRAST = 0.35
# A fade is taken before what looks like a dissolve beside it.
_FADE_FIRST = 1000.0


class GradualChanges:
  """Finds the middles of dissolves and fades.

  A frame within a dissolve is a mix of an earlier and a later frame, in shares
  that rise steadily, and these two do not show the same. Motion does not do
  this: what moves is elsewhere in the middle of its way, not at both ends. A
  fade passes through a picture without contrast.

  The twin comparison of Zhang, Kankanhalli and Smoliar (1993) looks for small
  changes that sum up; the linear mix is the production model of Hampapur, Jain
  and Weymouth (1995).
  """

  def __init__(self) -> None:
    """Begins before the first frame."""
    self._tiny: collections.deque[np.ndarray] = collections.deque(
      maxlen=2 * _REACH + 1
    )
    self._contrast: collections.deque[float] = collections.deque(
      maxlen=2 * _REACH + 1
    )
    self._grey: collections.deque[np.ndarray] = collections.deque(
      maxlen=2 * _REACH + 1
    )
    self._scores: collections.deque[float] = collections.deque(
      maxlen=2 * _SETTLE + 1
    )

  def clear(self) -> None:
    """Begins anew."""
    self._tiny.clear()
    self._contrast.clear()
    self._grey.clear()
    self._scores.clear()

  def next(self, image: np.ndarray, grey: np.ndarray) -> bool:
    """Looks at the next frame.

    Args:
      image: uint8 RGB [h, w, 3].
      grey: of `likeness.small`.

    Returns:
      Whether the middle of a gradual change is `AFTER` frames before this one.
    """
    reduced = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
    tiny = reduced.astype(np.float32).ravel()
    self._tiny.append(tiny)
    self._contrast.append(float(tiny.std()))
    self._grey.append(grey)
    score = 0.0
    if len(self._tiny) > 2 * _REACH:
      score = self._score()
    self._scores.append(score)
    if len(self._scores) <= 2 * _SETTLE or not self._scores[_SETTLE]:
      return False
    scores = list(self._scores)
    middle = scores[_SETTLE]
    return middle > max(scores[:_SETTLE]) and middle >= max(
      scores[_SETTLE + 1 :]
    )

  def _score(self) -> float:
    """How much of a gradual change has its middle here; 0: there is none."""
    contrast = self._contrast
    least = min(contrast[0], contrast[-1])
    score = 0.0
    if least > _FLAT:
      if contrast[_REACH] < max(_FLAT, _FADE_CONTRAST * least):
        score = _fade(np.array(self._tiny))
      elif least > _PLAIN and min(contrast) > _MIX_CONTRAST * least:
        first, middle, last = (self._tiny[k] for k in (0, _REACH, -1))
        # Hardly any frame gets further.
        if _may_be_mixed(first, middle, last):
          score = _dissolve(np.array(self._tiny))
    if not score:
      return 0.0
    one, other = self._grey[0], self._grey[-1]
    match = likeness.match(one, other) + likeness.match(other, one)
    return 0.0 if match / 2 > _MATCH else score


def _may_be_mixed(
  first: np.ndarray, middle: np.ndarray, last: np.ndarray
) -> bool:
  """Whether two frames are far apart, and a third is about halfway."""
  line = last - first
  square = float(line @ line)
  if square < _FAR * _FAR * line.size:
    return False
  return abs(float((middle - first) @ line) / square - 0.5) <= _UNEVEN


def _dissolve(frames: np.ndarray) -> float:
  """The score of a frame between others, float32 [2 * _REACH + 1, n]."""
  first, last = frames[0], frames[-1]
  line = last - first
  square = float(line @ line)
  away = frames - first
  shares = away @ line / square
  rest = np.sqrt(np.maximum((away * away).sum(1) / square - shares * shares, 0))
  half = _REACH // 2
  if rest[_REACH] > _REST or max(rest[half], rest[-1 - half]) > _REST_HALFWAY:
    return 0.0
  steps = np.diff(frames, axis=0)
  lengths = np.sqrt((steps * steps).sum(1) / square)
  if lengths.sum() > _WAY or lengths.max() > _STEP:
    return 0.0
  if np.diff(shares).min() < -_BACK:
    return 0.0
  if float(np.corrcoef(first, last)[0, 1]) > _CORRELATION:
    return 0.0
  far = np.sqrt(square / line.size)
  return float(far * (1 - abs(2 * shares[_REACH] - 1)))


def _fade(frames: np.ndarray) -> float:
  """The same, of one without contrast."""
  middle = frames[_REACH]
  steps = np.sqrt((np.diff(frames, axis=0) ** 2).sum(1))
  sides = []
  for end, way in ((0, steps[:_REACH]), (-1, steps[_REACH:])):
    length = float(np.linalg.norm(frames[end] - middle))
    if (
      length < _FAR * np.sqrt(middle.size) / 2
      or way.sum() > _FADE_WAY * length
      or way.max() > _FADE_STEP * length
    ):
      return 0.0
    sides.append(length / np.sqrt(middle.size))
  return _FADE_FIRST + min(sides)
