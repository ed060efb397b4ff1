"""A world made by calculation: true physics, exact speed, any exposure.

Patches of images (or generated textures) fly, bounce, swing, roll and walk
under gravity before a swaying camera. Every body moves in closed form, so a
scene can be asked for its picture, its sound and the truth at any moment: it
has no frame rate of its own.
"""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np
import scipy.signal

from speedflow import media
from speedflow.data import procedural_cast, shards
from speedflow.data.procedural_cast import Body
from speedflow.data.records import shard_path
from speedflow.data.schema import MAX_FRAMES, ShotRecord, encode_jpeg
from speedflow.errors import SpeedflowError
from speedflow.output import claims
from speedflow.timewarp import audio, light, mechanics

NAME = "procedural"
"""Name of the data set, the first part of its files' names."""

AUDIO_RATE = 48000  # Hz
TIME_BASE = Fraction(1, 90000)  # Seconds per tick, as in MPEG.

# Motion blur is sampled at least this densely, in pixels ...
_BLUR_STEP = 0.5
# ... but never more often than this for one frame.
_MOST_EXPOSURES = 256


class Truth(NamedTuple):
  """What is where at a moment; n bodies, image coordinates.

  Attributes:
    positions: float64 [n, 2], x and y of the centres in pixels.
    velocities: float64 [n, 2], pixels per second.
    angles: float64 [n], radians, clockwise.
    spins: float64 [n], radians per second.
  """

  positions: np.ndarray
  velocities: np.ndarray
  angles: np.ndarray
  spins: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ProceduralScene:
  """A scene and its camera.

  Attributes:
    height: of the picture in pixels.
    width: of the picture in pixels.
    seconds: how long the scene lasts.
    pixels_per_metre: scale of the picture.
    background: float32 [H, W, 3] of linear light; mirrored beyond its border.
    bodies: painted in this order.
    camera: where the middle of the picture is.
    seed: of the sound.
  """

  height: int
  width: int
  seconds: float
  pixels_per_metre: float
  background: np.ndarray
  bodies: tuple[Body, ...]
  camera: mechanics.Motion
  seed: int = 0

  @classmethod
  def sample(
    cls,
    rng: np.random.Generator,
    size: tuple[int, int] = (96, 128),
    seconds: float = 4.0,
    images: Sequence[np.ndarray] = (),
  ) -> "ProceduralScene":
    """Draws a scene.

    Args:
      rng: source of randomness.
      size: height and width in pixels.
      seconds: how long the scene lasts.
      images: uint8 RGB pictures [h, w, 3] to cut background and bodies from;
        textures are generated where there are none.
    """
    height, width = size
    metres = float(np.exp2(rng.uniform(-1, 2.2)))  # Height of the view.
    scale = height / metres
    view = procedural_cast.View(rng, height, width, scale, images, seconds)
    bodies = procedural_cast.sample_bodies(view)
    pan = rng.uniform(0, 0.4) * metres * rng.integers(0, 2)
    shake = rng.uniform(0, 0.01) * metres * rng.integers(0, 2)
    return cls(
      height=height,
      width=width,
      seconds=seconds,
      pixels_per_metre=scale,
      background=view.backdrop(),
      bodies=bodies,
      camera=mechanics.Sway.sample(rng, pan, shake),
      seed=int(rng.integers(2**31)),
    )

  def frame(self, time_s: float, exposure_s: float = 0.0) -> np.ndarray:
    """Takes a picture.

    Args:
      time_s: middle of the exposure.
      exposure_s: how long the shutter is open; 0 freezes all motion.

    Returns:
      uint8 RGB [height, width, 3].
    """
    count = self._exposures(time_s, exposure_s)
    total = self._light(time_s + exposure_s * (0.5 / count - 0.5))
    for index in range(1, count):
      offset = (index + 0.5) / count - 0.5
      total += self._light(time_s + exposure_s * offset)
    return light.from_linear(total / count if count > 1 else total)

  def truth(self, time_s: float) -> Truth:
    """Where everything is; nothing is hidden behind other bodies."""
    eye = self.camera.pose(time_s)
    poses = np.array([b.motion.pose(time_s) for b in self.bodies])
    poses = poses.reshape(-1, 6)
    moves = poses[:, 3:5] - (eye.vx, eye.vy)
    return Truth(
      positions=self._to_pixels(poses[:, :2] - (eye.x, eye.y)),
      velocities=moves * self.pixels_per_metre,
      angles=poses[:, 2],
      spins=poses[:, 5],
    )

  def sound(self, rate: int = AUDIO_RATE) -> np.ndarray:
    """The whole scene's sound: impacts over a bed of tones and noise.

    Args:
      rate: Hz.

    Returns:
      float32 [round(seconds * rate), 1] in -1..1.
    """
    rng = np.random.default_rng(self.seed)
    length = round(self.seconds * rate)
    samples = _bed(rng, length, rate)
    for body in self.bodies:
      if not isinstance(body.motion, mechanics.Flight):
        continue
      modes = rng.uniform(200, 5000, 4), rng.uniform(0.01, 0.06, 4)
      for time_s, speed in body.motion.impacts:
        click = _click(rng, rate, *modes) * min(speed / 5, 1.0) * 0.6
        start = round(time_s * rate)
        part = samples[start : start + len(click)]
        part += click[: len(part)]
    return np.clip(samples, -1, 1).astype(np.float32)[:, None]

  def _to_pixels(self, metres: np.ndarray) -> np.ndarray:
    middle = np.array([self.width - 1, self.height - 1]) / 2
    return metres * self.pixels_per_metre + middle

  def _exposures(self, time_s: float, exposure_s: float) -> int:
    if exposure_s <= 0:
      return 1
    truth = self.truth(time_s)
    eye = self.camera.pose(time_s)
    radii = [math.hypot(*b.sprite.shape[:2]) / 2 for b in self.bodies]
    speeds = np.hypot(*truth.velocities.T) + np.abs(truth.spins) * radii
    pan = math.hypot(eye.vx, eye.vy) * self.pixels_per_metre
    fastest = speeds.max(initial=pan)
    return int(np.clip(fastest * exposure_s / _BLUR_STEP, 1, _MOST_EXPOSURES))

  def _light(self, time_s: float) -> np.ndarray:
    """Linear light of one moment, float32 [height, width, 3]."""
    truth = self.truth(time_s)
    eye = self.camera.pose(time_s)
    rows, columns = self.background.shape[:2]
    left = (columns - self.width) / 2 + eye.x * self.pixels_per_metre
    top = (rows - self.height) / 2 + eye.y * self.pixels_per_metre
    picture = cv2.warpAffine(
      self.background,
      np.array([[1, 0, left], [0, 1, top]]),
      (self.width, self.height),
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REFLECT,
    )
    for body, (x, y), angle in zip(
      self.bodies, truth.positions, truth.angles, strict=True
    ):
      _paint(picture, body.sprite, x, y, angle)
    return picture


