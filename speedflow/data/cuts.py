"""Cuts: changes of colours well above those of the frames around."""

import collections

import cv2
import numpy as np

AFTER = 2
"""Frames that must follow before a frame is judged."""

# A cut is so many times the mean change of as many frames on either side, and
# so large: mean of hue, saturation and value.
_RATIO, _LEAST = 3.0, 15.0
_ALL_STILL = 0.00001


class CutDetector:
  """Finds cuts as PySceneDetect's `AdaptiveDetector` does, with its defaults.

  Fast camera motion is none, since it lasts. Only the arithmetic is another,
  at a fifth of the time: the answers are equal.
  """

  def __init__(self, shortest: int):
    """Begins before the first frame.

    Args:
      shortest: shot, in frames: cuts that follow sooner count for nothing.
    """
    self._shortest = shortest
    self._number = 0
    self._last_cut = 0
    self._before: np.ndarray | None = None
    self._changes: collections.deque[float] = collections.deque(
      maxlen=2 * AFTER + 1
    )

  def leave_out(self) -> None:
    """Passes over a frame that was not seen; what follows begins anew."""
    self._number += 1
    self._before = None
    self._changes.clear()

  def next(self, image: np.ndarray) -> int | None:
    """Looks at the next frame.

    Args:
      image: uint8 RGB [h, w, 3].

    Returns:
      The number of a frame, `AFTER` before this one, where a shot begins.
    """
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    change = 0.0
    if self._before is not None:
      change = _apart(colours, self._before)
    self._before = colours
    self._changes.append(change)
    number = self._number - AFTER
    self._number += 1
    if len(self._changes) <= 2 * AFTER:
      return None
    around = [c for n, c in enumerate(self._changes) if n != AFTER]
    usual, change = sum(around) / len(around), self._changes[AFTER]
    cut = change >= _LEAST and (usual < _ALL_STILL or change / usual >= _RATIO)
    if not cut or number - self._last_cut < self._shortest:
      return None
    self._last_cut = number
    return number


def _apart(one: np.ndarray, other: np.ndarray) -> float:
  """Mean absolute difference of hue, saturation and value, uint8 [h, w, 3]."""
  pixels = float(one.shape[0] * one.shape[1])
  hue, saturation, value, _ = cv2.sumElems(cv2.absdiff(one, other))
  return (hue / pixels + saturation / pixels + value / pixels) / 3
