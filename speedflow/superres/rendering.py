"""From a plan of frames to the pieces of a video.

Whoever makes frames of a video says by a `Timing` when there is one, and what
of the input it shows: one moment, or several, whose mean in linear light is
what a shutter that is open for so long would have seen.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np

from speedflow import media
from speedflow.superres import frames as superres_frames
from speedflow.superres import marker, plan, provenance
from speedflow.superres.frames import Doubt, Made
from speedflow.superres.interpolator import Interpolator
from speedflow.superres.pieces import Pieces
from speedflow.superres.plan import Planned
from speedflow.superres.survey import Survey
from speedflow.superres.transparent import TransparentInterpolator
from speedflow.timewarp import light

# A piece has about so many pixels, and so many frames.
_PIECE_PIXELS = 2e8
_PIECE_FRAMES = (24, 240)


class Shown(NamedTuple):
  """A frame of the output.

  Attributes:
    time: when it is shown, seconds.
    moments: of the input that it shows, seconds, rising.
  """

  time: Fraction
  moments: tuple[Fraction, ...]


class Timing(Protocol):
  """When the output has frames."""

  @property
  def rate(self) -> Fraction:
    """Frames per second of playback; an average if the rate varies."""
    ...

  @property
  def end(self) -> Fraction:
    """When the last frame has been shown, seconds."""
    ...

  @property
  def frames(self) -> int:
    """About how many there are."""
    ...

  def shown(self, found: Survey) -> Iterator[Shown]:
    """All frames, in order; moments begin with the input's first frame."""
    ...


class _Frame(NamedTuple):
  """A frame that is to be made, of one planned for each moment it shows."""

  time: Fraction
  planned: tuple[Planned, ...]


@dataclasses.dataclass(frozen=True)
class Rendering:
  """All that is needed to make the frames.

  Attributes:
    found: the input.
    timing: when there are frames.
    network: makes pictures between two.
    pieces: where they are kept.
    writer: opens the file of a piece.
    mark: whether to write on frames what they are.
  """

  found: Survey
  timing: Timing
  network: Interpolator
  pieces: Pieces
  writer: Callable[..., media.VideoWriter]
  mark: bool

  def write(
    self, done: int, on_progress: Callable[[float], None]
  ) -> list[media.Piece]:
    """Writes the pieces that are not done.

    Args:
      done: how many are.
      on_progress: called with the share that is done.

    Returns:
      All pieces.
    """
    starts: list[Fraction] = []
    frames = 0
    maker: superres_frames.FrameMaker | None = None
    with contextlib.ExitStack() as stack:
      for number, batch in enumerate(self._batches()):
        starts.append(batch[0].time)
        if number >= done:
          first = batch[0].planned[0].numbers[0]
          maker = maker or self._maker(first, stack)
          notes = []
          with self.writer(self.pieces.path(number)) as writer:
            for time, made in _made(maker, batch):
              image = made.image
              if self.mark:
                image = marker.marked(image, made.planned.kind)
              writer.write(image, time - starts[-1])
              notes.append(provenance.note(made, time, self.found.times))
              on_progress(min((frames + len(notes)) / self.timing.frames, 1.0))
          self.pieces.finish(number, notes)
        frames += len(batch)
    ends = [*starts[1:], self.timing.end]
    return [
      media.Piece(self.pieces.path(number), *span)
      for number, span in enumerate(zip(starts, ends, strict=True))
    ]

  def _batches(self) -> Iterator[list[_Frame]]:
    """The frames of each piece."""
    info = self.found.info
    least, most = _PIECE_FRAMES
    wanted = round(_PIECE_PIXELS / (info.width * info.height))
    size = min(max(wanted, least), most)
    batch: list[_Frame] = []
    for frame in self._frames():
      batch.append(frame)
      if len(batch) == size:
        yield batch
        batch = []
    if batch:
      yield batch

  def _frames(self) -> Iterator[_Frame]:
    # The plan looks ahead.
    waiting: collections.deque[Shown] = collections.deque()

    def moments() -> Iterator[Fraction]:
      for shown in self.timing.shown(self.found):
        waiting.append(shown)
        yield from shown.moments

    planned = plan.plan(self.found, moments())
    for first in planned:
      shown = waiting.popleft()
      rest = [next(planned) for _ in shown.moments[1:]]
      yield _Frame(shown.time, (first, *rest))

  def _maker(
    self, first: int, stack: contextlib.ExitStack
  ) -> superres_frames.FrameMaker:
    """What makes frames from the input's frames, beginning with one."""
    info = self.found.info
    deep = info.bit_depth > 8
    pixel_format: media.ReadFormat = "rgb48le" if deep else "rgb24"
    interpolator: Interpolator = self.network
    if self.found.transparent:
      pixel_format = "rgba64le" if deep else "rgba"
      interpolator = TransparentInterpolator(self.network)
    reader = stack.enter_context(
      media.VideoReader(
        info.path, pixel_format=pixel_format, exact=True, skip=first
      )
    )
    return superres_frames.FrameMaker(reader, first, interpolator)


def _made(
  maker: superres_frames.FrameMaker, batch: Sequence[_Frame]
) -> Iterator[tuple[Fraction, Made]]:
  """Makes the frames of a piece, with the times at which they are shown."""
  made = maker.make(planned for frame in batch for planned in frame.planned)
  for frame in batch:
    if len(frame.planned) == 1:
      yield frame.time, next(made)
    else:
      yield frame.time, _mean(made, len(frame.planned))


def _mean(made: Iterator[Made], count: int) -> Made:
  """The mean of the next frames, in linear light."""
  total: np.ndarray | None = None
  doubts: list[Doubt] = []
  planned: list[Planned] = []
  kind = np.dtype(np.uint8)
  for _ in range(count):
    each = next(made)
    kind = each.image.dtype
    seen = _light(each.image)
    total = seen if total is None else total + seen
    planned.append(each.planned)
    if each.doubt is not None:
      doubts.append(each.doubt)
  assert total is not None
  doubt = None
  if doubts:
    worst = max(doubts, key=lambda each: each.worst)
    # Frames that were only copied have none.
    mean = sum(each.mean for each in doubts) / count
    doubt = worst._replace(mean=mean)
  sources = sorted({number for each in planned for number in each.sources})
  first = planned[0]
  whole = first._replace(
    time=(first.time + planned[-1].time) / 2,
    kind="averaged",
    sources=tuple(sources),
    share=0.0,
    beside=(None, None),
  )
  return Made(whole, _pixels(total / np.float32(count), kind), doubt)


def _light(image: np.ndarray) -> np.ndarray:
  """Linear light, and transparency as it is, float32 [h, w, c], 0..1."""
  opaque = image[..., 3:].astype(np.float32) / np.iinfo(image.dtype).max
  return np.concatenate([light.to_linear(image[..., :3]), opaque], -1)


def _pixels(linear: np.ndarray, kind: np.dtype) -> np.ndarray:
  full = np.iinfo(kind).max
  opaque = np.rint(linear[..., 3:] * full).astype(kind)
  return np.concatenate([light.from_linear(linear[..., :3], kind), opaque], -1)
