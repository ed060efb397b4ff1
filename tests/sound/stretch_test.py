"""Whether sound was given another pace at its old pitch."""

import numpy as np
import pytest

from speedflow import media
from speedflow.demo import changes
from speedflow.sound import stretch
from speedflow.timewarp import audio


@pytest.fixture(scope="module")
def sound():
  return changes.calculated_sound(4.0)


def test_a_phase_vocoder_leaves_marks(sound):
  slowed = media.Audio(audio.stretch(sound.samples, 0.5), sound.rate)
  before = stretch.stretched_probability([sound])
  after = stretch.stretched_probability([slowed])
  assert 0 <= before < after <= 1


def test_blocks_of_any_length_say_the_same(sound):
  whole = stretch.stretched_probability([sound])
  seconds = [
    media.Audio(
      sound.samples[k * sound.rate : (k + 1) * sound.rate], sound.rate, k
    )
    for k in range(4)
  ]
  assert stretch.stretched_probability(seconds) == pytest.approx(whole, abs=0.1)


def test_louder_or_in_more_channels_it_is_the_same_sound(sound):
  stereo = media.Audio(sound.samples.repeat(2, axis=1), sound.rate)
  assert stretch.stretched_probability([stereo]) == pytest.approx(
    stretch.stretched_probability([sound]), abs=0.01
  )


@pytest.mark.parametrize(
  "samples",
  [
    np.zeros((0, 1), np.float32),
    np.zeros((44_100, 1), np.float32),
    np.full((44_100, 1), np.nan, np.float32),
    np.ones((800, 1), np.float32),
  ],
  ids=["empty", "silent", "not finite", "short"],
)
def test_too_little_sound_says_nothing(samples):
  assert stretch.stretched_probability([media.Audio(samples, 44_100)]) is None


def test_sound_without_the_upper_bands_says_nothing(sound):
  low = audio.change_speed(sound.samples, sound.rate, sound.rate / 8000)
  assert stretch.stretched_probability([media.Audio(low, 8000)]) is None
