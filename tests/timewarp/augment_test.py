"""Looks that have nothing to do with speed."""

import dataclasses

import cv2
import numpy as np
import pytest

from speedflow.timewarp import augment
from speedflow.timewarp.augment import Appearance, Codec
from speedflow.timewarp.resample import ClipPlan, render_clip


def _film(frames: int = 24, size=(48, 64), gray: bool = False) -> np.ndarray:
  """A smooth texture that drifts."""
  rng = np.random.default_rng(0)
  coarse = rng.uniform(40, 220, (9, 30, 3)).astype(np.float32)
  texture = cv2.resize(coarse, (size[1] + 2 * frames, size[0]))
  film = np.stack([texture[:, 2 * k : 2 * k + size[1]] for k in range(frames)])
  film = film.astype(np.uint8)
  return film[..., 1].copy() if gray else film


def _difference(one: np.ndarray, two: np.ndarray) -> float:
  return float(np.abs(one.astype(int) - two).mean())


def _luma(clip: np.ndarray) -> np.ndarray:
  if clip.ndim == 3:
    return clip
  return np.stack([cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in clip])


_EFFECTS = {
  "crop": Appearance(crop=(0.1, 0.2, 0.7, 0.7)),
  "flip": Appearance(flip=True),
  "blur": Appearance(blur=1.5),
  "gains": Appearance(gains=(0.8, 1.0, 1.3)),
  "contrast": Appearance(contrast=0.6),
  "gamma": Appearance(gamma=1.6),
  "read noise": Appearance(read_noise=6.0),
  "shot noise": Appearance(shot_noise=0.4),
  "resize": Appearance(resize=0.5),
  "letterbox": Appearance(letterbox=0.1),
  "jpeg": Appearance(jpeg=30),
  "codec": Appearance(codec=Codec(crf=35)),
}


@pytest.mark.parametrize(
  "name, gray",
  # A grey clip has no colour to shift.
  [(name, gray) for name in _EFFECTS for gray in {False, name != "gains"}],
)
def test_each_effect_changes_the_look_but_not_the_form(name, gray):
  clip = _film(6, (45, 61), gray)
  untouched = clip.copy()
  dressed = augment.augment(clip, _EFFECTS[name])
  assert dressed.shape == clip.shape and dressed.dtype == np.uint8
  assert _difference(dressed, clip) > 0.1
  np.testing.assert_array_equal(clip, untouched)


def test_no_effect_is_no_change():
  clip = _film(4)
  np.testing.assert_array_equal(augment.augment(clip, Appearance()), clip)


def test_a_look_is_repeated_exactly():
  look = Appearance(
    read_noise=6.0, jpeg=60, codec=Codec(preset="medium"), seed=5
  )
  clip = _film(6)
  first = augment.augment(clip, look)
  rng = np.random.default_rng(0)
  for size in rng.integers(1000, 200_000, 30):
    rng.bytes(size)  # Other memory must not show.
    np.testing.assert_array_equal(augment.augment(clip, look), first)


def test_looks_are_drawn_alike_for_every_speed():
  film = _film(64)
  looks, states = [], []
  for factor in (1, 2, 7):
    rng = np.random.default_rng(11)
    drawn = []
    for _ in range(50):
      clip = render_clip(film, ClipPlan(0, factor, length=4))
      drawn.append(Appearance.sample(rng))
      augment.augment(clip, dataclasses.replace(drawn[-1], codec=None))
    looks.append(drawn)
    states.append(rng.bit_generator.state)
  assert looks[0] == looks[1] == looks[2]
  assert states[0] == states[1] == states[2]


def test_effects_happen_as_often_as_asked():
  rng = np.random.default_rng(0)
  looks = [Appearance.sample(rng, 0.3, 0.7) for _ in range(1000)]
  share = {
    "jpeg": np.mean([look.jpeg > 0 for look in looks]),
    "letterbox": np.mean([look.letterbox > 0 for look in looks]),
    "blur": np.mean([look.blur > 0 for look in looks]),
  }
  for name, value in share.items():
    assert value == pytest.approx(0.3, abs=0.07), name
  assert np.mean([look.codec is not None for look in looks]) == pytest.approx(
    0.7, abs=0.07
  )


def test_effects_are_drawn_independently_of_each_other():
  rng = np.random.default_rng(1)
  looks = [Appearance.sample(rng) for _ in range(1500)]
  on = np.array(
    [
      [look.jpeg > 0, look.blur > 0, look.resize != 1, look.codec is not None]
      for look in looks
    ]
  )
  correlation = np.corrcoef(on.T) - np.eye(4)
  assert np.abs(correlation).max() < 0.1


def test_a_geometry_holds_for_the_whole_clip():
  # What moves before must move alike after: no jitter between frames.
  still = np.repeat(_film(1), 5, axis=0)
  look = Appearance(crop=(0.1, 0.1, 0.8, 0.8), resize=0.7, gamma=1.3, jpeg=50)
  dressed = augment.augment(still, look)
  assert np.abs(np.diff(dressed.astype(int), axis=0)).max() == 0


def test_noise_has_the_variance_asked_for():
  clip = np.full((8, 64, 64), 100, np.uint8)
  noisy = augment.augment(clip, Appearance(read_noise=5.0, shot_noise=0.2))
  assert noisy.astype(float).var() == pytest.approx(25 + 20, rel=0.03)
  assert noisy.mean() == pytest.approx(100, abs=0.2)
  assert not np.array_equal(noisy[0], noisy[1])


def test_colours_survive_compression():
  red = np.zeros((4, 32, 32, 3), np.uint8)
  red[..., 0] = 200
  dressed = augment.augment(red, Appearance(jpeg=90, codec=Codec(crf=10)))
  assert _difference(dressed, red) < 6


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("size", [(48, 64), (47, 63), (16, 16)])
def test_a_good_codec_pass_keeps_every_frame_in_order(gray, size):
  clip = _film(12, size, gray)
  coded = augment.reencode(clip, Codec(crf=8, gop=5, phase=3))
  assert coded.shape == clip.shape
  for number, image in enumerate(coded):
    errors = [_difference(image, other) for other in clip]
    assert int(np.argmin(errors)) == number
  # Fine colour is lost to 4:2:0, brightness is not.
  assert _difference(_luma(coded), _luma(clip)) < 3


def test_a_higher_rate_factor_looks_worse():
  clip = augment.augment(_film(8), Appearance(read_noise=4.0))
  errors = [
    _difference(augment.reencode(clip, Codec(crf=crf)), clip)
    for crf in (10, 24, 38)
  ]
  assert errors[0] < errors[1] < errors[2]


def test_a_keyframe_need_not_begin_the_clip():
  clip = augment.augment(_film(12), Appearance(read_noise=6.0))
  first, later = (
    augment.reencode(clip, Codec(crf=34, gop=60, phase=phase))
    for phase in (0, 6)
  )
  assert not np.array_equal(first[0], later[0])


def test_a_single_frame_can_be_encoded():
  clip = _film(1)
  assert augment.reencode(clip, Codec(phase=5)).shape == clip.shape


def test_only_pixels_are_dressed():
  with pytest.raises(ValueError, match="not uint8"):
    augment.augment(np.zeros((2, 4, 4, 3)), Appearance())
