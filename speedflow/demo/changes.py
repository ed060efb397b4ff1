"""Clips whose speed was changed, for the demonstration and the notebook."""

import pathlib

import numpy as np

from speedflow import media
from speedflow.demo import clips
from speedflow.timewarp import audio

_SECONDS = 7.0
_CHANGE_S = 4.0
_RATE = 44_100


def write_examples(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Writes a real clip as it is, sped up from 4 s on, and one in conflict.

  The clips come without sound; `calculated_sound` is laid under them.

  Args:
    folder: where the files go.

  Returns:
    The files by what was done: "untouched", "twice as fast from 4 s on",
    and "picture three times as fast, sound half as fast".

  Raises:
    SpeedflowError: the clips are not installed.
  """
  images, fps = clips.read_frames(clips.package_file("bikes.mp4"))
  images = images[: round(_SECONDS * fps)]
  sound = calculated_sound(len(images) / float(fps)).samples
  change = round(_CHANGE_S * fps)
  before, after = np.split(sound, [round(change / fps * _RATE)])
  faster = audio.change_speed(after, _RATE, 2.0)
  face, face_fps = clips.read_frames(
    clips.package_file("carphone_pristine.mp4")
  )
  slower = audio.change_speed(sound, _RATE, 0.5)
  made = {
    "untouched": (images, fps, sound),
    "twice as fast from 4 s on": (
      images[:change] + images[change::2],
      fps,
      np.concatenate([before, faster]),
    ),
    "picture three times as fast, sound half as fast": (
      face[::3],
      face_fps,
      slower[: round(len(face) / 3 / face_fps * _RATE)],
    ),
  }
  examples = {}
  for title, (shown, rate, samples) in made.items():
    path = folder / f"{title.replace(',', '').replace(' ', '-')}.mp4"
    height, width = shown[0].shape[:2]
    given = media.Audio(samples, _RATE)
    with media.VideoWriter(path, rate, (width, height), audio=given) as writer:
      for image in shown:
        writer.write(image)
    examples[title] = path
  return examples


def calculated_sound(seconds: float, seed: int = 0) -> media.Audio:
  """Somebody hums syllables before a noise that ends at 14 kHz, mono."""
  rng = np.random.default_rng(seed)
  time_s = np.arange(round(seconds * _RATE)) / _RATE
  hertz = np.fft.rfftfreq(len(time_s), 1 / _RATE)
  # Of equal power in each octave, as most noise outdoors.
  spectrum = np.fft.rfft(rng.normal(size=len(time_s))) * (hertz < 14_000)
  spectrum /= np.sqrt(np.maximum(hertz, 50))
  noise = np.fft.irfft(spectrum, len(time_s))
  pitch = 130 * 2 ** (0.03 * np.sin(4.4 * time_s))
  phase = 2 * np.pi * np.cumsum(pitch) / _RATE
  voice = np.zeros_like(noise)
  for k in range(1, 30):
    formants = np.exp(-(((k * pitch - 700) / 500) ** 2)) / k
    formants += 0.3 * np.exp(-(((k * pitch - 2400) / 600) ** 2))
    voice += formants * np.sin(k * phase)
  voice *= np.sqrt(np.clip(np.sin(10.7 * time_s), 0, 1))
  samples = 0.02 * noise / noise.std() + 0.1 * voice
  return media.Audio(samples[:, None].astype(np.float32), _RATE)
