"""Files whose speed changes: where they say, and looked at as the command."""

import cv2
import numpy as np
import pytest

from experiments.speed_change import edited_files
from speedflow import media
from speedflow.detect import change_detector
from speedflow.pictures import shots
from speedflow.timewarp import resample


@pytest.mark.parametrize("kind", edited_files.KINDS)
@pytest.mark.parametrize("frames", [40, 120, 300])
def test_no_frame_is_asked_for_that_the_clip_lacks(kind, frames):
  edit = edited_files.draw("a clip", kind, frames, 30.0)
  if edit is None:
    assert frames < 300
    return
  assert edit.plan.indices[-1] < frames
  assert bool(edit.changes) == (kind not in edited_files.STEADY)
  for begin, end, ratio in edit.changes:
    strides = np.diff(edit.plan.positions)
    before, after = strides[:begin].mean(), strides[end:].mean()
    if len(edit.changes) == 1:
      assert max(before, after) / min(before, after) == pytest.approx(
        ratio, rel=0.01
      )
    assert min(begin, edit.plan.length - 1 - end) >= 29  # A second.


def test_frames_left_out_shorten_the_time_and_others_do_not():
  times_s = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
  curve = (1.0, 1.0, 2.0, 2.0, 2.0)
  plan = resample.ClipPlan(0.0, 1.0, 5, curve=curve)
  np.testing.assert_allclose(
    edited_files.playing_times(times_s, plan), [0, 0.1, 0.2, 0.35, 0.55]
  )


def test_what_is_kept_is_judged_as_the_file_is(tmp_path):
  texture = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (8, 50, 3), dtype=np.uint8),
    (600, 96),
    interpolation=cv2.INTER_CUBIC,
  )
  clip = tmp_path / "clip.mp4"
  with media.VideoWriter(clip, 10, (128, 96)) as writer:
    for x in range(0, 400, 4):
      writer.write(np.ascontiguousarray(texture[:, x : x + 128]))
  out = tmp_path / "out"
  out.mkdir()
  edited_files.keep("clip", str(clip), "someone/else", out, keep_videos=True)
  kept = {seen.file.kind: seen for seen in edited_files.load(out)}
  assert set(kept) == set(edited_files.KINDS)
  detector = change_detector.load_change_detector()
  seen = kept["2x"]
  whole = detector.detect(shots.Picture(out / f"{seen.file.name}.mp4"))
  again = detector.of_looks(seen.looks)
  np.testing.assert_array_equal(again.time_s, whole.time_s)
  np.testing.assert_array_equal(again.probability, whole.probability)
  assert again.duration_s == whole.duration_s
  assert seen.file.duration_s == pytest.approx(whole.time_s[-1], abs=1e-3)
