"""One file: from its path to the slow motion in it, and why all else is not."""

import collections
import dataclasses
import math
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from speedflow import declared as declared_lib
from speedflow import media
from speedflow.data import catalogue, schema, shots
from speedflow.declared import Declaration
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import witness
from speedflow.mine import bars as bars_lib
from speedflow.mine import duplicates, filters, refusal, scan

_HASHES_PER_S = 2.0


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is searched for.

  Attributes:
    max_speed: the fastest playback speed that is wanted.
    evidence: that a piece must exceed, as of `scan.Piece`.
    min_seconds: of a piece, seconds of playback.
    doubt: of the sparse scan, as for `scan.Glance.may_be_slow`.
    sparse: whether to scan densely only where a sparse scan finds candidates.
    period_s: of the sparse scan, seconds.
    max_hours: of playback; what comes later in a file is left out.
    max_minutes: of work, after which a file is given up.
    ignore_metadata: whether not to ask files what they declare.
  """

  max_speed: float = 0.5
  evidence: float = 0.0
  min_seconds: float = 2.0
  doubt: float = 1.0
  sparse: bool = True
  period_s: float = scan.PERIOD_S
  max_hours: float = 24.0
  max_minutes: float = 120.0
  ignore_metadata: bool = False


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What is said of one piece.

  Attributes:
    piece: the piece.
    reason: why it is rejected; "" for slow motion.
    judgements: of the filters, for pieces that are slow enough.
    hashes: perceptual ones of some frames, for such pieces.
    vouched: what the file declares, where its word alone decides, it is slow
      enough, and the picture does not contradict it.
  """

  piece: scan.Piece
  reason: str = ""
  judgements: tuple[filters.Judgement, ...] = ()
  hashes: tuple[int, ...] = ()
  vouched: Declaration | None = None

  def to_json(self) -> dict[str, Any]:
    """The verdict as JSON-ready values; the reason is left out."""
    piece = self.piece
    return {
      "start_s": round(piece.start_s, 4),
      "end_s": round(piece.end_s, 4),
      "speed": float(f"{piece.speed:.5g}"),
      "speed_low": float(f"{piece.speed_low:.5g}"),
      "speed_high": float(f"{piece.speed_high:.5g}"),
      # JSON has no infinity.
      "evidence": round(max(piece.evidence, -99.0), 4),
      "fps": round(piece.fps, 4),
      "capture_fps": float(f"{piece.capture_fps:.5g}"),
      "declared_capture_fps": _declared(self.vouched, "capture_fps"),
      "declared_speed": _declared(self.vouched, "speed"),
      **{
        f"bars_{side}": round(share, 4)
        for side, share in dataclasses.asdict(piece.bars).items()
      },
      "filters": {j.name: float(f"{j.score:.4g}") for j in self.judgements},
      "hash": [f"{value:016x}" for value in self.hashes],
    }


