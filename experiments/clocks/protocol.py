"""Real clips as files: as they are, with planted clocks, and retimed.

All are encoded alike, H.264 and AAC, at one quality for all files of a clip.
"""

import dataclasses
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from experiments.clocks import planting, retiming
from speedflow import media
from speedflow.clocks import flicker, hum
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.timewarp import audio

MIN_FRAMES = 48
"""A shot of fewer frames is left out."""

MAX_FRAMES = 300
"""Of a longer shot the beginning is taken."""

LEAST_LEVEL = 1e-3
"""Of full scale: quieter sound is silence, in which no hum can be laid."""

# Speeds of planted files by how often, and the strides that some need.
_SPEEDS = {1.0: 3, 0.5: 2, 2.0: 2, 0.8: 1, 1.25: 1, 1.5: 1, 0.25: 1, 4.0: 1}
_RETIMED_FRAMES = 120


@dataclasses.dataclass(frozen=True)
class Case:
  """One file and what is true of it.

  Attributes:
    clip: id of the shot.
    scene_group: of the shot.
    what: "untouched", "planted", or a name of `retiming.RECIPES`.
    speed: playback speed factor; 0 where it is not known.
    hum: Hz of the mains that was laid in the sound, or 0.
    flicker: Hz of the lamp that was laid in the picture, or 0.
  """

  clip: str
  scene_group: str
  what: str
  speed: float
  hum: float = 0.0
  flicker: float = 0.0


def shots(paths: Sequence[pathlib.Path]) -> Iterator[ShotRecord]:
  """Shots of known speed that are long enough."""
  for encoded in RecordSource(paths):
    shot = ShotRecord.decode(encoded)
    if shot.speed > 0 and shot.num_frames >= MIN_FRAMES:
      yield shot


def cases(
  shot: ShotRecord, folder: pathlib.Path, seed: int
) -> Iterator[tuple[Case, pathlib.Path]]:
  """Writes the files of a shot, and yields each with what is true of it.

  Args:
    shot: a shot of known speed.
    folder: where the files go; what is there already is not written again.
    seed: with the shot's id, of all that is drawn.
  """
  rng = np.random.default_rng([seed, zlib.crc32(shot.id.encode())])
  crf = int(rng.integers(18, 27))
  count = min(shot.num_frames, MAX_FRAMES)
  images = [shot.image(i) for i in range(count)]
  height, width = (n - n % 2 for n in images[0].shape[:2])
  images = [np.ascontiguousarray(i[:height, :width]) for i in images]
  stem = folder / shot.id.replace("/", "-")

  def write(
    kind: str,
    frames: Sequence[np.ndarray],
    fps: Fraction,
    sound: media.Audio | None,
  ) -> pathlib.Path:
    path = stem.with_name(f"{stem.name}-{kind}.mp4")
    if not path.exists():
      with media.VideoWriter(
        path, fps, (width, height), crf=crf, audio=sound
      ) as writer:
        for frame in frames:
          writer.write(frame)
    return path

  sound = _sound(shot, count / float(shot.fps))
  untouched = Case(shot.id, shot.scene_group, "untouched", shot.speed)
  yield untouched, write("untouched", images, shot.fps, sound)
  planted, frames, fps, heard = _planted(shot, images, sound, rng)
  if planted.hum or planted.flicker:
    yield planted, write("planted", frames, fps, heard)
  if shot.category == "realtime":
    name = str(rng.choice(list(retiming.RECIPES)))
    recipe = retiming.RECIPES[name]
    made = list(retiming.retimed(images[:_RETIMED_FRAMES], shot.fps, recipe))
    if len(made) >= MIN_FRAMES // 2:
      yield (
        Case(shot.id, shot.scene_group, name, shot.speed * recipe.speed),
        write("retimed", made, shot.fps * recipe.rate, None),
      )


def _planted(
  shot: ShotRecord,
  images: list[np.ndarray],
  sound: media.Audio | None,
  rng: np.random.Generator,
) -> tuple[Case, list[np.ndarray], Fraction, media.Audio | None]:
  """A shot with hum and flicker, retimed by a factor where it is real time."""
  factor = 1.0
  if shot.speed == 1 and shot.category == "realtime":
    weights = np.array(list(_SPEEDS.values()), float)
    factor = float(rng.choice(list(_SPEEDS), p=weights / weights.sum()))
  stride = int(factor) if factor in (2.0, 4.0) else 1
  if len(images) < stride * MIN_FRAMES:
    factor, stride = 1.0, 1
  frames = images[::stride]
  fps = shot.fps * Fraction(factor / stride).limit_denominator(100)
  world = float(shot.fps) / shot.speed / stride
  lamps = [
    lamp for lamp in flicker.LAMPS if planting.visible(lamp, world, len(frames))
  ]
  lamp = float(rng.choice(lamps)) if lamps else 0.0
  if lamp:
    # The rows of a camera are read within a frame's time.
    readout = float(rng.choice([0.0, rng.uniform(0.3, 0.9)])) / world / stride
    frames = list(planting.with_flicker(frames, world, readout, lamp, rng))
  mains = 0.0
  if sound is not None and sound.samples.std() > LEAST_LEVEL:
    mains = float(rng.choice(hum.MAINS))
    profile = planting.PROFILES[int(rng.integers(len(planting.PROFILES)))]
    samples = planting.with_hum(sound.samples, sound.rate, mains, profile, rng)
    if factor != 1:
      samples = audio.change_speed(samples, sound.rate, factor)
    sound = media.Audio(samples, sound.rate, max(sound.start_s, 0.0) / factor)
  case = Case(
    shot.id, shot.scene_group, "planted", shot.speed * factor, mains, lamp
  )
  return case, frames, fps, sound if mains else None


def _sound(shot: ShotRecord, seconds: float) -> media.Audio | None:
  """So much of a shot's sound; only real time's is known to be its own."""
  sound = shot.audio()
  if sound is None or shot.category != "realtime" or sound.rate < 8000:
    return None
  last = round((seconds - shot.audio_start_s) * sound.rate)
  samples = sound.samples[: max(last, 0)]
  if len(samples) < sound.rate:
    return None
  return media.Audio(samples, sound.rate, shot.audio_start_s)
