"""Cuts: where one shot ends and another begins, at once or gradually."""

import collections
import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from speedflow.data import gradual, likeness

# A cut is so many times the mean change of as many frames on either side, and
# so large: mean of hue, saturation and value.
_AROUND, _RATIO, _LEAST = 2, 3.0, 12.0
_ALL_STILL = 0.00001
# What is seen again within so many frames was not cut away: it was lit up.
_FLASH = 4
_SAME = 0.7
# Nor was what has moved aside, for which less is enough where all else moves,
# too; and there frames on either side must show the same.
_MOVED, _MOVED_AMID_MOTION, _MOVING_RATIO, _STEADY = 0.92, 0.75, 6.0, 0.5
# Grey level below which a picture is black: no pan ends there.
_DARK = 6.0
# Pale frames so much brighter than those around, in grey levels, show nothing.
_LIT = 40.0
# Nor is it hard where contrast is so much higher soon after, or was before.
_FADING = 0.6


class CutDetector:
  """Finds cuts, dissolves and fades, and no flashes and fast pans.

  A hard cut is a change well above those around it, as in PySceneDetect's
  `AdaptiveDetector`, of which the frames before and after do not show the same
  scene: not lit otherwise, not moved, and not after a flash of up to four
  frames. Where a change is gradual, see `gradual`, its middle is the cut.
  """

  def __init__(self, shortest: int, *, find_gradual: bool = True):
    """Begins before the first frame.

    Args:
      shortest: shot, in frames: cuts that follow sooner count for nothing.
      find_gradual: whether dissolves and fades are looked for, too.
    """
    self._shortest = shortest
    self._number = 0
    self._last_cut = 0
    self._before: np.ndarray | None = None
    # Of the latest frames; the one that is judged has `_FLASH` after it.
    self._changes: collections.deque[float] = collections.deque(
      maxlen=2 * _FLASH + 1
    )
    self._seen: collections.deque[np.ndarray] = collections.deque(
      maxlen=2 * _FLASH + 1
    )
    self._gradual = gradual.GradualChanges() if find_gradual else None

  @property
  def after(self) -> int:
    """Frames that follow, at most, before a frame is judged."""
    return gradual.AFTER if self._gradual else _FLASH

  def leave_out(self) -> list[int]:
    """Passes over a frame that was not seen; what follows begins anew.

    Returns:
      As `end`.
    """
    found = self.end()
    self._number += 1
    return found

  def end(self) -> list[int]:
    """Judges the latest frames by what there is; what follows begins anew.

    Returns:
      As `next`.
    """
    found: list[int] = []
    for left in range(_FLASH - 1, _AROUND - 1, -1):
      if len(self._changes) > left:
        found += self._accepted(self._number - 1 - left, self._is_hard(left))
    self._before = None
    self._changes.clear()
    self._seen.clear()
    if self._gradual:
      self._gradual.clear()
    return found

  def next(self, image: np.ndarray) -> list[int]:
    """Looks at the next frame.

    Args:
      image: uint8 RGB [h, w, 3].

    Returns:
      The numbers of frames, `after` before this one at most, where a shot
      begins.
    """
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    change = 0.0
    if self._before is not None:
      change = _apart(colours, self._before)
    self._before = colours
    grey = likeness.small(image)
    self._changes.append(change)
    self._seen.append(grey)
    latest = self._number
    self._number += 1
    is_gradual = bool(self._gradual and self._gradual.next(image, grey))
    return [
      *self._accepted(latest - gradual.AFTER, is_gradual),
      *self._accepted(latest - _FLASH, self._is_hard(_FLASH)),
    ]

  def _accepted(self, number: int, is_cut: bool) -> list[int]:
    """The number, if a shot may begin there."""
    if not is_cut or abs(number - self._last_cut) < self._shortest:
      return []
    self._last_cut = max(number, self._last_cut)
    return [number]

  def _is_hard(self, follow: int) -> bool:
    """Whether a shot begins so many frames before the latest."""
    place = len(self._changes) - 1 - follow
    if place < _AROUND:
      return False
    around = list(
      itertools.islice(self._changes, place - _AROUND, place + _AROUND + 1)
    )
    change = around.pop(_AROUND)
    usual = max(sum(around) / len(around), _ALL_STILL)
    if change < _LEAST or change < _RATIO * usual:
      return False
    seen = list(self._seen)
    before, after = _unlit(seen[max(place - _FLASH, 0) : place], seen[place:])
    if _fades(before, after):
      return False
    moved = _MOVED
    if change < _MOVING_RATIO * usual:
      # What moves so fast looks different in every frame of a whip pan.
      steady = _steady(before[-2:]) and _steady(after[:2])
      dark = min(float(before[-1].mean()), float(after[0].mean())) < _DARK
      if not (steady or dark):
        return False
      moved = _MOVED_AMID_MOTION
    return not likeness.any_match(before, after, _SAME, moved)


def _steady(pair: Sequence[np.ndarray]) -> bool:
  """Whether the second frame shows what the first does."""
  return likeness.match(pair[0], pair[-1]) >= _STEADY


def _unlit(
  before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
  """The frames before and after without those that a flash blots out."""
  ends = before[0], after[-1]
  most = max(float(grey.mean()) for grey in ends) + _LIT
  least = _FADING * min(float(grey.std()) for grey in ends)

  def shows(grey: np.ndarray) -> bool:
    return bool(grey.mean() <= most or grey.std() >= least)

  return (
    [before[0], *filter(shows, before[1:])],
    [*filter(shows, after[:-1]), after[-1]],
  )


def _fades(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bool:
  """Whether this is one of the steps of a fade, out or in."""
  contrast = [float(grey.std()) for grey in (*before, *after)]
  left, right = contrast[: len(before)], contrast[len(before) :]
  if left[-1] > right[0]:
    return left[-1] < _FADING * max(left)
  return right[0] < _FADING * max(right)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
  """Mean absolute difference of hue, saturation and value, uint8 [h, w, 3]."""
  pixels = float(one.shape[0] * one.shape[1])
  hue, saturation, value, _ = cv2.sumElems(cv2.absdiff(one, other))
  return (hue / pixels + saturation / pixels + value / pixels) / 3
