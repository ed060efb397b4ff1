"""Windows of real sound at two speeds each, for the sound speed network."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import SupportsIndex

import grain
import ml_collections
import numpy as np

from experiments.speed_estimator.dataset import ANCHORS
from speedflow import media
from speedflow.data import balance, pipeline
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.sound import evidence, spectra
from speedflow.timewarp import audio as audio_speed

WINDOWS_PER_GROUP = 2

# Decibels of a factor e of power.
_NEPER_DB = 10 / np.log(10)
# Trials to find a window that holds sound.
_TRIALS = 5


class SoundSource:
  """The sounds of shots played at their own speed; random access.

  All are held in memory, mixed down to one channel. Sources count alike to
  the extent that `power` says, as in the speed estimator.
  """

  def __init__(self, paths: Sequence[pathlib.Path], power: float = 1.0):
    """Reads the sounds.

    Args:
      paths: shards of shot records.
      power: a source of n sounds is heard n ** power as often as one of one.

    Raises:
      SpeedflowError: none of the shots has sound.
    """
    self._paths = [str(path) for path in paths]
    self.sounds, sources, self.groups = [], [], []
    for encoded in RecordSource(paths):
      record = ShotRecord.decode(encoded)
      sound = record.audio()
      if sound is None or record.label not in ANCHORS:
        continue
      if not 0.9 < record.speed < 1.1 or not _sounds(sound):
        continue
      self.sounds.append(sound)
      sources.append(record.source)
      self.groups.append(record.scene_group)
    if not self.sounds:
      raise SpeedflowError(
        f"{paths[0].parent}: no real-time shot has sound; build the records "
        "from videos with sound"
      )
    self._order = balance.indices(sources, power)

  def __len__(self) -> int:
    return len(self._order)

  def __getitem__(self, index: SupportsIndex, /) -> media.Audio:
    return self.sounds[self._order[index]]

  def __repr__(self) -> str:
    return f"SoundSource({self._paths})"


def _sounds(sound: media.Audio) -> bool:
  parts = [part.decibels for part in spectra.columns([sound])]
  return any(evidence.audible(part).mean() > 0.5 for part in parts)


def spectrogram(
  sound: media.Audio, start: int, factor: float, columns: int
) -> np.ndarray:
  """Part of a sound, played at another speed, as bands.

  Args:
    sound: the original.
    start: its first sample to use.
    factor: of the speed.
    columns: how many are wanted.

  Returns:
    float32 [<= columns, BANDS]; fewer where the sound ends.
  """
  size = spectra.window_samples(sound.rate)
  wanted = size + (columns - 1) * sound.rate / spectra.COLUMNS_PER_S
  # What a resampler does at the ends is left out.
  margin = size // 4
  part = sound.samples[start : start + round((wanted + 2 * margin) * factor)]
  played = audio_speed.change_speed(part, sound.rate, factor)[margin:-margin]
  found = [
    p.decibels for p in spectra.columns([media.Audio(played, sound.rate)])
  ]
  found.append(np.zeros((0, spectra.BANDS), np.float32))
  return np.concatenate(found)[:columns]


@dataclasses.dataclass(frozen=True)
class GroupSampler:
  """A transform: sound -> two windows of it at different speeds.

  Attributes:
    columns: length of the windows.
    octaves: speeds are drawn from 2 ** -octaves .. 2 ** octaves.
    gain_db: standard deviation of the level.
    tilt_db: the same of random equalisation, over all bands.
    low_pass: chance that the window is cut off above a random band: ordinary
      sound ends anywhere, and its end must not be all that tells the speed.
    noise: chance of a faint even noise.
  """

  columns: int
  octaves: float
  gain_db: float
  tilt_db: float
  low_pass: float
  noise: float

  def __call__(
    self, sound: media.Audio, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws one group.

    Args:
      sound: at its own speed.
      rng: source of randomness.

    Returns:
      decibels: float16 [2, columns, BANDS]; log2_speed: float32 [2].
    """
    windows, speeds = [], []
    for _ in range(WINDOWS_PER_GROUP):
      window, speed = self._window(sound, rng)
      windows.append(self._dress(window, rng))
      speeds.append(speed)
    return {
      "decibels": np.stack(windows).astype(np.float16),
      "log2_speed": np.array(speeds, np.float32),
    }

  def _window(
    self, sound: media.Audio, rng: np.random.Generator
  ) -> tuple[np.ndarray, float]:
    """A window that is not silent, if one is found soon, and its speed."""
    # Longer than the window: what the transform and the ends need.
    needed = 1.1 * self.columns / spectra.COLUMNS_PER_S + 0.1
    fastest = np.log2(max(sound.duration_s / needed, 2.0**-self.octaves))
    for _ in range(_TRIALS):
      speed = rng.uniform(-self.octaves, min(self.octaves, fastest))
      last = len(sound.samples) - round(needed * 2**speed * sound.rate)
      start = int(rng.integers(0, max(last, 0), endpoint=True))
      found = spectrogram(sound, start, 2**speed, self.columns)
      if len(found) and evidence.audible(found).mean() > 0.5:
        break
    window = np.full((self.columns, spectra.BANDS), spectra.FLOOR_DB)
    window[: len(found)] = found
    return window, speed

  def _dress(self, window: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes what has nothing to do with speed."""
    place = np.linspace(-1, 1, spectra.BANDS)
    curve = rng.normal(0, self.gain_db) + sum(
      rng.normal(0, self.tilt_db / (k + 1))
      * np.cos(k * np.pi * (place + 1) / 2)
      for k in range(1, 4)
    )
    window = window + curve * (window > spectra.FLOOR_DB + 1)
    if rng.random() < self.noise:
      # Of constant power per Hz, 3 dB more in each octave of bands.
      level = rng.uniform(-110, -70) + 9 * place
      noise = level + rng.normal(0, 2, window.shape)
      window = np.logaddexp(window / _NEPER_DB, noise / _NEPER_DB) * _NEPER_DB
    if rng.random() < self.low_pass:
      edge = rng.integers(spectra.BANDS // 2, spectra.BANDS)
      window[:, edge:] = spectra.FLOOR_DB
    return np.maximum(window, spectra.FLOOR_DB)


def training_batches(
  data: ml_collections.ConfigDict,
  columns: int,
  paths: Sequence[pathlib.Path],
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches of groups.

  Args:
    data: the `data` part of the experiment's config.
    columns: length of a window.
    paths: shards of shot records.
    batch_size: groups per batch, of this process.
    seed: of order and randomness.
    process_index: this process.
    process_count: number of processes.
  """
  sampler = pipeline.configured(GroupSampler, data, columns=columns)
  # Few sounds fill no large batch: epochs are repeated before they are cut.
  source = pipeline.mix([_source(tuple(paths), data.balance)], [1.0], seed=seed)
  return pipeline.batches(
    source,
    [sampler],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
  )


@functools.lru_cache(maxsize=2)
def _source(paths: tuple[pathlib.Path, ...], power: float) -> SoundSource:
  return SoundSource(paths, power)


def fixed_windows(
  sounds: Sequence[media.Audio], octaves: Sequence[float], columns: int
) -> tuple[np.ndarray, np.ndarray]:
  """The middle of each sound at each speed for which it is long enough.

  Args:
    sounds: originals.
    octaves: of speed.
    columns: length of a window.

  Returns:
    float16 [n, columns, BANDS] and log2 speeds, float64 [n].
  """
  windows, truth = [], []
  for sound in sounds:
    for octave in octaves:
      needed = round(
        (1.1 * columns / spectra.COLUMNS_PER_S + 0.1) * 2**octave * sound.rate
      )
      start = max(0, (len(sound.samples) - needed) // 2)
      found = spectrogram(sound, start, 2**octave, columns)
      if len(found) == columns and evidence.audible(found).mean() > 0.5:
        windows.append(found.astype(np.float16))
        truth.append(octave)
  return np.array(windows), np.array(truth)
