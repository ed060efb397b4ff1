"""Telling music from voices and scenes."""

import numpy as np

from experiments.sound_speed import protocol
from speedflow import media
from speedflow.sound import music, spectra

_RATE = 44_100


def _heard(samples: np.ndarray) -> music.HeldTones:
  tones = music.HeldTones()
  for part in spectra.columns([media.Audio(samples[:, None], _RATE)]):
    tones.add(part.decibels)
  return tones


def test_chords_are_music():
  rng = np.random.default_rng(0)
  assert _heard(0.1 * protocol.music(4.0, _RATE, rng)).is_music


def test_noise_is_none():
  rng = np.random.default_rng(0)
  assert not _heard(rng.normal(0, 0.1, 4 * _RATE).astype(np.float32)).is_music


def test_a_gliding_voice_is_none():
  time = np.arange(4 * _RATE) / _RATE
  phase = 150 * time + 15 * np.sin(2 * np.pi * 0.8 * time)
  voice = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 20))
  assert not _heard(0.1 * voice.astype(np.float32)).is_music


def test_one_whistle_is_none():
  time = np.arange(4 * _RATE) / _RATE
  room = np.random.default_rng(0).normal(0, 1e-3, len(time))
  whistle = 0.1 * np.sin(2 * np.pi * 2_000 * time) + room
  assert not _heard(whistle.astype(np.float32)).is_music


def test_nothing_heard_is_none():
  assert music.HeldTones().share == 0
