"""Whether two small pictures show the same scene, moved and lit otherwise."""

from collections.abc import Sequence

import cv2
import numpy as np

SIZE = (64, 36)
"""Of the pictures that are compared, width and height."""

# Parts of a picture are looked for so far from their places: pixels, x and y.
_BLOCK, _SEARCH = (16, 12), (6, 4)
_WINDOW = (24, 24)
# Grey levels: parts of less contrast show nothing, and of more than the second
# count alike.
_FLAT, _FULL = 1.0, 20.0
_WINDOW_FLAT = 4.0
_SAME_GREY = 6.0


def small(image: np.ndarray) -> np.ndarray:
  """Reduces a picture to what is compared.

  Args:
    image: uint8 RGB [h, w, 3].

  Returns:
    Grey, float32 [36, 64].
  """
  reduced = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
  return cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY).astype(np.float32)


def match(one: np.ndarray, other: np.ndarray) -> float:
  """How well the parts of one picture are found near their places in another.

  By normalised cross-correlation, so that light which brightens or dims all of
  a part changes nothing. Of unrelated pictures it is 0.3, hardly ever 0.6.

  Args:
    one: from `small`.
    other: the other, likewise.

  Returns:
    -1 to 1, the mean over parts, weighted by their contrast.
  """
  (width, height), (right, down) = _BLOCK, _SEARCH
  scores, weights = [], []
  for y in range(0, SIZE[1], height):
    for x in range(0, SIZE[0], width):
      part = one[y : y + height, x : x + width]
      contrast = float(part.std())
      if contrast < _FLAT:
        continue
      near = other[
        max(y - down, 0) : y + height + down,
        max(x - right, 0) : x + width + right,
      ]
      found = cv2.matchTemplate(near, part, cv2.TM_CCOEFF_NORMED)
      scores.append(float(found.max()))
      weights.append(min(contrast, _FULL))
  if not weights:
    same = abs(float(one.mean() - other.mean())) < _SAME_GREY
    return float(same and float(other.std()) < _FLAT)
  # Where the other is flat, correlation is not defined, and comes as 1.
  if float(other.std()) < _FLAT:
    return 0.0
  return float(np.average(scores, weights=weights))


def match_moved(one: np.ndarray, other: np.ndarray) -> float:
  """How well some third of one picture is found anywhere in another.

  Whatever a fast pan leaves in view: half of the picture at most may be new. Of
  unrelated pictures it is 0.5, of one in thirty above 0.75.

  Args:
    one: from `small`.
    other: the other, likewise.

  Returns:
    -1 to 1.
  """
  width, height = _WINDOW
  top = (SIZE[1] - height) // 2
  best = -1.0
  if float(other.std()) < _FLAT:
    return best
  for x in np.linspace(0, SIZE[0] - width, 3).astype(int):
    part = one[top : top + height, x : x + width]
    if float(part.std()) >= _WINDOW_FLAT:
      found = cv2.matchTemplate(other, part, cv2.TM_CCOEFF_NORMED)
      best = max(best, float(found.max()))
  return best


def any_match(
  before: Sequence[np.ndarray],
  after: Sequence[np.ndarray],
  least: float,
  least_moved: float,
) -> bool:
  """Whether a picture of one row shows what one of another row shows.

  Args:
    before: of `small`.
    after: likewise.
    least: a `match` that is enough.
    least_moved: a `match_moved` that is enough.
  """
  pairs = [(one, other) for one in before for other in after]
  return any(match(*pair) > least for pair in pairs) or any(
    match_moved(*pair) > least_moved for pair in pairs
  )
