"""What a training clip does to a generator, in few numbers.

The gradient of the loss of one clip, weighted by motion, at one time of the
flow and one draw of noise that all clips share (Motive, arXiv 2601.08828,
section 3), is projected and scaled to length one. How it comes about is a
matter of the generator: see `track_features` and `wan_features`.
"""

import hashlib
import pathlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import jax
import numpy as np

Mask = Literal["min_max", "max", "none"]
"""How places count: see `motion_weights`."""

# A motion that varies less than this, relative to its fastest, is one motion.
_UNIFORM = 0.1


class Features(NamedTuple):
  """Of some clips.

  Attributes:
    unit: float16 [n, d], projected gradients of length 1; 0 where there is no
      gradient, as of a clip without motion.
    norm: float32 [n], lengths of the projected gradients.
    length: int32 [n], moments: knots of trajectories, or frames of latents.
    motion: float32 [n], mean speed of points, sides of the picture per second;
      or mean change of latents from frame to frame.
  """

  unit: np.ndarray
  norm: np.ndarray
  length: np.ndarray
  motion: np.ndarray


class Film(NamedTuple):
  """A clip to look at.

  Attributes:
    frames: uint8 [h, w, 3] each, of even sizes.
    fps: of playback.
  """

  frames: Sequence[np.ndarray]
  fps: int


class Record(Protocol):
  """A clip, of whatever kind."""

  @property
  def id(self) -> str:
    """Its name."""


_Record = TypeVar("_Record", bound=Record)


class Maker(Protocol[_Record]):
  """Makes features of the records of one kind, by one generator.

  Attributes:
    shown: what the films of `film` show, as a sentence.
  """

  shown: str

  def made_by(self) -> dict[str, Any]:
    """Tells features that may not be compared apart, as JSON."""

  def decode(self, record: bytes, /) -> _Record:
    """Parses a record; raises SpeedflowError if it is of another kind."""

  def read_queries(self, folder: pathlib.Path, speed: float) -> list[_Record]:
    """Reads the motions that are asked about.

    Args:
      folder: of files of records, and of videos where the maker reads them.
      speed: playback speed factor of the videos.

    Raises:
      SpeedflowError: there are none, or one cannot be read.
    """

  def features(self, records: Sequence[_Record]) -> Features:
    """Features of records, in their order.

    Raises:
      SpeedflowError: one does not suit the generator.
    """

  def film(self, record: _Record, side: int) -> Film:
    """A record to look at, of at most `side` pixels along a side."""


def motion_weights(
  speeds: np.ndarray, length: int, mask: Mask = "min_max"
) -> np.ndarray:
  """How much the error at each place counts.

  Args:
    speeds: float [t, h, w], how fast points go.
    length: moments that count.
    mask: "min_max" scales speeds of the clip to 0..1, as Motive does; a view
      that moves as a whole has no contrast to scale, and counts in full. "max"
      divides by the fastest. "none" counts all places alike.

  Returns:
    float32 [t, h, w], 0 .. 1.
  """
  weight = np.zeros(speeds.shape, np.float32)
  seen = speeds[:length]
  if mask == "none":
    weight[:length] = 1.0
    return weight
  low, high = float(seen.min(initial=np.inf)), float(seen.max(initial=0.0))
  if not high > 0:
    return weight
  if mask == "max" or high - low < _UNIFORM * high:
    low = 0.0
  weight[:length] = (seen - low) / (high - low)
  return weight


def of_gradients(
  projected: np.ndarray, lengths: Sequence[int], motions: Sequence[float]
) -> Features:
  """Scales projected gradients, float [n, d], to length 1."""
  norm = np.linalg.norm(projected, axis=1)
  unit = projected / np.where(norm > 0, norm, 1.0)[:, None]
  return Features(
    unit=unit.astype(np.float16),
    norm=norm.astype(np.float32),
    length=np.array(lengths, np.int32),
    motion=np.array(motions, np.float32),
  )


def digest(parameters: Any) -> str:
  """A sha256 (hexadecimal) of a tree of arrays."""
  found = hashlib.sha256()
  for leaf in jax.tree.leaves(parameters):
    found.update(np.asarray(leaf).tobytes())
  return found.hexdigest()
