"""The record: one shot of video, or a part of a long one, with its sound."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from speedflow import media
from speedflow.data import example
from speedflow.errors import SpeedflowError

MAX_FRAMES = 512
"""A longer shot is cut into chunks of so many frames."""

LABELS = (
  "known",
  "declared",
  "believed",
  "assumed_realtime",
  "pseudo",
  "unknown",
)
"""How the speed of a clip is known, the surest first; `declared`: its camera
wrote the rate of filming into the file (`speedflow.declared`)."""

_TEXTS = (
  "id",
  "label",
  "category",
  "source",
  "source_path",
  "scene_group",
  "split",
  "licence",
  "content",
)
_INTS = ("height", "width", "shot", "chunk", "first_frame")
_FLOATS = ("capture_fps", "speed")

_REDUCED_COLOR = {
  1: cv2.IMREAD_COLOR_RGB,
  2: cv2.IMREAD_REDUCED_COLOR_2,
  4: cv2.IMREAD_REDUCED_COLOR_4,
  8: cv2.IMREAD_REDUCED_COLOR_8,
}
_REDUCED_GRAY = {
  1: cv2.IMREAD_GRAYSCALE,
  2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
  4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
  8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ShotRecord:
  """Consecutive frames without a cut, as JPEG, and the sound that goes with.

  Attributes:
    id: `<file stem>/<shot>/<chunk>`.
    frames: JPEG files, one per frame [T].
    ticks: int64 [T], presentation times in units of `time_base`, starting
      wherever the file does.
    time_base: seconds per tick.
    fps: average frames per second of playback, exact.
    height: of the JPEGs, in pixels.
    width: of the JPEGs, in pixels.
    capture_fps: frames per second of the world while filming; 0: unknown.
    speed: playback speed factor, 2.0 = plays twice as fast; 0: unknown.
    label: how the speed is known, one of `LABELS`.
    category: `realtime`, `slowmo`, `highfps` or a data set's own class.
    source: the original repository, data set or file.
    source_path: path inside the source.
    scene_group: clips of one place and time share it.
    split: `train`, `val` or `test`.
    licence: of the source.
    content: what can be seen, in words.
    shot: number of the shot within its file.
    chunk: number of the chunk within its shot.
    first_frame: number of the first frame within its file.
    audio_flac: a 16-bit FLAC file of just this span, at the file's own rate;
      empty when there is no sound.
    audio_rate: samples per second, Hz; 0 when there is no sound.
    audio_channels: number of channels; 0 when there is no sound.
    audio_start_s: time of the first sample minus time of the first frame, in
      seconds.
  """

  id: str
  frames: Sequence[bytes | memoryview]
  ticks: np.ndarray
  time_base: Fraction
  fps: Fraction
  height: int
  width: int
  capture_fps: float = 0.0
  speed: float = 0.0
  label: str = "unknown"
  category: str = ""
  source: str = ""
  source_path: str = ""
  scene_group: str = ""
  split: str = "train"
  licence: str = ""
  content: str = ""
  shot: int = 0
  chunk: int = 0
  first_frame: int = 0
  audio_flac: bytes = b""
  audio_rate: int = 0
  audio_channels: int = 0
  audio_start_s: float = 0.0

  @property
  def num_frames(self) -> int:
    """Number of frames, T."""
    return len(self.frames)

  def features(self) -> dict[str, example.Value]:
    """Returns the stored features by name, each a list or an array."""
    return {
      "frames/jpeg": self.frames,
      "frames/time": np.asarray(self.ticks, np.int64),
      "time_base": _ratio(self.time_base),
      "fps": _ratio(self.fps),
      "audio/flac": [self.audio_flac],
      "audio/rate": np.array([self.audio_rate], np.int64),
      "audio/channels": np.array([self.audio_channels], np.int64),
      "audio/start_s": np.array([self.audio_start_s], np.float32),
      **{name: [getattr(self, name).encode()] for name in _TEXTS},
      **{name: np.array([getattr(self, name)], np.int64) for name in _INTS},
      **{name: np.array([getattr(self, name)], np.float32) for name in _FLOATS},
    }

  def encode(self) -> bytes:
    """Serialises the record as a `tf.train.Example`."""
    return example.encode(self.features())

  @classmethod
  def decode(cls, record: bytes) -> "ShotRecord":
    """Parses a record; the frames stay JPEG, and are not copied.

    Raises:
      SpeedflowError: when the record holds something else.
    """
    try:
      stored = example.decode(record)
      scalars: dict[str, Any] = {
        **{name: str(stored[name][0], "utf-8") for name in _TEXTS},
        **{name: int(stored[name][0]) for name in _INTS},
        **{name: float(stored[name][0]) for name in _FLOATS},
      }
      return cls(
        frames=stored["frames/jpeg"],
        ticks=stored["frames/time"],
        time_base=Fraction(*(int(n) for n in stored["time_base"])),
        fps=Fraction(*(int(n) for n in stored["fps"])),
        audio_flac=bytes(stored["audio/flac"][0]),
        audio_rate=int(stored["audio/rate"][0]),
        audio_channels=int(stored["audio/channels"][0]),
        audio_start_s=float(stored["audio/start_s"][0]),
        **scalars,
      )
    except (KeyError, IndexError, TypeError, ValueError) as error:
      raise SpeedflowError(
        f"not a record of a shot ({error!r}); wanted a data set written by "
        "`speedflow data build`: build it again"
      ) from error

  def times_s(self) -> np.ndarray:
    """Returns the presentation times, float64 [T], in seconds of the file."""
    return np.asarray(self.ticks) * float(self.time_base)

  def image(
    self, index: int, *, gray: bool = False, reduce: int = 1
  ) -> np.ndarray:
    """Decodes one frame.

    Args:
      index: number of the frame, 0..T-1.
      gray: brightness only, which costs less.
      reduce: 1, 2, 4 or 8: decodes at 1/reduce of the size, which costs less
        than decoding and resizing, and averages properly.

    Returns:
      uint8 RGB [h, w, 3], or [h, w] when `gray`.

    Raises:
      SpeedflowError: when the frame is not a JPEG.
    """
    flags = _REDUCED_GRAY[reduce] if gray else _REDUCED_COLOR[reduce]
    encoded = np.frombuffer(self.frames[index], np.uint8)
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
      raise SpeedflowError(
        f"{self.id}: frame {index} is not a JPEG; build the data set again"
      )
    # Of the reduced pictures there is no RGB variant.
    is_rgb = gray or reduce == 1
    return image if is_rgb else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image)

  def audio(self) -> media.Audio | None:
    """Decodes the sound of the span, on the clock of `times_s`.

    Returns:
      The sound; None where there is none.

    Raises:
      SpeedflowError: when it is not FLAC.
    """
    if not self.audio_flac:
      return None
    start_s = float(self.times_s()[0]) + self.audio_start_s
    sound = media.decode_flac(self.audio_flac)
    return dataclasses.replace(sound, start_s=start_s)


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
  """A frame as records hold it; `ShotRecord.image` decodes it.

  Args:
    image: uint8 RGB [h, w, 3].
    quality: 1..100.
  """
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
  return encoded.tobytes()


def tfds_features() -> Any:
  """Returns the same schema as a `tfds.features.FeaturesDict`.

  With it `tfds.builder_from_directory(folder).as_data_source()` reads the
  records, without TensorFlow.
  """
  # Imported here for the sake of the loader's workers, which do without.
  import tensorflow_datasets as tfds

  text = tfds.features.Text
  return tfds.features.FeaturesDict(
    {
      "frames": {
        "jpeg": tfds.features.Sequence(text()),
        "time": tfds.features.Sequence(np.int64),
      },
      "time_base": tfds.features.Tensor(shape=(2,), dtype=np.int64),
      "fps": tfds.features.Tensor(shape=(2,), dtype=np.int64),
      "audio": {
        "flac": text(),
        "rate": np.int64,
        "channels": np.int64,
        "start_s": np.float32,
      },
      **{name: text() for name in _TEXTS},
      **{name: np.int64 for name in _INTS},
      **{name: np.float32 for name in _FLOATS},
    }
  )


def _ratio(value: Fraction) -> np.ndarray:
  return np.array([value.numerator, value.denominator], np.int64)
