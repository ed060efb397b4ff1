"""From a video to another of it whose frames are made anew.

The video is read twice: once for its cuts and repeats, once to make frames.
What is made is kept in pieces until the whole is there, so memory does not grow
with the length, and a run that was killed can be continued.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Protocol

from speedflow import media
from speedflow.errors import writing
from speedflow.output import claims, room
from speedflow.superres import exposure as superres_exposure
from speedflow.superres import makers, provenance, rendering, slow_audio
from speedflow.superres import survey as survey_lib
from speedflow.superres.options import Settings
from speedflow.superres.pieces import Pieces
from speedflow.superres.survey import Survey

# Shares of the work: the first reading, and putting the pieces together.
_SURVEY_SHARE, _JOIN_SHARE = 0.1, 0.02
# Median of 12 real clips at that crf (0.06 to 0.6); seven steps halve it.
_BITS_PER_PIXEL, _USUAL_CRF = 0.36, 14


class Timing(rendering.Timing, Protocol):
  """When the output has frames, and on which clock."""

  @property
  def time_base(self) -> Fraction:
    """Seconds per tick; every time is a multiple of it."""
    ...


@dataclasses.dataclass(frozen=True)
class Order:
  """A video that is to be made.

  Attributes:
    command: that makes it.
    path_in: the video before.
    path_out: .mp4, .mov or .mkv.
    settings: of it.
    timing: when it has frames, by what is found in the input.
    sound: its sound, by the timing that was given; None: none.
    facts: what else is noted of it.
    inputs: further files that are read.
  """

  command: str
  path_in: str | os.PathLike[str]
  path_out: str | os.PathLike[str]
  settings: Settings
  timing: Callable[[Survey], Timing]
  sound: Callable[[Any], Iterator[media.Audio] | None]
  facts: Callable[[Any], dict[str, Any]]
  inputs: tuple[str | os.PathLike[str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Produced:
  """What was made.

  Attributes:
    found: the input.
    timing: when the output has frames.
    provenance: the JSON file beside it.
    counts: number of frames of each kind.
  """

  found: Survey
  timing: Any
  provenance: str
  counts: dict[str, int]


def produce(
  order: Order, on_progress: Callable[[float], None] = lambda done: None
) -> Produced:
  """Makes a video.

  Input frames keep their own times. Between two shots nothing is made up: the
  last frame of a shot is held. Frames that only repeat the one before are
  replaced. Bit depth, colours, transparency and the shape of the picture stay
  as they are. Beside the video, `<path_out>.json` says of every frame what it
  is, see `plan.Kind`.

  Until all is done, pieces are kept in `<path_out>.parts`, also when this ends
  with an error. A run that was continued writes the same as one that was not.

  Args:
    order: what is to be made.
    on_progress: called now and then with the share that is done, 0..1.

  Returns:
    What was made.

  Raises:
    SpeedflowError: the input cannot be read, or the output cannot be written.
  """
  path_in, path_out, settings = order.path_in, order.path_out, order.settings
  media.require_suffix(path_out)
  sidecar = provenance.path_of(path_out)
  pieces = Pieces(path_out)
  inputs = [path_in, settings.weights, *order.inputs]
  with claims.claim(
    order.command,
    files={
      path_out: provenance.is_ours,
      sidecar: provenance.is_provenance,
    },
    inputs=inputs,
    overwrite=settings.overwrite,
  ):
    pieces.check(inputs=inputs)
    if settings.sound != "drop":
      slow_audio.require_encoder(path_in, path_out)
    network = makers.load(settings.weights)
    exposure = settings.exposure
    found = survey_lib.survey(
      path_in,
      superres_exposure.judge
      if exposure == "auto"
      else lambda pairs: float(exposure),
      lambda done: on_progress(done * _SURVEY_SHARE),
    )
    timing = order.timing(found)
    room.require(
      claims.real(path_out).parent,
      _bytes(timing.frames, found.info, settings.crf),
      f"the frames of {os.path.basename(path_out)}",
    )
    facts = {
      "input": os.path.basename(path_in),
      "input_sha256": provenance.sha256(path_in),
      "output": os.path.basename(path_out),
      "crf": settings.crf,
      "marked": settings.mark,
      **_assumed(found),
      **order.facts(timing),
      **makers.facts(settings.weights),
    }
    writer = functools.partial(
      media.VideoWriter,
      fps=timing.rate,
      size=(found.info.width, found.info.height),
      crf=settings.crf,
      pixel_format=media.pixel_format_for(
        path_out, found.info, alpha=found.transparent, crf=settings.crf
      ),
      colour=media.colour_for(found.info),
      time_base=timing.time_base,
      pixel_aspect=found.info.pixel_aspect,
    )
    work = rendering.Rendering(
      found, timing, network, pieces, writer, settings.mark
    )
    share = 1 - _SURVEY_SHARE - _JOIN_SHARE
    parts = work.write(
      pieces.begin(facts, settings.resume),
      lambda done: on_progress(_SURVEY_SHARE + share * done),
    )
    whole = pieces.whole(path_out)
    joined = media.join(
      parts,
      whole,
      timing.time_base,
      order.sound(timing),
      fps=timing.rate,
      title=found.info.title,
    )
    for number, _ in enumerate(joined):
      on_progress(1 - _JOIN_SHARE * (1 - number / len(parts)))
    notes = pieces.whole(sidecar)
    with writing(sidecar):
      counts = provenance.write(
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
  return Produced(found, timing, os.fspath(sidecar), counts)


def _assumed(found: Survey) -> dict[str, Any]:
  """What the frames rest on, for the JSON."""
  return {
    "damage": found.damage,
    "left_out": list(found.info.others),
    "fps_in": str(found.fps),
    "fps_in_nominal": str(found.info.fps_nominal),
    "variable_rate": not found.even,
    "exposure": found.exposure,
    "repeats": int((~found.true).sum()),
  }


def _bytes(frames: int, info: media.VideoInfo, crf: int) -> float:
  """About how much space it takes, the pieces and the whole together."""
  bits = _BITS_PER_PIXEL * 2 ** ((_USUAL_CRF - crf) / 7)
  return 2 * frames * info.width * info.height * bits / 8