def _paint(
  picture: np.ndarray, sprite: np.ndarray, x: float, y: float, angle: float
) -> None:
  rows, columns = sprite.shape[:2]
  reach = math.hypot(rows, columns) / 2
  left, top = max(math.floor(x - reach), 0), max(math.floor(y - reach), 0)
  right = min(math.ceil(x + reach) + 1, picture.shape[1])
  bottom = min(math.ceil(y + reach) + 1, picture.shape[0])
  if right <= left or bottom <= top:
    return
  cos, sin = math.cos(angle), math.sin(angle)
  middle = (columns - 1) / 2, (rows - 1) / 2
  matrix = np.array(
    [
      [cos, -sin, x - left - cos * middle[0] + sin * middle[1]],
      [sin, cos, y - top - sin * middle[0] - cos * middle[1]],
    ]
  )
  # The border of a sprite is empty, so that repeating it adds nothing.
  patch = cv2.warpAffine(
    sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR
  )
  part = picture[top:bottom, left:right]
  part *= 1 - patch[:, :, 3:]
  part += patch[:, :, :3]


def _bed(rng: np.random.Generator, length: int, rate: int) -> np.ndarray:
  """Hum with harmonics over wide-band noise that falls with frequency."""
  noise = rng.normal(size=length)
  samples = scipy.signal.lfilter([1.0], [1.0, -0.7], noise)
  samples *= 10 ** rng.uniform(-3.5, -2)
  time_s = np.arange(length) / rate
  hum = rng.uniform(60, 400)
  for harmonic in range(1, 5):
    phase, loudness = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.05) / harmonic
    samples += loudness * np.sin(2 * np.pi * hum * harmonic * time_s + phase)
  return samples


def _click(
  rng: np.random.Generator, rate: int, hertz: np.ndarray, decay_s: np.ndarray
) -> np.ndarray:
  """A struck body: decaying modes and a burst of noise."""
  time_s = np.arange(round(0.25 * rate)) / rate
  modes = np.sin(2 * np.pi * hertz[:, None] * time_s)
  modes *= np.exp(-time_s / decay_s[:, None])
  burst = rng.normal(size=len(time_s)) * np.exp(-time_s / 0.003)
  return modes.mean(axis=0) + 0.3 * burst


