"""Makes the frames that are planned."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from speedflow import media
from speedflow.pictures.still import StillParts
from speedflow.superres.interpolator import Interpolator, Neighbour
from speedflow.superres.plan import Planned

# The worst part of a picture is one of so many cells along each axis.
_CELLS = (16, 9)


class Doubt(NamedTuple):
  """How far a frame may be off.

  Attributes:
    mean: expected absolute error, in grey levels of 255.
    worst: the same in the part of the picture where it is largest.
    x: middle of that part, 0 (left) .. 1.
    y: the same, 0 (top) .. 1.
  """

  mean: float
  worst: float
  x: float
  y: float


class Made(NamedTuple):
  """A frame that was made.

  Attributes:
    planned: what it is.
    image: [h, w, c], as the input's frames are.
    doubt: None for one that was only copied.
  """

  planned: Planned
  image: np.ndarray
  doubt: Doubt | None


class FrameMaker:
  """Makes planned frames, in order, piece by piece."""

  def __init__(
    self, frames: Iterable[media.Frame], first: int, interpolator: Interpolator
  ):
    """Starts.

    Args:
      frames: of the input, in order.
      first: the number of the first of them.
      interpolator: makes pictures between two.
    """
    self._frames = iter(frames)
    self._next = first
    self._held: dict[int, np.ndarray] = {}
    self._interpolator = interpolator

  def make(self, planned: Iterable[Planned]) -> Iterator[Made]:
    """Makes the next frames that are planned."""
    for sources, group in itertools.groupby(planned, lambda each: each.sources):
      wanted = list(group)
      self._read(wanted[0].numbers)
      images = [self._held[number] for number in sources]
      if len(images) == 1:
        for each in wanted:
          yield Made(each, images[0], None)
        continue
      # One that is held is made once.
      shares = list(dict.fromkeys(each.share for each in wanted))
      first, second = images
      before, after = self._beside(wanted[0])
      made = self._interpolator.between(
        first, second, shares, wanted[0].exposure, before, after
      )
      still = StillParts(first, second)
      for share, same in itertools.groupby(wanted, lambda each: each.share):
        picture = next(made)
        image = still.keep(picture.image, share)
        doubt = _doubt(picture.uncertainty)
        for each in same:
          yield Made(each, image, doubt)

  def _beside(self, planned: Planned) -> list[Neighbour | None]:
    return [
      None
      if each is None
      else Neighbour(self._held[each.number], each.distance)
      for each in planned.beside
    ]

  def _read(self, numbers: Sequence[int]) -> None:
    """Holds some input frames; the first never falls from call to call."""
    for old in [number for number in self._held if number < numbers[0]]:
      del self._held[old]
    while self._next <= numbers[-1]:
      image = next(self._frames).image
      if self._next >= numbers[0]:
        self._held[self._next] = image
      self._next += 1


def _doubt(uncertainty: np.ndarray) -> Doubt:
  cells = cv2.resize(uncertainty, _CELLS, interpolation=cv2.INTER_AREA)
  row, column = np.unravel_index(cells.argmax(), cells.shape)
  return Doubt(
    float(uncertainty.mean()),
    float(cells[row, column]),
    (float(column) + 0.5) / _CELLS[0],
    (float(row) + 0.5) / _CELLS[1],
  )
