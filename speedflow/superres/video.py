"""From a video to one with more frames a second, sharp if it was blurred.

The video is read twice: once for its cuts and repeats, once to be slowed. What
is made is kept in pieces until the whole is there, so memory does not grow
with the length, and a run that was killed can be continued.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import speedflow
from speedflow import media
from speedflow.errors import writing
from speedflow.output import claims, room
from speedflow.superres import exposure as superres_exposure
from speedflow.superres import frames as superres_frames
from speedflow.superres import marker, plan, slow_audio
from speedflow.superres import provenance as superres_provenance
from speedflow.superres import survey as survey_lib
from speedflow.superres import weights as superres_weights
from speedflow.superres.clock import Clock
from speedflow.superres.interpolator import FrameInterpolator
from speedflow.superres.options import Options
from speedflow.superres.pieces import Pieces
from speedflow.superres.plan import Planned
from speedflow.superres.transparent import TransparentInterpolator

# Shares of the work: the first reading, and putting the pieces together.
_SURVEY_SHARE, _JOIN_SHARE = 0.1, 0.02
# Median of 12 real clips at that crf (0.06 to 0.6); seven steps halve it.
_BITS_PER_PIXEL, _USUAL_CRF = 0.36, 14
# A piece has about so many pixels, and so many frames.
_PIECE_PIXELS = 2e8
_PIECE_FRAMES = (24, 240)


@dataclasses.dataclass(frozen=True)
class Output:
  """What was written.

  Attributes:
    path: the video.
    provenance: the JSON file beside it.
    fps: frames per second of playback; an average if the rate varies.
    factor: how many times as many frames there are.
    slowdown: how many times slower it plays.
    exposure: open-shutter time / frame interval that was assumed of each
      shot; None: blurred by an unknown amount.
    counts: number of frames of each kind.
    damage: what of the input could not be read; None if all could.
    left_out: what else was in the input, and is not in the output, in words.
  """

  path: str
  provenance: str
  fps: Fraction
  factor: Fraction
  slowdown: Fraction
  exposure: list[float]
  counts: dict[str, int]
  damage: str | None
  left_out: tuple[str, ...]


def superres(
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
  options: Options,
  on_progress: Callable[[float], None] = lambda done: None,
) -> Output:
  """Makes a video of more frames a second, or one that plays slower.

  Input frames keep their own times. Between two shots nothing is made up: the
  last frame of a shot is held. Frames that only repeat the one before are
  replaced. Bit depth, colours, transparency and the shape of the picture stay
  as they are; time begins with the first picture or sound. Beside the video,
  `<path_out>.json` says of every frame what it is, see `plan.Kind`.

  Until all is done, pieces are kept in `<path_out>.parts`, also when this ends
  with an error. A run that was continued writes the same as one that was not.

  Args:
    path_in: the video.
    path_out: .mp4, .mov or .mkv.
    options: how it is slowed.
    on_progress: called now and then with the share that is done, 0..1.

  Returns:
    What was written.

  Raises:
    SpeedflowError: the input cannot be read, the output cannot be written, or
      these settings do not go together.
  """
  media.require_suffix(path_out)
  options.check()
  sidecar = superres_provenance.path_of(path_out)
  pieces = Pieces(path_out)
  with claims.claim(
    "superres",
    files={
      path_out: superres_provenance.is_ours,
      sidecar: superres_provenance.is_provenance,
    },
    inputs=[path_in, options.weights],
    overwrite=options.overwrite,
  ):
    pieces.check(inputs=[path_in, options.weights])
    if options.audio != "drop":
      slow_audio.require_encoder(path_in, path_out)
    network = FrameInterpolator(
      superres_weights.SUPERRES.load(options.weights)[0]
    )
    found = survey_lib.survey(
      path_in,
      superres_exposure.judge
      if options.exposure == "auto"
      else lambda pairs: float(options.exposure),
      lambda done: on_progress(done * _SURVEY_SHARE),
    )
    clock = Clock.of(found, options)
    room.require(
      claims.real(path_out).parent,
      _bytes(clock.frames, found.info, options.crf),
      f"the frames of {os.path.basename(path_out)}",
    )
    stored = media.pixel_format_for(
      path_out, found.info, alpha=found.transparent, crf=options.crf
    )
    facts = {
      "input": os.path.basename(path_in),
      "input_sha256": superres_provenance.sha256(path_in),
      "output": os.path.basename(path_out),
      "crf": options.crf,
      "marked": options.mark,
      **_assumed(found, clock),
      **_maker(options.weights),
    }
    writer = functools.partial(
      media.VideoWriter,
      fps=clock.rate,
      size=(found.info.width, found.info.height),
      crf=options.crf,
      pixel_format=stored,
      colour=media.colour_for(found.info),
      time_base=clock.time_base,
      pixel_aspect=found.info.pixel_aspect,
    )
    work = _Work(found, clock, network, pieces, writer, options.mark)
    share = 1 - _SURVEY_SHARE - _JOIN_SHARE
    parts = work.write(
      pieces.begin(facts, options.resume),
      lambda done: on_progress(_SURVEY_SHARE + share * done),
    )
    sound = slow_audio.sound(
      path_in,
      options.sound,
      clock.origin,
      clock.start,
      clock.slowdown,
    )
    whole = pieces.whole(path_out)
    joined = media.join(
      parts,
      whole,
      clock.time_base,
      sound,
      fps=clock.rate,
      title=found.info.title,
    )
    for number, _ in enumerate(joined):
      on_progress(1 - _JOIN_SHARE * (1 - number / len(parts)))
    notes = pieces.whole(sidecar)
    with writing(sidecar):
      counts = superres_provenance.write(
        notes,
        facts | {"output_bytes": whole.stat().st_size},
        map(pieces.notes, range(len(parts))),
      )
    # Both are whole by now. The video goes first: what the JSON beside an older
    # one says is then known, by the size, to be of another.
    pieces.publish(whole, path_out)
    pieces.publish(notes, sidecar)
    pieces.remove()
  on_progress(1.0)
  return Output(
    path=os.fspath(path_out),
    provenance=os.fspath(sidecar),
    fps=clock.rate,
    factor=clock.factor,
    slowdown=clock.slowdown,
    exposure=found.exposure,
    counts=counts,
    damage=found.damage,
    left_out=found.info.others,
  )


def _assumed(found: survey_lib.Survey, clock: Clock) -> dict[str, Any]:
  """What the frames rest on, for the JSON."""
  return {
    "damage": found.damage,
    "left_out": list(found.info.others),
    "fps_in": str(found.fps),
    "fps_in_nominal": str(found.info.fps_nominal),
    "variable_rate": not found.even,
    "factor": str(clock.factor),
    "slowdown": str(clock.slowdown),
    "end": str(clock.end),
    "exposure": found.exposure,
    "repeats": int((~found.true).sum()),
  }


def _maker(weights: str) -> dict[str, Any]:
  """What makes the frames, for the JSON."""
  path = superres_weights.SUPERRES.find(weights)
  return {
    "weights": path.name,
    "weights_sha256": superres_weights.SUPERRES.digest(path),
    "speedflow": speedflow.__version__,
  }


def _bytes(frames: int, info: media.VideoInfo, crf: int) -> float:
  """About how much space it takes, the pieces and the whole together."""
  bits = _BITS_PER_PIXEL * 2 ** ((_USUAL_CRF - crf) / 7)
  return 2 * frames * info.width * info.height * bits / 8


@dataclasses.dataclass(frozen=True)
class _Work:
  """All that is needed to make the frames."""

  found: survey_lib.Survey
  clock: Clock
  network: FrameInterpolator
  pieces: Pieces
  writer: Callable[..., media.VideoWriter]
  mark: bool

  def write(
    self, done: int, on_progress: Callable[[float], None]
  ) -> list[media.Piece]:
    """Writes the pieces that are not done, and returns all."""
    planned = plan.plan(self.found, self.clock.moments(self.found))
    starts = []
    frames = 0
    maker: superres_frames.FrameMaker | None = None
    with contextlib.ExitStack() as stack:
      for number, batch in enumerate(_batches(planned, self._piece_frames)):
        starts.append(self.clock.shown(batch[0].time))
        if number >= done:
          maker = maker or self._maker(batch[0].numbers[0], stack)
          notes = []
          with self.writer(self.pieces.path(number)) as writer:
            for made in maker.make(batch):
              time = self.clock.shown(made.planned.time)
              image = made.image
              if self.mark:
                image = marker.marked(image, made.planned.kind)
              writer.write(image, time - starts[-1])
              notes.append(
                superres_provenance.note(made, time, self.found.times)
              )
              done_frames = frames + len(notes)
              on_progress(min(done_frames / self.clock.frames, 1.0))
          self.pieces.finish(number, notes)
        frames += len(batch)
    ends = [*starts[1:], self.clock.end]
    return [
      media.Piece(self.pieces.path(number), *span)
      for number, span in enumerate(zip(starts, ends, strict=True))
    ]

  def _maker(
    self, first: int, stack: contextlib.ExitStack
  ) -> superres_frames.FrameMaker:
    """What makes frames from the input's frames, beginning with one."""
    info = self.found.info
    deep = info.bit_depth > 8
    pixel_format: media.ReadFormat = "rgb48le" if deep else "rgb24"
    interpolator: superres_frames.Interpolator = self.network
    if self.found.transparent:
      pixel_format = "rgba64le" if deep else "rgba"
      interpolator = TransparentInterpolator(self.network)
    reader = stack.enter_context(
      media.VideoReader(
        info.path, pixel_format=pixel_format, exact=True, skip=first
      )
    )
    return superres_frames.FrameMaker(reader, first, interpolator)

  @property
  def _piece_frames(self) -> int:
    info = self.found.info
    least, most = _PIECE_FRAMES
    wanted = round(_PIECE_PIXELS / (info.width * info.height))
    return min(max(wanted, least), most)


def _batches(items: Iterator[Planned], size: int) -> Iterator[list[Planned]]:
  while batch := list(itertools.islice(items, size)):
    yield batch
