"""Bars are found and cut off; what is dark and no bar stays."""

import dataclasses

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.mine import bars
from speedflow.mine.bars import Bars

_HEIGHT, _WIDTH = 240, 320


def _scene(count=24, level=110):
  """A texture that slides; brightness about `level`."""
  rng = np.random.default_rng(0)
  coarse = rng.integers(level // 2, level * 3 // 2, (60, 120, 3), np.uint8)
  size = (2 * _WIDTH, _HEIGHT)
  whole = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
  return [whole[:, 3 * n : 3 * n + _WIDTH].copy() for n in range(count)]


def _barred(frames, share):
  """Paints bars: top, bottom, left and right, shares of the picture."""
  top, bottom = (round(_HEIGHT * s) for s in share[:2])
  left, right = (round(_WIDTH * s) for s in share[2:])
  for image in frames:
    image[:top] = image[_HEIGHT - bottom :] = 0
    image[:, :left] = image[:, _WIDTH - right :] = 0
  return frames


def _dish(count=24):
  """Dark but for a round dish, in which something crawls."""
  frames = []
  rng = np.random.default_rng(1)
  for number in range(count):
    image = np.full((_HEIGHT, _WIDTH, 3), 10, np.uint8)
    cv2.circle(image, (160, 120), 90, (170, 165, 150), -1, cv2.LINE_AA)
    cv2.circle(image, (120 + 3 * number, 110), 8, (40, 40, 40), -1)
    noise = rng.normal(0, 3, image.shape)
    frames.append(np.clip(image + noise, 0, 255).astype(np.uint8))
  return frames


@pytest.fixture
def found(tmp_path):
  """Finds the bars of encoded frames, as the scan sees them."""

  def find(frames, crf=23):
    path = tmp_path / "x.mp4"
    with media.VideoWriter(path, 30, (_WIDTH, _HEIGHT), crf=crf) as writer:
      for frame in frames:
        writer.write(frame)
    with media.VideoReader(path, size=(128, 96)) as reader:
      gray = [cv2.cvtColor(f.image, cv2.COLOR_RGB2GRAY) for f in reader]
    return bars.find(gray)

  return find


@pytest.mark.parametrize("crf", [18, 40])
@pytest.mark.parametrize(
  "share",
  [
    (0.1, 0.1, 0, 0),
    (0.13, 0.11, 0, 0),
    (0, 0, 0.22, 0.22),
    (0.2, 0, 0, 0),
    (0.1, 0.1, 0.13, 0.13),
  ],
  ids=["letterbox", "uneven", "pillarbox", "one", "window"],
)
def test_bars_are_as_wide_as_they_are(found, share, crf):
  measured = dataclasses.astuple(found(_barred(_scene(), share), crf))
  for wide, true in zip(measured, share, strict=True):
    # All of the bar, and hardly more.
    assert true - 0.005 <= wide <= (true + 0.03 if true else 0)


def test_bars_about_a_night_scene_are_found(found):
  frames = _barred(_scene(level=24), (0.125, 0.125, 0, 0))
  measured = found(frames)
  assert measured.top == pytest.approx(0.14, abs=0.03)
  assert measured.bottom == pytest.approx(0.14, abs=0.03)


def test_a_logo_in_a_bar_is_cut_off_with_it(found):
  frames = _barred(_scene(), (0.15, 0.15, 0, 0))
  for image in frames:
    image[10:20, 300:312] = 200
  assert found(frames).top == pytest.approx(0.16, abs=0.03)


def test_a_dark_surround_of_a_dish_is_no_bar(found):
  assert not found(_dish())


@pytest.mark.parametrize(
  "frames",
  [_scene(), _barred(_scene(), (0.01, 0.01, 0, 0)), _scene(level=8)],
  ids=["none", "hardly any", "all dark"],
)
def test_a_picture_without_bars_stays_whole(found, frames):
  assert not found(frames)


def test_what_is_dark_for_a_while_is_no_bar(found):
  frames = _barred(_scene(), (0.2, 0.2, 0, 0))
  frames[8:] = _scene()[8:]
  assert not found(frames)


def test_a_dark_area_that_fades_into_the_picture_is_no_bar(found):
  fade = np.clip((np.arange(_HEIGHT) - 40) / 120, 0, 1)[:, None, None]
  assert not found([(image * fade).astype(np.uint8) for image in _scene()])


def test_bars_are_cut_off_at_any_size():
  image = np.arange(40 * 60).reshape(40, 60)
  kept = Bars(top=0.25, right=0.5).cut_off(image)
  np.testing.assert_array_equal(kept, image[10:, :30])
  scaled = Bars(left=0.1).scaled(np.zeros((40, 60, 3), np.uint8))
  assert scaled.shape == (40, 60, 3)
