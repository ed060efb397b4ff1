"""What is planted is heard and seen as what it is."""

import math
from fractions import Fraction

import cv2
import numpy as np
import pytest

from experiments.clocks import planting, retiming
from speedflow import media
from speedflow.clocks import cadence, flicker, hum


def _noise(count, seed=0, size=(48, 64)):
  rng = np.random.default_rng(seed)
  frame = rng.uniform(0, 255, (*size, 3))
  for _ in range(count):
    frame = 0.6 * frame + 0.4 * rng.uniform(0, 255, frame.shape)
    yield frame.astype(np.uint8)


def _means(found, speed):
  return any(
    abs(math.log2(mode.speed / speed)) < 0.0286 for mode in found.modes
  )


def test_planted_hum_is_heard_and_sound_keeps_its_shape():
  rng = np.random.default_rng(0)
  sound = (0.01 * rng.normal(size=(48_000, 2))).astype(np.float32)
  made = planting.with_hum(sound, 8000, 60.0, planting.PROFILES[0], rng)
  assert (made.shape, made.dtype) == (sound.shape, sound.dtype)
  assert _means(hum.read([media.Audio(made, 8000)]), 1.0)
  assert hum.read([media.Audio(sound, 8000)]) is None


def test_planted_flicker_has_its_alias():
  scene = np.full((96, 128, 3), 120, np.uint8)
  rng = np.random.default_rng(1)
  made = list(planting.with_flicker([scene] * 100, 25.0, 0.0, 120.0, rng))
  assert made[0].dtype == np.uint8
  grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in made]
  line = flicker.find([flicker.profile(image) for image in grey])
  assert line.frequency == pytest.approx(0.2, abs=0.005)


def test_lamps_that_stand_still_or_fold_are_not_visible():
  assert planting.visible(100, 30, 100)
  assert not planting.visible(120, 30, 100)
  assert not planting.visible(120, 240, 100)


@pytest.mark.parametrize(
  "name", [name for name, made in retiming.RECIPES.items() if made.shows]
)
def test_recipes_leave_the_pattern_that_they_name(name):
  recipe = retiming.RECIPES[name]
  made = retiming.retimed(list(_noise(60)), Fraction(30), recipe)
  seen = [
    cadence.cells(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in made
  ]
  found = cadence.find(seen)
  assert (found.kind, found.share) == recipe.shows


def test_frames_that_are_dropped_leave_none():
  recipe = retiming.RECIPES["sped up 2x, dropped"]
  made = list(retiming.retimed(list(_noise(120)), Fraction(30), recipe))
  assert len(made) == pytest.approx(60, abs=2)
  assert cadence.find([cadence.cells(image[..., 0]) for image in made]) is None
