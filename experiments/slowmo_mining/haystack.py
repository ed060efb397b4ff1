"""Files with needles in hay: slow motion and its fakes among real-time video.

Each file plays real-time clips one after another, with a cut between them,
and one needle somewhere: genuine slow motion, or ordinary footage that was
slowed by putting frames in between. Every frame keeps the time that it is on
screen, so the rate varies within a file as it does in compilations.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from scipy import signal

from experiments.slowmo_mining import fakes
from experiments.slowmo_mining.calibrate import is_real_time
from speedflow import media
from speedflow.errors import SpeedflowError

SIZE = (456, 256)
"""Width and height of all files, pixels."""

HAY_CLIPS = 5
"""Real-time clips around each needle."""

FAST_ACTION = (
  *("ball", "tennis", "cricket", "kendo", "rac", "skate", "jump", "kick"),
  *("golf", "badminton", "danc", "athletics", "bounces", "penalty"),
)
"""Words in descriptions of clips whose action is fast."""

_RATE = 44_100  # Of the sound, Hz.
_FAKE_FACTORS = (2, 4, 8)
_LONGEST = 240  # Frames of a needle.
_SLOW_FPS = 24  # At which footage of twice the rate is played, to be slow.
_MOST_DUPLICATES = 0.1


@dataclasses.dataclass(frozen=True)
class Segment:
  """What a part of a file is.

  Attributes:
    kind: "real time", "fast action", "genuine", or a kind of fake.
    clip: the clip that it comes from.
    group: its scene group.
    speed: playback speed factor; None: slow, but not known how much.
    start_s: in the file, seconds.
    end_s: the same.
  """

  kind: str
  clip: str
  group: str
  speed: float | None
  start_s: float = 0.0
  end_s: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
  """A segment that is still to be written.

  Attributes:
    segment: what it is.
    path: the clip.
    fps: frames per second to play its frames at; None: its own times.
    factor: of a fake.
  """

  segment: Segment
  path: pathlib.Path
  fps: Fraction | None = None
  factor: int = 1

  def frames(self) -> tuple[list[np.ndarray], list[Fraction], Fraction]:
    """Images, their times after the first, and the length, seconds."""
    with media.VideoReader(self.path) as reader:
      read = list(itertools.islice(reader, _LONGEST))
      rate = self.fps or reader.info.fps
    images = [_fit(frame.image) for frame in read]
    if self.segment.kind in fakes.KINDS:
      images = fakes.KINDS[self.segment.kind](
        images[: _LONGEST // self.factor + 1], self.factor
      )[:_LONGEST]
    if self.fps or self.segment.kind in fakes.KINDS:
      times = [number / rate for number in range(len(images))]
    else:
      times = [frame.time - read[0].time for frame in read]
    return images, times, times[-1] + 1 / rate


def _fit(image: np.ndarray) -> np.ndarray:
  """Fills the files' size, cropping what sticks out, without bars."""
  height, width = image.shape[:2]
  scale = max(SIZE[0] / width, SIZE[1] / height)
  size = (
    max(SIZE[0], round(width * scale)),
    max(SIZE[1], round(height * scale)),
  )
  way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
  image = cv2.resize(image, size, interpolation=way)
  left, top = (size[0] - SIZE[0]) // 2, (size[1] - SIZE[1]) // 2
  return np.ascontiguousarray(image[top : top + SIZE[1], left : left + SIZE[0]])