@dataclasses.dataclass
class Examination:
  """Examines one file, once, while it is iterated over.

  Attributes:
    path: the file.
    settings: what is searched for.
    estimator: of speed.
    find_changes: as for `scan.pieces`.
    counts: what happened: by name, how often.
    seconds: of playback that the sparse scan covered.
    dense_s: of playback that the dense scan covered.
  """

  path: str
  settings: Settings
  estimator: estimator_lib.SpeedEstimator
  find_changes: scan.FindChanges | None = None
  counts: collections.Counter = dataclasses.field(
    default_factory=collections.Counter
  )
  seconds: float = 0.0
  dense_s: float = 0.0

  def __iter__(self) -> Iterator[Verdict]:
    """Yields a verdict on every piece of the spans that may be slow.

    Raises:
      SpeedflowError: the file cannot be read, or not in time.
    """
    deadline_s = time.monotonic() + 60 * self.settings.max_minutes
    info = refusal.probe(self.path)
    declared = declared_lib.ask(self.path, self.settings.ignore_metadata, info)
    limit_s = 3600 * self.settings.max_hours
    self.seconds = min(info.duration_s, limit_s)
    if info.duration_s > limit_s:
      self.counts["cut_at_limit"] += 1
    end_s = math.inf
    for span in self._spans(limit_s, deadline_s):
      for piece in scan.pieces(
        self.path,
        span,
        self.estimator,
        self.settings.max_speed,
        self.find_changes,
        deadline_s,
        lambda: self.counts.update(damaged_spans=1),
      ):
        if end_s == math.inf:
          end_s = piece.start_s + limit_s
        if piece.start_s > end_s:
          return
        self.dense_s += piece.seconds
        verdict = self._judge(piece, declared)
        if verdict.vouched and not verdict.reason:
          self.counts["vouched"] += 1
        self.counts[verdict.reason or "found"] += 1
        yield verdict

  def _spans(self, limit_s: float, deadline_s: float) -> list[scan.Span]:
    settings = self.settings
    if not settings.sparse:
      return [scan.Span(-math.inf, math.inf)]
    found = list(
      scan.glances(
        self.path, self.estimator, settings.period_s, limit_s, deadline_s
      )
    )
    self.counts["samples"] += len(found)
    return scan.worth_a_look(
      found, settings.max_speed, settings.doubt, settings.period_s
    )

  def _judge(
    self, piece: scan.Piece, declared: Declaration | None = None
  ) -> Verdict:
    """The cheapest reasons first."""
    settings = self.settings
    vouched = self._vouched(piece, declared)
    # Two frames' worth of rounding.
    if piece.seconds < settings.min_seconds - 2 / piece.fps:
      return Verdict(piece, "too_short")
    if not piece.tells:
      return Verdict(piece, "speed_unknown")
    if piece.speed > settings.max_speed:
      return Verdict(piece, "not_slow")
    if piece.evidence <= settings.evidence and vouched is None:
      return Verdict(piece, "not_surely_slow")
    footage = read_footage(self.path, piece.start_s, piece.end_s, piece.bars)
    if footage is None:
      return Verdict(piece, "too_short")
    judgements = filters.judge(footage)
    failed = next((j.name for j in judgements if not j.passes), "")
    return Verdict(piece, failed, tuple(judgements), _hashes(footage), vouched)

  def _vouched(
    self, piece: scan.Piece, declared: Declaration | None
  ) -> Declaration | None:
    """What is declared, where it makes a piece surely slow."""
    if declared is None or not declared.decides or declared.speed is None:
      return None
    if declared.speed > self.settings.max_speed or witness.contradicts(
      declared.speed, piece.speed_low, piece.speed_high
    ):
      return None
    return declared


def read_footage(
  path: str | os.PathLike[str],
  start_s: float,
  end_s: float,
  bars: bars_lib.Bars,
) -> filters.Footage | None:
  """Reads the middle of a piece for the filters.

  Args:
    path: the file.
    start_s: start of the piece, seconds on the file's clock.
    end_s: its end.
    bars: about the picture, which are cut off.

  Returns:
    At most `filters.ANALYSED_FRAMES` frames; None where there are none.
  """
  with media.VideoReader(
    path, short_side=filters.SHORT_SIDE, start_s=start_s
  ) as reader:
    most_s = filters.ANALYSED_FRAMES / float(reader.info.fps)
  first_s = max(start_s, (start_s + end_s - most_s) / 2)
  frames: list[media.Frame] = []
  with media.VideoReader(
    path, short_side=filters.SHORT_SIDE, start_s=first_s
  ) as reader:
    for frame in reader:
      if frame.time >= end_s or len(frames) == filters.ANALYSED_FRAMES:
        break
      frames.append(frame)
  if not frames:
    return None
  times = np.array([float(frame.time) for frame in frames])
  images = [bars.cut_off(frame.image) for frame in frames]
  return filters.Footage(images, times)


def _hashes(footage: filters.Footage) -> tuple[int, ...]:
  seconds = max(footage.seconds, 1e-3)
  step = max(1, round(len(footage.gray) / (seconds * _HASHES_PER_S)))
  return tuple(
    duplicates.perceptual_hash(image) for image in footage.gray[::step]
  )


def _declared(vouched: Declaration | None, name: str) -> float | None:
  return float(f"{getattr(vouched, name):.6g}") if vouched else None


def records(
  path: str, name: str, source: str, verdict: Verdict
) -> Iterator[schema.ShotRecord]:
  """A piece as training records, without bars, with its sound.

  Args:
    path: the file.
    name: of the clip, unique.
    source: where the file came from.
    verdict: on the piece.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  piece, vouched = verdict.piece, verdict.vouched
  clip = catalogue.Clip(
    name=name,
    path=path,
    # A float may lie above the exact time that it stands for.
    start_s=piece.start_s - 1e-4,
    end_s=piece.end_s - 1e-4,
    capture_fps=vouched.capture_fps or 0.0 if vouched else 0.0,
    speed=vouched.speed or 0.0 if vouched else piece.speed,
    label="declared" if vouched else "pseudo",
    category="slowmo",
    source=source,
    source_path=pathlib.PurePath(source).name,
    scene_group=source,
    # Labels that are estimates: to learn from, never to judge by.
    split="train",
  )
  yield from shots.ClipRecords(clip, find_cuts=False, crop=piece.bars.cut_off)
