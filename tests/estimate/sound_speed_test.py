"""From sound to its speed."""

import dataclasses

import numpy as np
import pytest

from experiments.sound_speed import protocol
from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.estimate import sound_speed
from speedflow.timewarp import audio as audio_speed

_RATE = 44_100


@pytest.fixture(scope="module")
def model():
  return sound_speed.load_sound_model()


@pytest.fixture(scope="module")
def scene() -> media.Audio:
  samples = protocol.scenes(8, seed=1)[7].samples
  return media.Audio(samples, _RATE)


def test_slower_sound_is_judged_slower(model, scene):
  slow = audio_speed.change_speed(scene.samples, _RATE, 0.25)
  answers = [
    model.estimate([media.Audio(samples, _RATE)])
    for samples in (slow, scene.samples)
  ]
  assert answers[0].speed < answers[1].speed
  for answer in answers:
    assert answer.speed_low < answer.speed < answer.speed_high


def test_a_span_is_judged_by_itself(model, scene):
  slow = audio_speed.change_speed(scene.samples, _RATE, 0.25)
  joined = np.concatenate([scene.samples, slow])
  audio = media.Audio(joined, _RATE, start_s=1.0)
  cut_s = 1.0 + scene.duration_s
  before = model.estimate([audio], end_s=cut_s)
  after = model.estimate([audio], start_s=cut_s)
  assert after.speed < before.speed
  alone = model.estimate([dataclasses.replace(scene, start_s=1.0)])
  assert before.speed == pytest.approx(alone.speed, rel=0.05)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 3.0])
def test_of_silence_nothing_is_known(model, seconds):
  quiet = np.zeros((round(seconds * _RATE), 2), np.float32)
  assert model.estimate([media.Audio(quiet, _RATE)]) == sound_speed.SoundSpeed()


def test_of_music_nothing_is_known(model):
  bed = protocol.music(4.0, _RATE, np.random.default_rng(0))
  answer = model.estimate([media.Audio(0.1 * bed[:, None], _RATE)])
  assert answer.speed is None


def test_blocks_join_without_a_seam(model, scene):
  blocks = [
    media.Audio(scene.samples[i : i + 10_000], _RATE, i / _RATE)
    for i in range(0, len(scene.samples), 10_000)
  ]
  whole, parts = model.estimate([scene]), model.estimate(blocks)
  assert parts.speed == pytest.approx(whole.speed, rel=1e-3)


def test_weights_that_do_not_exist_are_named():
  with pytest.raises(SpeedflowError, match="no such weights"):
    sound_speed.load_sound_model("huge")