def plan(
  rows: Sequence[Mapping[str, str]], folder: pathlib.Path, split: str, seed: int
) -> list[list[Part]]:
  """Which parts make which files.

  Args:
    rows: of clips.csv.
    folder: where the clips are.
    split: which of them to take.
    seed: of the order.
  """
  rng = np.random.default_rng(seed)
  rows = [row for row in rows if row["split"] == split]
  hay = [_part(row, folder, _hay_kind(row), 1.0) for row in rows if _hay(row)]
  needles = list(_genuine(rows, folder)) + list(_fakes(rows, folder, rng))
  files = []
  for number, needle in enumerate(needles):
    if number % (len(hay) // HAY_CLIPS) == 0:
      rng.shuffle(hay)
    first = number * HAY_CLIPS % (len(hay) - HAY_CLIPS + 1)
    around = [
      part
      for part in hay[first : first + HAY_CLIPS]
      # A scene is not its own hay.
      if part.segment.group != needle.segment.group
    ]
    place = int(rng.integers(0, len(around) + 1))
    files.append([*around[:place], needle, *around[place:]])
  return files


def _hay(row: Mapping[str, str]) -> bool:
  return is_real_time(dict(row))


def _hay_kind(row: Mapping[str, str]) -> str:
  fast = any(word in row["content"].lower() for word in FAST_ACTION)
  return "fast action" if fast else "real time"


def _part(
  row: Mapping[str, str],
  folder: pathlib.Path,
  kind: str,
  speed: float | None,
  fps: Fraction | None = None,
  factor: int = 1,
) -> Part:
  segment = Segment(kind, row["file"], row["scene_group"], speed)
  return Part(segment, folder / row["file"], fps, factor)


def _genuine(
  rows: Sequence[Mapping[str, str]], folder: pathlib.Path
) -> Iterator[Part]:
  """Slow clips as they are, and high-rate ones played slowly."""
  for row in rows:
    fps = float(row["fps"])
    if float(row["duplicate_fraction"] or 0) > _MOST_DUPLICATES:
      continue
    if _hay(row):
      if fps >= 2 * _SLOW_FPS and int(row["frames"]) >= 2 * _SLOW_FPS:
        yield _part(
          row, folder, "genuine", _SLOW_FPS / fps, Fraction(_SLOW_FPS)
        )
    elif float(row["speed"] or 0) > 0.5:
      speed = float(row["speed"]) * 30 / fps
      yield _part(row, folder, "genuine", speed, Fraction(30))
    else:
      yield _part(row, folder, "genuine", float(row["speed"] or 0) or None)


def _fakes(
  rows: Sequence[Mapping[str, str]],
  folder: pathlib.Path,
  rng: np.random.Generator,
) -> Iterator[Part]:
  """Each kind and factor, of three scenes each."""
  ordinary = [
    row
    for row in rows
    if _hay(row)
    and int(row["frames"]) >= 90
    and 20 <= float(row["fps"]) <= 35
    and float(row["duplicate_fraction"] or 0) <= 0.02
  ]
  for kind in fakes.KINDS:
    for factor in _FAKE_FACTORS:
      for index in rng.choice(len(ordinary), 3, replace=False):
        row = ordinary[index]
        yield _part(row, folder, kind, 1 / factor, Fraction(row["fps"]), factor)


def write(
  parts: Sequence[Part], path: pathlib.Path, with_sound: bool
) -> list[Segment]:
  """Writes a file, and says what is where in it.

  Args:
    parts: in order.
    path: an .mp4 file.
    with_sound: whether the parts' own sound is kept; fakes and slowed parts
      have none.
  """
  loaded = [(part, *part.frames()) for part in parts]
  starts = [
    Fraction(0),
    *itertools.accumulate(length for *_, length in loaded),
  ]
  audio = None
  if with_sound:
    audio = _sound(parts, [float(s) for s in starts])
  with media.VideoWriter(path, 30, SIZE, crf=23, audio=audio) as writer:
    for (_, images, times, _), start in zip(loaded, starts, strict=False):
      for image, time in zip(images, times, strict=True):
        writer.write(image, start + time)
  return [
    dataclasses.replace(part.segment, start_s=float(start), end_s=float(end))
    for part, (start, end) in zip(
      parts, itertools.pairwise(starts), strict=True
    )
  ]


def _sound(parts: Sequence[Part], starts: Sequence[float]) -> media.Audio:
  samples = np.zeros((round(starts[-1] * _RATE), 1), np.float32)
  for part, start_s, end_s in zip(parts, starts, starts[1:], strict=False):
    if part.fps is not None:
      continue
    try:
      audio = media.read_audio(part.path, mono=True)
    except SpeedflowError:
      continue  # A track that cannot be decoded is silence here.
    if audio is None or not len(audio.samples):
      continue
    resampled = signal.resample_poly(
      audio.samples[:, 0], _RATE, audio.rate
    ).astype(np.float32)
    first = round(start_s * _RATE)
    room = min(
      len(resampled), round(end_s * _RATE) - first, len(samples) - first
    )
    samples[first : first + room, 0] = resampled[:room]
  return media.Audio(samples, _RATE)


def as_json(segments: Sequence[Segment]) -> list[dict[str, Any]]:
  """Segments for a file of results."""
  return [dataclasses.asdict(segment) for segment in segments]
