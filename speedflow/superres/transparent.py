"""Pictures between frames that are transparent in parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from speedflow.data import optical_flow
from speedflow.superres.interpolator import (
  Interpolator,
  Neighbour,
  Picture,
)

_FULL = np.float32(65535)


class TransparentInterpolator:
  """A `FrameInterpolator` of RGBA pictures.

  The network makes the colours, weighted by how opaque they are, because that
  of a transparent pixel means nothing; opacity moves by classical flow.
  """

  def __init__(self, maker: Interpolator):
    """Wraps what makes the colours."""
    self._maker = maker
    self._flow = optical_flow.FlowEstimator()

  def between(
    self,
    first: np.ndarray,
    second: np.ndarray,
    times: Sequence[float],
    exposure: float | None = 0.0,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
  ) -> Iterator[Picture]:
    """As `FrameInterpolator.between`, of uint8 or uint16 RGBA [h, w, 4].

    Paths are straight: the frames before and after do not matter.
    """
    del before, after  # Named as the protocol has them.
    if not times:
      return
    full = np.iinfo(first.dtype).max
    pair = [_weighted(image / np.float32(full)) for image in (first, second)]
    flow = self._flow.both_ways(
      *((colours >> 8).astype(np.uint8) for colours in pair)
    )
    made = self._maker.between(pair[0], pair[1], times, exposure)
    for time, picture in zip(times, made, strict=True):
      opacity = optical_flow.interpolate(
        first[..., 3], second[..., 3], flow, time
      )
      share = np.maximum(opacity / np.float32(full), 1 / _FULL)[..., None]
      colours = np.minimum(picture.image / _FULL / share, 1)
      image = np.dstack([np.rint(colours * full).astype(first.dtype), opacity])
      yield Picture(image, picture.uncertainty)


def _weighted(image: np.ndarray) -> np.ndarray:
  """RGBA of 0..1 as RGB over black, uint16."""
  return np.rint(image[..., :3] * image[..., 3:] * _FULL).astype(np.uint16)
