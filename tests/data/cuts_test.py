"""Hard cuts are those of PySceneDetect; flashes and pans are none."""

import cv2
import numpy as np
import pytest
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from speedflow.data import cuts


def _scene(seed, size=(160, 96)):
  """A picture of coarse coloured patches, uint8 RGB [h, w, 3]."""
  rng = np.random.default_rng(seed)
  patches = rng.integers(0, 256, (6, size[0] // 16, 3), np.uint8)
  return cv2.resize(patches, size, interpolation=cv2.INTER_CUBIC)


def _shot(seed, length):
  """A view that moves over a scene, a pixel in two frames."""
  wide = _scene(seed, (160 + 64, 96))
  return [wide[:, k // 2 : k // 2 + 160] for k in range(length)]


def _frames(lengths, seed):
  """Shots of coloured noise that flickers, some of it hardly."""
  rng = np.random.default_rng(seed)
  for length in lengths:
    base = rng.integers(0, 256, (12, 16, 3))
    strength = rng.choice([0, 2, 30])
    for _ in range(length):
      noise = rng.integers(-strength, strength + 1, base.shape)
      yield np.clip(base + noise, 0, 255).astype(np.uint8)


def _found(detector, frames):
  found = [number for frame in frames for number in detector.next(frame)]
  return found + detector.end()


def _cuts(frames, **options):
  return _found(cuts.CutDetector(8, **options), frames)


def _mixed(before, after):
  count = len(before)
  return [
    cv2.addWeighted(one, 1 - k / (count + 1), other, k / (count + 1), 0)
    for k, (one, other) in enumerate(zip(before, after, strict=True), 1)
  ]


@pytest.mark.parametrize("seed", range(6))
def test_hard_cuts_are_those_of_pyscenedetect(seed):
  lengths = np.random.default_rng(seed).integers(8, 30, 12)
  frames = list(_frames(lengths, seed))
  reference = AdaptiveDetector(min_scene_len=8)
  wanted = []
  for number, frame in enumerate(frames):
    timecode = FrameTimecode(number, fps=30.0)
    wanted += reference.process_frame(timecode, frame[..., ::-1])
  assert len(wanted) > 1
  assert _cuts(frames) == [c.frame_num for c in wanted]


@pytest.mark.parametrize("follow", [3, 4, 20])
def test_a_cut_is_found_as_soon_before_the_end(follow):
  assert _cuts(_shot(1, 20) + _shot(2, follow)) == [20]


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("light", [0, 255])
def test_a_flash_is_no_cut(length, light):
  frames = _shot(1, 40)
  for k in range(20, 20 + length):
    frames[k] = cv2.addWeighted(frames[k], 0.2, frames[k], 0, 0.8 * light)
  assert _cuts(frames) == []


def test_a_cut_under_a_flash_is_one():
  frames = _shot(1, 20) + _shot(2, 20)
  frames[20] = np.full_like(frames[20], 255)
  (cut,) = _cuts(frames)
  assert cut in (20, 21)


def test_a_sudden_pan_is_no_cut():
  wide = _scene(3, (800, 96))
  places = [0] * 15 + [90, 180] + [180] * 15 + [130] * 15
  assert _cuts([wide[:, x : x + 160] for x in places]) == []
  # Without the pictures on the way, it is as far as from another scene.
  assert _cuts([wide[:, x : x + 160] for x in [0] * 15 + [500] * 15]) == [15]


@pytest.mark.parametrize("length", [8, 15, 30])
def test_a_dissolve_is_cut_in_its_middle(length):
  before, after = _shot(1, 40 + length), _shot(2, 40 + length)
  mixed = _mixed(before[40:], after[:length])
  frames = before[:40] + mixed + after[length:]
  (cut,) = _cuts(frames)
  assert abs(cut - (40 + length / 2)) <= 3
  assert _cuts(frames, find_gradual=False) == []


@pytest.mark.parametrize("black", [0, 5])
def test_a_fade_through_black_is_one_cut(black):
  before, after = _shot(1, 40), _shot(2, 40)
  dark = [np.zeros_like(before[0])] * 10
  frames = [
    *before[:30],
    *_mixed(before[30:], dark),
    *dark[:black],
    *_mixed(dark, after[:10]),
    *after[10:],
  ]
  (cut,) = _cuts(frames)
  assert 30 <= cut <= 50 + black


def test_light_that_is_dimmed_is_no_dissolve():
  shares = np.concatenate([np.ones(20), np.linspace(1, 0.3, 20), [0.3] * 20])
  dimmed = [
    cv2.convertScaleAbs(frame, alpha=share)
    for frame, share in zip(_shot(1, 60), shares, strict=True)
  ]
  assert _cuts(dimmed) == []


def test_what_pans_steadily_is_no_dissolve():
  wide = _scene(5, (1600, 96))
  assert _cuts([wide[:, 20 * k : 20 * k + 160] for k in range(70)]) == []


def test_no_cut_is_found_across_frames_that_were_left_out():
  before, after = list(_frames([20, 20], 1)), list(_frames([20, 20], 2))
  detector = cuts.CutDetector(8)
  assert _found(detector, before) == [20]
  for _ in range(10):
    assert detector.leave_out() == []
  # Numbers go on; where it looks again, nothing is compared with before.
  assert _found(detector, after) == [70]


def test_what_came_before_a_gap_is_judged():
  detector = cuts.CutDetector(8)
  for frame in _shot(1, 20) + _shot(2, 3):
    assert detector.next(frame) == []
  assert detector.leave_out() == [20]
