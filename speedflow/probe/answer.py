"""What is found out about one file without looking at its pictures."""

import dataclasses
from typing import Any, Literal

from speedflow import media
from speedflow.declared import Declaration

# Of ITU-T H.273, as people call them.
_MATRICES = {0: "RGB", 1: "BT.709", 5: "BT.601", 6: "BT.601", 9: "BT.2020"}
_TRANSFERS = {16: "PQ", 18: "HLG"}
_TRUSTS = {
  "camera": "the camera wrote it",
  "tag": "it follows from its tags",
  "export": "other software wrote the file, so it may no longer hold",
  "contradictory": "contradictory, not to be trusted",
}


@dataclasses.dataclass(frozen=True)
class Track:
  """A track of sound.

  Attributes:
    codec: FFmpeg's name of it.
    rate: samples per second, Hz.
    channels: how many.
  """

  codec: str
  rate: int
  channels: int


@dataclasses.dataclass(frozen=True)
class Probe:
  """What one file is, and what it declares.

  Attributes:
    file: the path as it was given.
    status: "ok", or "error" when the file could not be read.
    error: the one line that says what is wrong with the file, or None.
    container: FFmpeg's name of the format, or None.
    info: what the picture is, or None.
    sound: the tracks of sound.
    declared: what the file declares of its capture, or None.
    damage: always None: no more than the beginning is decoded.
  """

  file: str
  status: Literal["ok", "error"]
  error: str | None = None
  container: str | None = None
  info: media.VideoInfo | None = None
  sound: tuple[Track, ...] = ()
  declared: Declaration | None = None
  damage: str | None = None

  @classmethod
  def failed(cls, file: str, error: str) -> "Probe":
    """The answer about a file that could not be read."""
    return cls(file=file, status="error", error=error)

  def to_json(self) -> dict[str, Any]:
    """The answer as JSON-ready values; what is not known is None."""
    found: dict[str, Any] = {
      "file": self.file,
      "status": self.status,
      "error": self.error,
      "container": self.container,
      "video": None,
      "sound": [dataclasses.asdict(track) for track in self.sound],
      "declared": self.declared.to_json() if self.declared else None,
    }
    if (info := self.info) is not None:
      found["video"] = {
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "pixel_format": info.pixel_format,
        "bit_depth": info.bit_depth,
        "fps": round(float(info.fps), 6),
        "fps_exact": str(info.fps),
        "fps_nominal": round(float(info.fps_nominal), 6),
        "variable_frame_rate": info.variable_frame_rate,
        "time_base": str(info.time_base),
        "frames": info.frames or None,
        "duration_s": round(info.duration_s, 6) or None,
        "pixel_aspect": str(info.pixel_aspect),
        "rotation": info.rotation,
        "interlaced": info.interlaced,
        # Code points of ITU-T H.273.
        "colour": info.colour._asdict(),
        "others": list(info.others),
      }
    return found

  def in_words(self) -> list[str]:
    """The answer as lines: what it is, and what it declares."""
    if self.info is None or self.declared is None:
      return [f"could not be read: {self.error}"]
    return [self._picture(self.info), self._sound(), *_declared(self.declared)]

  def _picture(self, info: media.VideoInfo) -> str:
    parts = [
      f"{self.container}, {info.codec}",
      f"{info.width}x{info.height}",
      f"{info.bit_depth} bits, {info.pixel_format}",
      f"{float(info.fps):.6g} frames a second as stored",
    ]
    if info.duration_s:
      parts.append(f"{info.duration_s:.3f} s")
    if info.variable_frame_rate:
      parts.append("a rate that varies")
    if info.fps_nominal != info.fps:
      parts.append(f"{float(info.fps_nominal):.6g} by its header")
    if info.pixel_aspect != 1:
      parts.append(f"pixels of {info.pixel_aspect}")
    if info.rotation:
      parts.append(f"turned by {info.rotation} degrees")
    if info.interlaced:
      parts.append("interlaced")
    return ", ".join([*parts, _colour(info.colour), *info.others])

  def _sound(self) -> str:
    tracks = [
      f"{t.codec} {t.rate} Hz, {t.channels} channels" for t in self.sound
    ]
    return "sound: " + ("; ".join(tracks) or "none")


def _declared(declared: Declaration) -> list[str]:
  if declared.trust is None:
    said = "nothing declared of the rate at which it was filmed"
  else:
    said = f"declared: it {declared.in_words()} ({_TRUSTS[declared.trust]})"
  return [said, *(f"- {line}" for line in declared.evidence())]


def _colour(colour: media.Colour) -> str:
  names = [_MATRICES.get(colour.matrix, f"matrix {colour.matrix}")]
  if not colour.stated:
    names.append("(assumed)")
  if colour.transfer in _TRANSFERS:
    names.append(_TRANSFERS[colour.transfer])
  names.append("full range" if colour.full_range else "limited range")
  return " ".join(names)