def to_records(
  scene: ProceduralScene,
  name: str,
  capture_fps: Fraction,
  fps: Fraction | None = None,
  exposure: float = 0.5,
  split: str = "train",
  quality: int = 95,
) -> list[ShotRecord]:
  """Films a scene as records of known speed, with sound.

  Args:
    scene: what to film.
    name: file stem of the records; also their scene group.
    capture_fps: frames per second of the world.
    fps: frames per second of playback, `capture_fps` (real time) by default.
      Sound is slowed or sped up with the picture, pitch and all.
    exposure: open-shutter time / frame interval, 0..1.
    split: of the records.
    quality: of the JPEGs, 0..100.

  Returns:
    Chunks of at most `MAX_FRAMES` frames.
  """
  fps = capture_fps if fps is None else fps
  speed = float(fps / capture_fps)
  sound = audio.change_speed(scene.sound(), AUDIO_RATE, speed)
  interval = float(1 / capture_fps)
  count = int(scene.seconds * capture_fps)
  records = []
  for first in range(0, count, MAX_FRAMES):
    numbers = range(first, min(first + MAX_FRAMES, count))
    frames = [
      encode_jpeg(
        scene.frame((n + exposure / 2) * interval, exposure * interval), quality
      )
      for n in numbers
    ]
    span = sound[
      round(first / fps * AUDIO_RATE) : round(numbers.stop / fps * AUDIO_RATE)
    ]
    chunk = first // MAX_FRAMES
    records.append(
      ShotRecord(
        id=f"{name}/0/{chunk}",
        frames=frames,
        ticks=np.array([round(n / fps / TIME_BASE) for n in numbers]),
        time_base=TIME_BASE,
        fps=fps,
        height=scene.height,
        width=scene.width,
        capture_fps=float(capture_fps),
        speed=speed,
        label="known",
        category="procedural",
        source="procedural",
        source_path=name,
        scene_group=f"procedural:{name}",
        split=split,
        content="bodies under gravity, rendered",
        chunk=chunk,
        first_frame=first,
        audio_flac=media.encode_flac(media.Audio(span, AUDIO_RATE)),
        audio_rate=AUDIO_RATE,
        audio_channels=1,
      )
    )
  return records


_CAPTURE_FPS = (30, 50, 60, 120, 240)
_FRAMES = 240  # Of each scene in a data set, at any rate.
_HELD_OUT = 0.15  # Share of the scenes to validate with, and to test with.
_SCENES_PER_SHARD = 16


def build(
  out: pathlib.Path,
  scenes: int,
  *,
  seed: int = 0,
  workers: int = 1,
  overwrite: bool = False,
  on_progress: shards.Progress | None = None,
) -> int:
  """Writes a data set of filmed scenes, as `speedflow data build` would.

  All play in real time, at several frame rates: as with real video, other
  speeds are made of them.

  Args:
    out: folder of the data set; files that are there are kept.
    scenes: how many; about 70 % of them to train on.
    seed: of the scenes.
    workers: processes.
    overwrite: whether to replace files in `out` that speedflow did not make.
    on_progress: called with the number of files done, and of all.

  Returns:
    The number of records written by this call.

  Raises:
    SpeedflowError: there are too few scenes for three splits.
  """
  if scenes < 3:
    raise SpeedflowError(
      f"{scenes} scenes are asked for; it takes at least 3, one to train on, "
      "one to validate with and one to test with"
    )
  held_out = max(1, round(scenes * _HELD_OUT))
  splits = {"val": held_out, "test": held_out, "train": scenes - 2 * held_out}
  wanted, first = {}, 0
  for split, count in splits.items():
    files = math.ceil(count / _SCENES_PER_SHARD)
    for file in range(files):
      numbers = range(first + file, first + count, files)
      path = shard_path(out, NAME, split, file, files, "tfrecord")
      wanted[path] = functools.partial(_film, numbers, split, seed)
    first += count
  with claims.claim("data procedural", folders=[out], overwrite=overwrite):
    return shards.write_missing(
      wanted, workers=workers, on_progress=on_progress
    )


def _film(numbers: Sequence[int], split: str, seed: int) -> Iterator[bytes]:
  for number in numbers:
    rng = np.random.default_rng([seed, number])
    rate = Fraction(int(rng.choice(_CAPTURE_FPS)))
    scene = ProceduralScene.sample(rng, seconds=float(_FRAMES / rate))
    exposure = float(rng.uniform(0.1, 1.0))
    for record in to_records(
      scene, f"scene{number:05}", rate, exposure=exposure, split=split
    ):
      yield dataclasses.replace(record, category="realtime").encode()
