"""From a video to its shots as records, frame by frame.

Memory holds the JPEGs of one record and a few frames, whatever the length of
the video.
"""

import bisect
import collections
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np

from speedflow import inputs, media
from speedflow.data import catalogue, cuts, declared_label, schema
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})

# Cuts and duplicates show at this size, whatever the size of the frames.
_THUMBNAIL_SHORT_SIDE = 96
# Too short a shot shows no motion: flashes are no shots.
_SHORTEST_SHOT = 8


class Numbered(NamedTuple):
  """A frame and the number of its shot.

  Attributes:
    shot: number of the shot, from 0.
    frame: the frame.
  """

  shot: int
  frame: media.Frame


def number_shots(
  frames: Iterable[media.Frame],
  resumed: Sequence[Fraction] = (),
  *,
  find_gradual: bool = True,
) -> Iterator[Numbered]:
  """Numbers the shots of a video: a new one begins at each cut.

  Neither flashes nor fast camera motion are cuts; dissolves and fades are, in
  their middle, see `cuts`. Frames come some later than they go in. Those that
  were left out belong to the shot before.

  Args:
    frames: in order, RGB.
    resumed: times of frames before which others were left out, where another
      shot begins as well; may grow while frames come, as
      `VideoReader.resumed` does.
    find_gradual: False: dissolves and fades are no cuts; 4 frames are held, not
      17.

  Yields:
    Every frame, with the number of its shot.
  """
  detector = cuts.CutDetector(_SHORTEST_SHOT, find_gradual=find_gradual)
  pending: collections.deque[media.Frame] = collections.deque()
  begins: set[int] = set()
  shot = emitted = 0

  def emit() -> Numbered:
    nonlocal shot, emitted
    if emitted in begins:
      shot += 1
    emitted += 1
    frame = pending.popleft()
    return Numbered(shot + bisect.bisect_right(resumed, frame.time), frame)

  for frame in frames:
    pending.append(frame)
    if frame.left_out:
      begins.update(detector.leave_out())
      while pending:
        yield emit()
      continue
    begins.update(detector.next(_thumbnail(frame.image)))
    if len(pending) > detector.after:
      yield emit()
  begins.update(detector.end())
  while pending:
    yield emit()


class ClipRecords:
  """The records of one clip, made while they are iterated over, once.

  Attributes:
    frames: number of frames read so far.
    shots: number of shots found so far.
    notes: what a user should know about the file, one line each: where it is
      damaged, or why its sound was left out.
  """

  def __init__(
    self,
    clip: catalogue.Clip,
    *,
    short_side: int = 256,
    quality: int = 90,
    find_cuts: bool = True,
    ignore_metadata: bool = False,
    crop: Callable[[np.ndarray], np.ndarray] | None = None,
  ):
    """Prepares reading.

    Args:
      clip: what to read.
      short_side: of the JPEGs, in pixels; smaller frames stay as they are.
      quality: of the JPEGs, 1..100.
      find_cuts: False: the clip is known to be one shot.
      ignore_metadata: whether to leave a clip of no label without one, instead
        of taking what its camera wrote into the file.
      crop: from a frame, uint8 [h, w, 3], to the part of it that is kept, the
        same of all frames; None: all of it.
    """
    self.frames = 0
    self.shots = 0
    self.notes: list[str] = []
    self._clip = clip if ignore_metadata else declared_label.labelled(clip)
    self._short_side = short_side
    self._quality = quality
    self._find_cuts = find_cuts
    self._crop = crop
    self._last: np.ndarray | None = None
    self._changes: list[float] = []
    self._times_s: list[float] = []

  def __iter__(self) -> Iterator[schema.ShotRecord]:
    """Yields the records in order.

    A single frame between two cuts, or left over by chunking, is no record.

    Raises:
      SpeedflowError: when the clip cannot be read, or is empty.
    """
    with contextlib.ExitStack() as stack:
      if os.path.isdir(self._clip.path):
        video = _open_images(self._clip, self._short_side)
      else:
        video = _open_video(self._clip, self._short_side, stack)
      for chunk in _chunks(self._numbered(video.frames, video.resumed)):
        if len(chunk.frames) > 1:
          yield self._record(chunk, video)
      if damage := video.damage():
        self.notes.append(damage)
    if not self.frames:
      raise SpeedflowError(
        f"{self._clip.path}: no frames in the span that was asked for"
      )

  def duplicate_fraction(self) -> float:
    """Returns the share of frames, 0..1, that repeat the one before."""
    if len(self._times_s) < 2:
      return 0.0
    true = labels.drop_duplicates(self._changes, self._times_s)
    return 1 - len(true.indices) / len(self._times_s)

  def _numbered(
    self, frames: Iterable[media.Frame], resumed: Sequence[Fraction]
  ) -> Iterator["_Encoded"]:
    numbered: Iterable[Numbered]
    if self._find_cuts:
      numbered = number_shots(frames, resumed)
    else:
      numbered = (
        Numbered(bisect.bisect_right(resumed, frame.time), frame)
        for frame in frames
      )
    for shot, (image, time) in numbered:
      if self._crop:
        image = self._crop(image)
      self._note_change(image, time)
      yield _Encoded(
        shot,
        self.frames,
        time,
        image.shape[:2],
        schema.encode_jpeg(image, self._quality),
      )
      self.frames += 1
      self.shots = shot + 1

  def _note_change(self, image: np.ndarray, time: Fraction) -> None:
    small = _thumbnail(image)
    if self._last is not None:
      self._changes.append(labels.frame_change(self._last, small))
    self._last = small
    self._times_s.append(float(time))

  def _record(self, chunk: "_Chunk", video: "_Video") -> schema.ShotRecord:
    clip, first = self._clip, chunk.frames[0]
    speed, capture_fps = clip.speed, clip.capture_fps
    if capture_fps and not speed:
      speed = float(video.fps) / capture_fps
    elif speed and not capture_fps:
      capture_fps = float(video.fps) / speed
    end = chunk.end or chunk.frames[-1].time + 1 / video.fps
    audio = self._audio(first.time, end) if video.has_audio else None
    height, width = first.size
    return schema.ShotRecord(
      id=f"{clip.name}/{first.shot}/{chunk.number}",
      frames=[frame.jpeg for frame in chunk.frames],
      ticks=np.array([int(f.time / video.time_base) for f in chunk.frames]),
      time_base=video.time_base,
      fps=video.fps,
      height=height,
      width=width,
      capture_fps=capture_fps,
      speed=speed,
      label=clip.label,
      category=clip.category,
      source=clip.source,
      source_path=clip.source_path,
      scene_group=clip.scene_group or clip.source,
      split=clip.split,
      licence=clip.licence,
      content=clip.content,
      shot=first.shot,
      chunk=chunk.number,
      first_frame=first.number,
      audio_flac=media.encode_flac(audio) if audio else b"",
      audio_rate=audio.rate if audio else 0,
      audio_channels=audio.samples.shape[1] if audio else 0,
      audio_start_s=audio.start_s - float(first.time) if audio else 0.0,
    )

  def _audio(self, start: Fraction, end: Fraction) -> media.Audio | None:
    try:
      audio = media.read_audio(self._clip.path, float(start), float(end))
    except SpeedflowError as error:
      # The picture is of use without the sound.
      if str(error) not in self.notes:
        self.notes.append(str(error))
      return None
    return audio if audio is not None and len(audio.samples) else None


