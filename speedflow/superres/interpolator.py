"""Pictures between frames, by a trained network."""

import collections
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.data import optical_flow
from speedflow.models import superres
from speedflow.superres import motion_blur, tiles

# Flow of so many pairs is kept: before, between and after two frames.
_PAIRS = 3


class Neighbour(NamedTuple):
  """A frame beside the two between which pictures are made.

  Attributes:
    image: as those.
    distance: to the nearer of the two in time, in intervals between these.
  """

  image: np.ndarray
  distance: float = 1.0


Outer = tuple[np.ndarray | None, np.ndarray | None]
"""The frames before the first and after the last; None: there is none."""


class Picture(NamedTuple):
  """A synthesised picture.

  Attributes:
    image: uint8 or uint16 RGB [h, w, 3], as the frames.
    uncertainty: float32 [ceil(h / 2), ceil(w / 2)], expected absolute error
      in grey levels of 8 bits.
  """

  image: np.ndarray
  uncertainty: np.ndarray


class Interpolator(Protocol):
  """What makes pictures between two."""

  def between(
    self,
    first: np.ndarray,
    second: np.ndarray,
    times: Sequence[float],
    exposure: float | None = 0.0,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
  ) -> Iterator[Picture]:
    """As `FrameInterpolator.between`."""
    ...


