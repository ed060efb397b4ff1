"""What a file declares of its capture, joined from all places that say it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

Trust = Literal["camera", "tag", "export", "contradictory"]

_ALIKE = 0.02
"""Rates that differ by less are one: 240 and 239.76."""


@dataclasses.dataclass(frozen=True)
class Statement:
  """What one place in a file says.

  Attributes:
    source: the place, such as "com.android.capture.fps".
    words: what is said there, as a sentence without its full stop.
    capture_fps: frames per second of the world while filming, or None.
    play_fps: frames per second at which the camera means it to be played, or
      None where only the stored rate tells.
    by_camera: whether cameras write it, and hardly anybody else.
  """

  source: str
  words: str
  capture_fps: float | None = None
  play_fps: float | None = None
  by_camera: bool = False


@dataclasses.dataclass(frozen=True)
class Retiming:
  """A span that a player shows at another pace than its time stamps say.

  Attributes:
    start_s: its start, in seconds of what the player shows.
    end_s: its end.
    rate: how fast the stored pictures go by: 0.5 shows them at half the pace
      of their time stamps, 0 holds one.
    source: what says so.
  """

  start_s: float
  end_s: float
  rate: float
  source: str

  def to_json(self) -> dict[str, Any]:
    """As JSON-ready values."""
    return {
      "start_s": round(self.start_s, 4),
      "end_s": round(self.end_s, 4),
      "rate": round(self.rate, 6),
      "source": self.source,
    }


@dataclasses.dataclass(frozen=True)
class Declaration:
  """What a file declares of its capture.

  Attributes:
    stored_fps: frames per second by its time stamps, but for pictures dropped
      or held; None where it holds fewer than two.
    steady: whether the time stamps keep to about one rate.
    statements: all that is said of rates, the surest first.
    retimings: spans that players show at another pace, in order.
    tools: names of software that wrote or edited the file.
  """

  stored_fps: float | None = None
  steady: bool = True
  statements: tuple[Statement, ...] = ()
  retimings: tuple[Retiming, ...] = ()
  tools: tuple[str, ...] = ()

  @property
  def rate(self) -> Statement | None:
    """The surest statement of a rate of capture."""
    return next((s for s in self.statements if s.capture_fps), None)

  @property
  def capture_fps(self) -> float | None:
    """Frames per second of the world while filming, as declared."""
    return self.rate.capture_fps if self.rate else None

  @property
  def play_fps(self) -> float | None:
    """Frames per second at which it is meant to be played."""
    if self.rate is None:
      return None
    return self.rate.play_fps or self.stored_fps

  @property
  def source(self) -> str | None:
    """The place that declares the rate of capture."""
    return self.rate.source if self.rate else None

  @property
  def speed(self) -> float | None:
    """Playback speed factor by the time stamps: stored rate / capture rate."""
    if not (self.capture_fps and self.stored_fps):
      return None
    return self.stored_fps / self.capture_fps

  @property
  def trust(self) -> Trust | None:
    """How far to trust the rate of capture; None where none is declared.

    "camera": a camera wrote it, and nothing shows that anybody else touched
    the file. "export": other software wrote the file, and may have changed
    its pace without changing what it copied. "contradictory": two places, or
    the declared playing rate and the time stamps, do not agree. "tag": any
    other, such as what follows from how the file is meant to be played.
    """
    rate = self.rate
    if rate is None:
      return None
    if self.tools:
      return "export"
    if not self._agrees(rate):
      return "contradictory"
    return "camera" if rate.by_camera else "tag"

  @property
  def decides(self) -> bool:
    """Whether the speed follows from it, with nothing left to doubt."""
    return bool(
      self.trust == "camera"
      and self.speed
      and self.steady
      and not any(r.source == "edit list" for r in self.retimings)
    )

  @property
  def says_anything(self) -> bool:
    """Whether there is anything but the time stamps."""
    return bool(self.statements or self.retimings or self.tools)

  def evidence(self) -> list[str]:
    """All that was found, as sentences without their full stops."""
    lines = [f"{s.source}: {s.words}" for s in self.statements]
    if self.trust == "contradictory":
      lines.append("these do not agree with each other or with the time stamps")
    lines += _retimed(self.retimings)
    if self.tools:
      lines.append(
        f"written by {', '.join(self.tools)}: exported or copied, not as filmed"
      )
    if self.rate and not self.steady:
      lines.append("its time stamps keep to no one rate")
    return lines

  def in_words(self) -> str:
    """The declared speed as a sentence without its subject."""
    if self.capture_fps is None:
      return "declares nothing of the rate at which it was filmed"
    said = f"says that it was filmed at {self.capture_fps:.5g} frames a second"
    if self.speed is None:
      return said
    return f"{said}, so that it plays at {self.speed:.4g}x"

  def to_json(self) -> dict[str, Any]:
    """As JSON-ready values; what is not declared is None."""
    return {
      "capture_fps": _rounded(self.capture_fps),
      "play_fps": _rounded(self.play_fps),
      "stored_fps": _rounded(self.stored_fps),
      "speed": _rounded(self.speed),
      "source": self.source,
      "trust": self.trust,
      "evidence": self.evidence(),
      "retimings": [each.to_json() for each in self.retimings],
      "tools": list(self.tools),
    }

  def _agrees(self, rate: Statement) -> bool:
    assert rate.capture_fps is not None
    others = [s.capture_fps for s in self.statements if s.capture_fps]
    if any(not alike(rate.capture_fps, other) for other in others):
      return False
    if rate.play_fps and self.stored_fps:
      return alike(rate.play_fps, self.stored_fps)
    return True


def alike(one: float, other: float) -> bool:
  """Whether two rates are the same but for rounding and NTSC's 1000/1001."""
  return abs(math.log(one / other)) < _ALIKE


def _retimed(retimings: Sequence[Retiming]) -> list[str]:
  return [
    f"{r.source}: players show {r.start_s:.2f} to {r.end_s:.2f} s "
    + (
      "as one held picture"
      if r.rate == 0
      else f"at {r.rate:.4g} times the pace of the time stamps"
    )
    for r in retimings
  ]


def _rounded(value: float | None) -> float | None:
  return None if value is None else float(f"{value:.6g}")