class _Encoded(NamedTuple):
  """A frame on its way into a record."""

  shot: int
  number: int
  time: Fraction
  size: tuple[int, int]
  jpeg: bytes


class _Chunk(NamedTuple):
  """Frames of one record, and the time of the frame after, if there is one."""

  number: int
  frames: list[_Encoded]
  end: Fraction | None


@dataclasses.dataclass(frozen=True)
class _Video:
  """An open clip."""

  frames: Iterable[media.Frame]
  fps: Fraction
  time_base: Fraction
  has_audio: bool
  damage: Callable[[], str | None]
  resumed: Sequence[Fraction] = ()


def _chunks(frames: Iterable[_Encoded]) -> Iterator[_Chunk]:
  number = 0
  held: list[_Encoded] = []
  for frame in frames:
    is_cut = bool(held) and frame.shot != held[0].shot
    if is_cut or len(held) == schema.MAX_FRAMES:
      yield _Chunk(number, held, frame.time)
      number, held = 0 if is_cut else number + 1, []
    held.append(frame)
  if held:
    yield _Chunk(number, held, None)


def _open_video(
  clip: catalogue.Clip, short_side: int, stack: contextlib.ExitStack
) -> _Video:
  reader = stack.enter_context(
    media.VideoReader(
      clip.path, short_side=short_side, start_s=clip.start_s or None
    )
  )
  return _Video(
    frames=_until(reader, clip.end_s),
    fps=reader.info.fps,
    time_base=reader.info.time_base,
    has_audio=reader.info.has_audio,
    damage=lambda: reader.damage,
    resumed=reader.resumed,
  )


def _until(
  frames: Iterable[media.Frame], end_s: float | None
) -> Iterator[media.Frame]:
  for frame in frames:
    if end_s is not None and frame.time >= end_s:
      return
    yield frame


def _open_images(clip: catalogue.Clip, short_side: int) -> _Video:
  if clip.fps is None:
    raise SpeedflowError(f"{clip.path}: a folder of images needs its fps")
  files = list_images(clip.path)
  return _Video(
    frames=(
      media.Frame(_read_image(file, short_side), number / clip.fps)
      for number, file in enumerate(files)
    ),
    fps=clip.fps,
    time_base=1 / clip.fps,
    has_audio=False,
    damage=lambda: None,
  )


def list_images(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Returns the images of a folder, sorted by name."""
  return sorted(
    path
    for path in pathlib.Path(folder).iterdir()
    if path.suffix.lower() in IMAGE_SUFFIXES
  )


def _read_image(file: pathlib.Path, short_side: int) -> np.ndarray:
  inputs.require_file(file, "image")
  data = np.fromfile(file, np.uint8)
  image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
  if image is None:
    raise SpeedflowError(f"{file}: not a readable image; copy it again")
  return _shrink(image, short_side)


def _thumbnail(image: np.ndarray) -> np.ndarray:
  """Averages blocks of whole pixels, which is several times faster."""
  height, width = image.shape[:2]
  block = max(1, min(height, width) // _THUMBNAIL_SHORT_SIDE)
  if block == 1:
    return image
  size = (width // block, height // block)
  blocks = image[: size[1] * block, : size[0] * block]
  return cv2.resize(blocks, size, interpolation=cv2.INTER_AREA)


def _shrink(image: np.ndarray, short_side: int) -> np.ndarray:
  height, width = image.shape[:2]
  if min(height, width) <= short_side:
    return image
  scale = short_side / min(height, width)
  size = (round(width * scale), round(height * scale))
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
