"""Real sound whose speed changes at known times, and sound that is untouched.

Every case goes through a real AAC encoder, and is read back as any file is.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.audio.frame import AudioFrame
from scipy import signal

from speedflow import media
from speedflow.data import catalogue
from speedflow.evaluation import real_clips
from speedflow.timewarp import audio as audio_speed

MIN_SIDE_S = 0.5
"""Each side of a change lasts at least so long once it is resampled."""

LARGEST_LOG2_RATIO = 2.0

_SILENT = 1e-4
_SCENE_RATE = 44_100
_CHANGES_PER_ROUND = 3

BIT_RATES = (96_000, 128_000, 192_000)


@dataclasses.dataclass(frozen=True, eq=False)
class Sound:
  """The original sound of a clip.

  Attributes:
    name: of the clip.
    source: where it comes from.
    scene_group: of the clip.
    samples: float32 [n, channels].
    rate: Hz.
  """

  name: str
  source: str
  scene_group: str
  samples: np.ndarray
  rate: int

  @property
  def duration_s(self) -> float:
    """Seconds."""
    return len(self.samples) / self.rate


def sounds(split: str) -> list[Sound]:
  """Reads the sound of all clips of a split in the folder SPEEDFLOW_DATA.

  Silent tracks are left out.

  Raises:
    SpeedflowError: the variable is not set.
  """
  found = []
  for clip in catalogue.from_folder(real_clips.folder()):
    if clip.split != split:
      continue
    audio = media.read_audio(clip.path)
    if audio is not None and np.abs(audio.samples).max(initial=0) > _SILENT:
      found.append(
        Sound(
          clip.name, clip.source, clip.scene_group, audio.samples, audio.rate
        )
      )
  return found


def scenes(count: int, seed: int) -> list[Sound]:
  """Calculated sounds, simpler than any real one.

  Noise of random colour up to a random edge, hum, and knocks.

  Args:
    count: how many.
    seed: of all that is random about them.
  """
  rng = np.random.default_rng(seed)
  return [
    Sound(f"scene{i}", "calculated", f"scene{i}", _scene(rng), _SCENE_RATE)
    for i in range(count)
  ]


def _scene(rng: np.random.Generator) -> np.ndarray:
  n = round(rng.uniform(3.0, 6.0) * _SCENE_RATE)
  time = np.arange(n) / _SCENE_RATE
  hz = np.fft.rfftfreq(n, 1 / _SCENE_RATE)
  # A random walk of 5 dB for each half octave from 50 Hz on, and an edge.
  walk = np.cumsum(rng.normal(-1, 5, 20))
  colour = np.interp(np.log2(hz / 50 + 1e-3), np.arange(20) / 2, walk)
  edge = 2.0 ** rng.uniform(np.log2(4_000), np.log2(20_000))
  spectrum = np.fft.rfft(rng.normal(size=n)) * 10 ** (colour / 20)
  noise = np.fft.irfft(spectrum * (hz < edge), n)
  noise *= 10 ** rng.uniform(-3, -1) / noise.std()
  hum = sum(
    10 ** rng.uniform(-4, -2) * np.sin(2 * np.pi * pitch * time)
    for pitch in rng.uniform(150, 3_000, rng.integers(0, 4))
  )
  knocks = np.zeros(n)
  for begin in rng.integers(0, n, rng.integers(0, 12)):
    ring = np.exp(-rng.uniform(20, 80) * time[: n - begin])
    pitch = rng.uniform(300, 4_000)
    knocks[begin:] += ring * np.sin(2 * np.pi * pitch * time[: n - begin])
  loud = 10 ** rng.uniform(-2, -0.5)
  return (noise + hum + loud * knocks)[:, None].astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
  """Sound to judge.

  Attributes:
    sound: where it comes from.
    audio: as decoded.
    kind: what was done: "untouched", "speed", "cut", ...
    time_s: of the speed change; nan where there is none.
    ratio: speed after / speed before; 1 where there is no change.
  """

  sound: Sound
  audio: media.Audio
  kind: str
  time_s: float = float("nan")
  ratio: float = 1.0


def through_aac(
  samples: np.ndarray, rate: int, bit_rate: int = 128_000
) -> media.Audio:
  """Encodes as AAC in MP4, and decodes again.

  Args:
    samples: float32 [n, 1 or 2].
    rate: Hz, one that AAC knows.
    bit_rate: bits per second.
  """
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "sound.m4a"
    with av.open(str(path), "w") as container:
      stream = container.add_stream("aac", rate=rate)
      stream.bit_rate = bit_rate
      layout = "mono" if samples.shape[1] == 1 else "stereo"
      stream.layout = layout
      for first in range(0, len(samples), 1 << 16):
        piece = np.ascontiguousarray(samples[first : first + (1 << 16)].T)
        frame = AudioFrame.from_ndarray(
          piece.astype(np.float32), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = rate, first
        container.mux(stream.encode(frame))
      container.mux(stream.encode(None))
    decoded = media.read_audio(path)
  assert decoded is not None
  return decoded


def with_change(
  sound: Sound,
  rng: np.random.Generator,
  *,
  log2_ratio: float,
  base: float = 1.0,
) -> Case | None:
  """The sound with one change of speed at a random time.

  Args:
    sound: the original.
    rng: source of randomness.
    log2_ratio: of the speed after to the speed before.
    base: speed of the one side, before or after at random; the other follows.

  Returns:
    None where the sound is too short for both sides.
  """
  ratio = 2.0**log2_ratio
  before, after = base, base * ratio
  if rng.random() < 0.5:
    before, after = base / ratio, base
  low, high = MIN_SIDE_S * before, sound.duration_s - MIN_SIDE_S * after
  if high <= low:
    return None
  cut = round(rng.uniform(low, high) * sound.rate)
  parts = [
    audio_speed.change_speed(part, sound.rate, speed) if speed != 1 else part
    for part, speed in (
      (sound.samples[:cut], before),
      (sound.samples[cut:], after),
    )
  ]
  audio = through_aac(
    np.concatenate(parts), sound.rate, int(rng.choice(BIT_RATES))
  )
  time_s = len(parts[0]) / sound.rate + audio.start_s
  return Case(sound, audio, "speed", time_s, ratio)


def untouched(sound: Sound, rng: np.random.Generator) -> Case:
  """The sound once more through an encoder."""
  bit_rate = int(rng.choice(BIT_RATES))
  audio = through_aac(sound.samples, sound.rate, bit_rate)
  return Case(sound, audio, "untouched")


def with_cut(
  sound: Sound, other: Sound, rng: np.random.Generator
) -> Case | None:
  """A cut from one sound to another, which changes everything but speed."""
  if min(sound.duration_s, other.duration_s) < 2 * MIN_SIDE_S:
    return None
  first = sound.samples[: round(_inside(sound, rng) * sound.rate)]
  second = other.samples[round(_inside(other, rng) * other.rate) :]
  if other.rate != sound.rate:
    second = audio_speed.change_speed(
      second, sound.rate, other.rate / sound.rate
    )
  channels = sound.samples.shape[1]
  second = np.repeat(second.mean(1, keepdims=True), channels, 1)
  joined = np.concatenate([first, second])
  return Case(sound, through_aac(joined, sound.rate), "cut")


def with_low_pass(sound: Sound, rng: np.random.Generator) -> Case | None:
  """A low-pass that comes or goes, as when a codec changes its mind."""
  if sound.duration_s < 2 * MIN_SIDE_S:
    return None
  edge = 2.0 ** rng.uniform(np.log2(3_000), np.log2(16_000))
  taps = signal.firwin(401, min(edge, 0.45 * sound.rate), fs=sound.rate)
  filtered = signal.fftconvolve(sound.samples, taps[:, None], mode="same")
  return _switched(sound, filtered, "low-pass", rng)


def with_gain(sound: Sound, rng: np.random.Generator) -> Case | None:
  """A jump of the level."""
  if sound.duration_s < 2 * MIN_SIDE_S:
    return None
  gain = 10.0 ** (-rng.uniform(3, 20) / 20)
  return _switched(sound, sound.samples * gain, "gain", rng)


def with_music(sound: Sound, rng: np.random.Generator) -> Case | None:
  """A bed of calculated music that sets in or ends."""
  if sound.duration_s < 2 * MIN_SIDE_S:
    return None
  bed = music(len(sound.samples) / sound.rate, sound.rate, rng)
  loud = np.sqrt((sound.samples**2).mean()) * 10 ** rng.uniform(-0.5, 0.7)
  mixed = sound.samples + loud * bed[: len(sound.samples), None]
  return _switched(sound, mixed, "music", rng)


def with_stretch(sound: Sound, rng: np.random.Generator) -> Case | None:
  """Another speed at the old pitch from some time on."""
  cut = round(_inside(sound, rng) * sound.rate)
  factor = 2.0 ** rng.uniform(-1, 1)
  rest = len(sound.samples) - cut
  if min(cut, rest, rest / factor) < MIN_SIDE_S * sound.rate:
    return None
  tail = audio_speed.stretch(sound.samples[cut:], factor)
  joined = np.concatenate([sound.samples[:cut], tail])
  return Case(sound, through_aac(joined, sound.rate), "stretch")


def music(seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
  """Plucked chords in a random key and metre, float32 [n], unit power."""
  n = round(seconds * rate) + 1
  bed = np.zeros(n)
  beat = rng.uniform(0.2, 0.5)
  root = 110 * 2 ** rng.uniform(0, 1)
  scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
  brightness = rng.uniform(0.5, 2.0)
  for number in range(int(seconds / beat) + 1):
    time = np.arange(round(2 * beat * rate)) / rate
    begin = round(number * beat * rate)
    for step in rng.choice(scale, rng.integers(1, 4), replace=False):
      pitch = root * 2 ** (step / 12)
      for partial in range(1, min(20, int(0.4 * rate / pitch)) + 1):
        tone = np.sin(2 * np.pi * partial * pitch * time)
        note = tone * np.exp(-time / beat) * partial**-brightness
        end = min(n, begin + len(note))
        bed[begin:end] += note[: max(0, end - begin)]
  return (bed / np.sqrt((bed**2).mean() + 1e-12)).astype(np.float32)


def _inside(sound: Sound, rng: np.random.Generator) -> float:
  """A random time that leaves both sides long enough, seconds."""
  margin = min(MIN_SIDE_S, sound.duration_s / 2)
  return float(rng.uniform(margin, sound.duration_s - margin))


def _switched(
  sound: Sound, other: np.ndarray, kind: str, rng: np.random.Generator
) -> Case:
  """From the sound to another version of it, or back, at a random time."""
  cut = round(_inside(sound, rng) * sound.rate)
  first, second = sound.samples, other
  if rng.random() < 0.5:
    first, second = second, first
  joined = np.concatenate([first[:cut], second[cut:]])
  audio = through_aac(joined, sound.rate, int(rng.choice(BIT_RATES)))
  return Case(sound, audio, kind)


def training_cases(
  originals: Sequence[Sound], seed: int, rounds: int
) -> Iterator[Case]:
  """Changes, and all that is none, of each sound.

  Args:
    originals: of one split.
    seed: of times, ratios and the rest.
    rounds: how often each sound is used.
  """
  rng = np.random.default_rng(seed)
  others = (with_low_pass, with_gain, with_music, with_stretch)
  for _ in range(rounds):
    for sound in originals:
      cases = [
        *(random_change(sound, rng) for _ in range(_CHANGES_PER_ROUND)),
        untouched(sound, rng),
        others[rng.integers(len(others))](sound, rng),
        with_cut(sound, originals[int(rng.integers(len(originals)))], rng),
      ]
      yield from (case for case in cases if case is not None)


def random_change(sound: Sound, rng: np.random.Generator) -> Case | None:
  """A change by 1.2 to 4, up or down; at times neither side is 1x."""
  octaves = rng.uniform(np.log2(1.2), LARGEST_LOG2_RATIO)
  base = 1.0 if rng.random() < 0.6 else 2.0 ** rng.uniform(-0.7, 0.7)
  return with_change(
    sound, rng, log2_ratio=rng.choice([-1, 1]) * octaves, base=base
  )
