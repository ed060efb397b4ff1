"""Cuts are those of PySceneDetect, an independent reference."""

import numpy as np
import pytest
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from speedflow.data import cuts


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
  found = [detector.next(frame) for frame in frames]
  return [number for number in found if number is not None]


@pytest.mark.parametrize("seed", range(6))
def test_cuts_are_those_of_pyscenedetect(seed):
  lengths = np.random.default_rng(seed).integers(1, 30, 12)
  frames = list(_frames(lengths, seed))
  reference = AdaptiveDetector(min_scene_len=8)
  wanted = []
  for number, frame in enumerate(frames):
    timecode = FrameTimecode(number, fps=30.0)
    wanted += reference.process_frame(timecode, frame[..., ::-1])
  assert len(wanted) > 1
  assert _found(cuts.CutDetector(8), frames) == [c.frame_num for c in wanted]


def test_no_cut_is_found_across_frames_that_were_left_out():
  before, after = list(_frames([20, 20], 1)), list(_frames([20, 20], 2))
  detector = cuts.CutDetector(8)
  assert _found(detector, before) == [20]
  for _ in range(10):
    detector.leave_out()
  # Numbers go on; where it looks again, nothing is compared with before.
  assert _found(detector, after) == [70]