class FrameInterpolator:
  """Makes sharp pictures at any time between two frames.

  The frames before and after them, where there are any, tell how things
  accelerate. Blur of a known exposure is undone classically, along the motion,
  before the network sees the frames. The flow of consecutive frames is computed
  once.

  It is not safe to share between threads.
  """

  def __init__(
    self,
    model: superres.SuperResNet,
    largest_tile: int = tiles.LARGEST,
    largest_strip: int = tiles.LARGEST_STRIP,
  ):
    """Wraps a trained network.

    Args:
      model: the network, in evaluation mode.
      largest_tile: pixels of the largest picture made in one piece.
      largest_strip: of these, pixels of what is made at once in the end.
    """
    self._largest_tile = largest_tile
    on_cpu = jax.default_backend() == "cpu"
    # An accelerator's one program has memory enough.
    self._largest_strip = largest_strip if on_cpu else largest_tile
    self._flow = _FlowOfPairs(optical_flow.FlowEstimator(thorough=True))
    # Where XLA compiles for a CPU, many small programs are faster than one; see
    # `planes`.
    # Arrays of NumPy do: those of JAX would be held until all is made.
    self._synthesise: Callable[..., tuple[jax.Array, jax.Array]] = (
      functools.partial(_synthesise, model, run=superres.Programs())
      if on_cpu
      else functools.partial(_synthesise_at_once, *nnx.split(model))
    )

  def between(
    self,
    first: np.ndarray,
    second: np.ndarray,
    times: Sequence[float],
    exposure: float | None = 0.0,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
  ) -> Iterator[Picture]:
    """Yields the pictures at some times.

    Args:
      first: uint8 or uint16 RGB [h, w, 3], full range.
      second: the same.
      times: 0 (first) .. 1 (second).
      exposure: open-shutter time / frame interval, 0..1; None: unknown.
      before: the frame before the first; None if there is none of its shot.
      after: the frame after the second.
    """
    if not times:
      return
    flow = self._flow.both_ways(first, second)
    beside = self._flow.beside(first, second, before, after)
    curve = optical_flow.Curve(flow, *beside)
    if exposure:
      pace = optical_flow.paces(flow, *beside)
      first, second = (
        motion_blur.undo(image, np.float32(exposure) * way)
        for image, way in zip((first, second), pace, strict=True)
      )
    shutter = np.array([math.nan if exposure is None else exposure], np.float32)
    images = np.stack([first, second])
    for time in times:
      yield self._whole(
        images,
        optical_flow.at_time(flow, time),
        curve.at(time),
        np.array([time], np.float32),
        shutter,
      )

  def window(
    self,
    inputs: Sequence[np.ndarray],
    times: Sequence[float],
    exposure: float | None = 0.0,
    outer: Outer = (None, None),
    *,
    curved: bool = True,
  ) -> list[np.ndarray]:
    """Pictures at rising times among frames at times 0, 1, 2, ...

    Args:
      inputs: uint8 RGB [h, w, 3] each, at least two.
      times: in frame intervals.
      exposure: as in `between`.
      outer: the frames one interval before the first and after the last, as
        far as there are any.
      curved: whether the frames before and after matter.

    Returns:
      uint8 RGB [h, w, 3] each.
    """

    def make(first, second, parts, *beside):
      told = beside if curved else ()
      for picture in self.between(first, second, parts, exposure, *told):
        yield picture.image

    return _along(inputs, times, outer, make)

  def _whole(
    self,
    images: np.ndarray,
    flow: np.ndarray,
    bend: np.ndarray,
    time: np.ndarray,
    exposure: np.ndarray,
  ) -> Picture:
    height, width = images.shape[1:3]
    rows, columns = tiles.spans(
      _round_up(height),
      _round_up(width),
      superres.GRID,
      _round_up(superres.REACH),
      self._largest_tile,
    )
    strips = tiles.strips(
      rows[0].high,
      columns[0].high,
      superres.GRID,
      superres.FINE_REACH,
      self._largest_strip,
    )
    bottom, right = _round_up(height) - height, _round_up(width) - width
    if bottom or right:
      pad = ((0, 0), (0, bottom), (0, right), (0, 0))
      images = np.pad(images, pad, "edge")
      flow = np.pad(flow, pad, "edge")
      bend = np.pad(bend, pad[1:], "edge")
    image = np.empty(images.shape[1:], images.dtype)
    uncertainty = np.empty(
      (image.shape[0] // 2, image.shape[1] // 2), np.float32
    )
    for top, end, above, below in rows:
      for left, stop, before, after in columns:
        part = (slice(None), slice(above, below), slice(before, after))
        pixels, doubt = self._synthesise(
          images[part],
          flow[part],
          bend[part[1:]],
          time,
          exposure,
          sharp=not exposure.any(),
          strips=strips,
        )
        inner = (
          slice(top - above, end - above),
          slice(left - before, stop - before),
        )
        image[top:end, left:stop] = np.asarray(pixels)[inner]
        half = tuple(slice(s.start // 2, s.stop // 2) for s in inner)
        uncertainty[top // 2 : end // 2, left // 2 : stop // 2] = np.asarray(
          doubt
        )[half]
    return Picture(
      np.ascontiguousarray(image[:height, :width]),
      uncertainty[: (height + 1) // 2, : (width + 1) // 2],
    )


def _synthesise(
  model: superres.SuperResNet,
  images: jax.Array,
  flow: jax.Array,
  bend: jax.Array,
  time: jax.Array,
  exposure: jax.Array,
  *,
  sharp: bool,
  strips: Sequence[tiles.Span],
  **how: Callable[..., jax.Array],
) -> tuple[jax.Array, jax.Array]:
  """A picture in whole numbers, as the frames, and its uncertainty."""
  made = model(
    images[None],
    flow[None],
    bend[None],
    time,
    exposure,
    sharp=sharp,
    strips=strips,
    **how,
  )
  return _closed(made.image, made.uncertainty, images.dtype)


@functools.partial(jax.jit, static_argnames=("graph", "sharp", "strips"))
def _synthesise_at_once(
  graph: nnx.GraphDef[superres.SuperResNet],
  state: nnx.State,
  *arrays: jax.Array,
  sharp: bool,
  strips: Sequence[tiles.Span],
) -> tuple[jax.Array, jax.Array]:
  """One program for each size, whatever the parameters."""
  model = nnx.merge(graph, state)
  return _synthesise(model, *arrays, sharp=sharp, strips=strips)


@functools.partial(jax.jit, static_argnums=2)
def _closed(
  image: jax.Array, uncertainty: jax.Array, dtype: np.dtype
) -> tuple[jax.Array, jax.Array]:
  """Back to whole numbers; and the uncertainty in grey levels."""
  white = jnp.iinfo(dtype).max
  pixels = jnp.rint(jnp.clip(image[0], 0, 1) * white)
  return pixels.astype(dtype), uncertainty[0] * 255


class _FlowOfPairs:
  """The flow of the last few pairs of frames, each computed once."""

  def __init__(self, estimator: optical_flow.FlowEstimator):
    self._estimator = estimator
    self._held: collections.deque[tuple[np.ndarray, np.ndarray, np.ndarray]] = (
      collections.deque(maxlen=_PAIRS)
    )

  def both_ways(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """As `optical_flow.FlowEstimator.both_ways`."""
    for one, other, flow in self._held:
      if one is first and other is second:
        return flow
    flow = self._estimator.both_ways(_eight_bits(first), _eight_bits(second))
    self._held.append((first, second, flow))
    return flow

  def beside(
    self,
    first: np.ndarray,
    second: np.ndarray,
    before: Neighbour | None,
    after: Neighbour | None,
  ) -> tuple[optical_flow.Outer | None, optical_flow.Outer | None]:
    """The flow from two frames to those beside them, where there are any."""
    early = late = None
    if before is not None:
      back = self.both_ways(before.image, first)[::-1]
      early = optical_flow.Outer(back, before.distance)
    if after is not None:
      on = self.both_ways(second, after.image)
      late = optical_flow.Outer(on, after.distance)
    return early, late


def _eight_bits(image: np.ndarray) -> np.ndarray:
  return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)


def classical(
  inputs: Sequence[np.ndarray],
  times: Sequence[float],
  outer: Outer = (None, None),
  *,
  curved: bool = False,
) -> list[np.ndarray]:
  """As `FrameInterpolator.window`, by `optical_flow.interpolate`.

  Args:
    inputs: as there.
    times: as there.
    outer: as there.
    curved: whether paths are bent as the frames before and after tell.
  """
  pairs = _FlowOfPairs(optical_flow.FlowEstimator())

  def make(first, second, parts, before, after):
    flow = pairs.both_ways(first, second)
    curve = None
    if curved:
      beside = pairs.beside(first, second, before, after)
      curve = optical_flow.Curve(flow, *beside)
    for time in parts:
      yield optical_flow.interpolate(first, second, flow, time, curve)

  return _along(inputs, times, outer, make)


def _along(
  inputs: Sequence[np.ndarray],
  times: Sequence[float],
  outer: Outer,
  make: Callable[..., Iterator[np.ndarray]],
) -> list[np.ndarray]:
  row = [outer[0], *inputs, outer[1]]
  beside = [None if image is None else Neighbour(image) for image in row]
  pictures: list[np.ndarray] = []
  last = len(inputs) - 2
  for k in range(last + 1):
    parts = [t - k for t in times if min(int(t), last) == k]
    if parts:
      pictures += make(
        inputs[k], inputs[k + 1], parts, beside[k], beside[k + 3]
      )
  return pictures


def _round_up(length: int) -> int:
  return -(-length // superres.GRID) * superres.GRID
