"""Windows of sound at two speeds."""

import dataclasses

import numpy as np
import pytest

from experiments.sound_speed import dataset
from speedflow import media
from speedflow.data import records
from speedflow.errors import SpeedflowError
from speedflow.sound import spectra

_RATE = 44_100


def _tone(seconds: float = 4.0) -> media.Audio:
  time = np.arange(round(seconds * _RATE)) / _RATE
  tone = 0.2 * np.sin(2 * np.pi * 1_500 * time)
  return media.Audio(tone[:, None].astype(np.float32), _RATE)


def _sampler(columns, **fields):
  usual = {"octaves": 2.2, "gain_db": 8.0, "tilt_db": 4.0}
  usual |= {"low_pass": 0.6, "noise": 0.2}
  return dataset.GroupSampler(columns, **(usual | fields))


@pytest.mark.parametrize("octaves", [-1.0, 0.5, 1.0])
def test_speed_shifts_the_spectrogram(octaves):
  slow, fast = (
    dataset.spectrogram(_tone(), 0, 2**octave, 40) for octave in (0.0, octaves)
  )
  lag = round(octaves * spectra.BANDS_PER_OCTAVE)
  assert fast.mean(0).argmax() - slow.mean(0).argmax() == pytest.approx(
    lag, abs=1
  )
  assert len(slow) == len(fast) == 40


def test_a_group_tells_the_speed_of_each_window():
  sampler = _sampler(columns=40, gain_db=0, tilt_db=0, low_pass=0, noise=0)
  group = sampler(_tone(), np.random.default_rng(0))
  assert group["decibels"].shape == (2, 40, spectra.BANDS)
  loudest = group["decibels"].astype(np.float32).mean(1).argmax(-1)
  lag = np.diff(loudest) / spectra.BANDS_PER_OCTAVE
  np.testing.assert_allclose(lag, np.diff(group["log2_speed"]), atol=0.1)


def test_disguise_leaves_silence_silent():
  quiet = np.zeros((_RATE, 1), np.float32)
  sampler = _sampler(columns=20, noise=0)
  group = sampler(media.Audio(quiet, _RATE), np.random.default_rng(0))
  assert (group["decibels"] == spectra.FLOOR_DB).all()


def test_sounds_shorter_than_a_window_are_padded():
  group = _sampler(columns=80)(_tone(0.3), np.random.default_rng(0))
  assert group["decibels"].shape == (2, 80, spectra.BANDS)


def test_only_real_time_shots_with_sound_are_heard(records_root, tmp_path):
  (path,) = records.split_shards(records_root / "records" / "clips", "val")
  (encoded,) = records.RecordSource(path)
  shot = dataset.ShotRecord.decode(encoded)
  path = records.shard_path(tmp_path, "toy", "val", 0, 1, "tfrecord")
  variants = [
    dataclasses.replace(shot, speed=1.0),
    dataclasses.replace(shot, speed=0.5),
    dataclasses.replace(shot, speed=1.0, label="unknown"),
    dataclasses.replace(shot, speed=1.0, audio_flac=b""),
  ]
  with records.RecordWriter(path) as writer:
    for variant in variants:
      writer.write(variant.encode())
  assert len(dataset.SoundSource([path])) == 1


def test_records_without_sound_are_refused(records_root, tmp_path):
  (path,) = records.split_shards(records_root / "records" / "clips", "val")
  (encoded,) = records.RecordSource(path)
  mute = dataclasses.replace(dataset.ShotRecord.decode(encoded), audio_flac=b"")
  path = records.shard_path(tmp_path, "toy", "val", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    writer.write(mute.encode())
  with pytest.raises(SpeedflowError, match="no real-time shot has sound"):
    dataset.SoundSource([path])
