"""Forgeries: what is done to picture and sound, and when."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from experiments.forensics import forgeries
from speedflow import media
from speedflow.data import records, schema

_RATE = 16_000
_HZ = 1000.0


def _shot(frames=100, **fields):
  """Brightness counts the frames, and the sound is one tone."""
  images = [np.full((48, 64, 3), 20 + 2 * i, np.uint8) for i in range(frames)]
  time_s = np.arange(round(frames / 30 * _RATE)) / _RATE
  tone = 0.3 * np.sin(2 * np.pi * _HZ * time_s)[:, None].astype(np.float32)
  known = {
    "id": "a/0/0",
    "frames": [cv2.imencode(".jpg", image)[1].tobytes() for image in images],
    "ticks": np.arange(frames),
    "time_base": Fraction(1, 30),
    "fps": Fraction(30),
    "height": 48,
    "width": 64,
    "speed": 1.0,
    "category": "realtime",
    "scene_group": "group",
    "split": "val",
    "audio_flac": media.encode_flac(media.Audio(tone, _RATE)),
    "audio_rate": _RATE,
    "audio_channels": 1,
  }
  return schema.ShotRecord(**(known | fields))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """Of each kind and splicing: forgery, brightness and times, and sound."""
  folder = tmp_path_factory.mktemp("forged")
  found = {}
  for forgery, path in forgeries.forge(_shot(), folder):
    with media.VideoReader(path, pixel_format="gray") as reader:
      frames = [(f.image.mean(), float(f.time)) for f in reader]
    found[forgery.kind, forgery.spliced] = (
      forgery,
      *np.array(frames).T,
      media.read_audio(path, mono=True),
    )
  return found


def _pace(brightness, times, start_s=0.0, end_s=np.inf):
  """Source frames per second between two times, over those of the source."""
  inside = (times >= start_s) & (times < end_s)
  slope = np.polyfit(times[inside], brightness[inside], 1)[0]
  return slope / (2 * 30)


def _pitch(sound, start_s, end_s):
  first, last = (round(t * sound.rate) for t in (start_s, end_s))
  piece = sound.samples[first:last, 0]
  power = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
  return power.argmax() * sound.rate / len(piece) / _HZ


def test_the_length_of_a_file_is_known_before_it_is_made(made):
  for kind, spliced in made:
    _, _, times, _ = made[kind, spliced]
    shown_s = times[-1] + times[1] - times[0]
    known_s = forgeries.seconds(_shot(), kind, spliced)
    assert known_s == pytest.approx(shown_s, abs=0.01)


@pytest.mark.parametrize("kind", forgeries.KINDS)
def test_whole_file_plays_at_the_factor(made, kind):
  forgery, brightness, times, sound = made[kind, False]
  factor = forgeries.KINDS[kind].factor
  assert forgery.change_s is None
  assert _pace(brightness, times) == pytest.approx(factor, rel=0.05)
  assert times[-1] == pytest.approx(100 / 30 / factor, abs=0.2)
  if sound is not None:
    assert sound.duration_s == pytest.approx(100 / 30 / factor, abs=0.15)


@pytest.mark.parametrize(
  ("kind", "pitch"),
  [
    ("untouched", 1),
    ("sped up 2x", 2),
    ("slowed down 2x", 0.5),
    ("sped up 2x, pitch kept", 1),
  ],
)
def test_pitch_moves_with_the_speed_unless_it_is_kept(made, kind, pitch):
  *_, sound = made[kind, False]
  assert _pitch(sound, 0.3, 1.3) == pytest.approx(pitch, rel=0.02)
  forgery, *_, sound = made[kind, True]
  change_s = forgery.change_s or 1.6
  assert _pitch(sound, 0.2, change_s - 0.1) == pytest.approx(1, rel=0.02)
  assert _pitch(sound, change_s + 0.1, change_s + 0.6) == pytest.approx(
    pitch, rel=0.02
  )


@pytest.mark.parametrize("kind", forgeries.KINDS)
def test_splice_changes_the_second_half_only(made, kind):
  forgery, brightness, times, _ = made[kind, True]
  factor = forgeries.KINDS[kind].factor
  assert (forgery.change_s is None) == (factor == 1)
  change_s = forgery.change_s or 1.6
  before = _pace(brightness, times, 0, change_s)
  after = _pace(brightness, times, change_s)
  assert before == pytest.approx(1, rel=0.05)
  assert after == pytest.approx(factor, rel=0.05)
  assert np.diff(times) == pytest.approx(np.diff(times)[0], abs=2e-3)


def test_sound_is_removed_where_it_should_be(made):
  for (kind, _), (*_, sound) in made.items():
    assert (sound is None) == (forgeries.KINDS[kind].sound == "removed")


def test_clips_are_real_time_with_audible_sound_and_long_enough(tmp_path):
  silence = np.zeros((_RATE, 1), np.float32)
  shots = [
    _shot(),
    _shot(id="short/0/0", frames=20),
    _shot(id="slow/0/0", category="slowmo", speed=0.25),
    _shot(id="mute/0/0", audio_flac=b""),
    _shot(
      id="silent/0/0", audio_flac=media.encode_flac(media.Audio(silence, _RATE))
    ),
  ]
  path = records.shard_path(tmp_path, "toy", "val", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    for shot in shots:
      writer.write(shot.encode())
  assert [shot.id for shot in forgeries.clips([path])] == ["a/0/0"]


@pytest.mark.parametrize("stretch", forgeries.STRETCHERS.values())
@pytest.mark.parametrize("channels", [1, 2])
def test_each_way_of_keeping_the_pitch_halves_the_length(stretch, channels):
  sound = _shot().audio()
  samples = sound.samples.repeat(channels, axis=1)
  made = media.Audio(stretch(samples, _RATE, 2.0), _RATE)
  assert made.samples.shape[1] == channels
  assert made.duration_s == pytest.approx(sound.duration_s / 2, abs=0.1)
  assert _pitch(made, 0.3, 1.3) == pytest.approx(1, rel=0.02)
