"""Clips whose speed was changed, for the demonstration and the notebook."""

import pathlib

import numpy as np

from speedflow import media
from speedflow.inference import demo
from speedflow.timewarp import audio, resample

_CLIP = "bikes.mp4"
_SECONDS = 7.0
_CHANGE_S = 4.0
_FACTOR = 2.0
_RATE = 44_100


def write_examples(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Writes a real clip as it is, and at twice its speed from 4 s on.

  It comes without sound; `calculated_sound` is laid under it.

  Args:
    folder: where the files go.

  Returns:
    The files by what was done: "untouched", "twice as fast from 4 s on",
    and "twice as fast from 4 s on, at the old pitch".

  Raises:
    SpeedflowError: the clip is not installed.
  """
  images, fps = demo.read_frames(demo.package_file(_CLIP))
  images = images[: round(_SECONDS * fps)]
  sound = calculated_sound(len(images) / float(fps))
  change = round(_CHANGE_S * fps)
  rest = int((len(images) - 1 - change) / _FACTOR)
  curve = resample.splice_curve(change + rest, change, 1.0, _FACTOR)
  plain = resample.ClipPlan(start=0, factor=1.0, length=len(images))
  spliced = resample.ClipPlan(
    start=0, factor=1.0, length=len(curve), curve=curve
  )
  before, after = np.split(sound.samples, [round(change / fps * _RATE)])
  faster = audio.change_speed(after, _RATE, _FACTOR)
  stretched = audio.stretch(after, _FACTOR)
  height, width = images[0].shape[:2]
  examples = {}
  for title, plan, pieces in (
    ("untouched", plain, [before, after]),
    ("twice as fast from 4 s on", spliced, [before, faster]),
    (
      "twice as fast from 4 s on, at the old pitch",
      spliced,
      [before, stretched],
    ),
  ):
    path = folder / f"{title.replace(',', '').replace(' ', '-')}.mp4"
    given = media.Audio(np.concatenate(pieces), _RATE)
    with media.VideoWriter(path, fps, (width, height), audio=given) as writer:
      for image in resample.render_clip(images, plan):
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
