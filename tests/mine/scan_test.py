"""Where the dense scan looks, and the pieces that it finds."""

import itertools
import math

import numpy as np
import pytest

from speedflow import media
from speedflow.data import motion
from speedflow.demo import clips
from speedflow.detect import change_detector
from speedflow.estimate import estimator
from speedflow.mine import scan

_SLOW, _FAST = (-2.0, 0.3), (0.0, 0.3)


@pytest.fixture(scope="module")
def tiny():
  return estimator.load_estimator()


@pytest.fixture(scope="module")
def clip():
  return next(s.path for s in clips.package_clips() if "car" in s.path.name)


def _glances(*answers, period_s=4.0):
  return [scan.Glance(period_s * i, *a) for i, a in enumerate(answers)]


def test_only_the_surroundings_of_slow_samples_are_wanted():
  found = _glances(_FAST, _FAST, _SLOW, _FAST, _FAST, _FAST)
  assert scan.worth_a_look(found, 0.5, 1.0) == [scan.Span(4.0, 12.0)]


def test_neighbouring_spans_are_one():
  found = _glances(_SLOW, _SLOW, _FAST, _SLOW, _FAST)
  assert scan.worth_a_look(found, 0.5, 1.0) == [scan.Span(-math.inf, 16.0)]


def test_doubt_widens_the_look():
  found = _glances(_FAST, _FAST, (-0.8, 0.3), _FAST, _FAST)
  assert not scan.worth_a_look(found, 0.5, 0.5)
  assert scan.worth_a_look(found, 0.5, 1.0)


def test_nothing_moving_is_not_slow():
  still = (math.nan, math.nan)
  assert not scan.worth_a_look(_glances(*[still] * 6), 0.5, 3.0)


def test_holes_between_samples_are_looked_at():
  found = [scan.Glance(time_s, *_FAST) for time_s in (0, 4, 30, 34)]
  assert scan.worth_a_look(found, 0.5, 1.0) == [scan.Span(4, 30)]


def test_videos_with_few_samples_are_looked_at_as_a_whole():
  whole = [scan.Span(-math.inf, math.inf)]
  assert scan.worth_a_look(_glances(_FAST), 0.5, 1.0) == whole
  assert scan.worth_a_look([], 0.5, 1.0) == whole


def test_pieces_cover_a_span_in_order(tiny, clip):
  span = scan.Span(-math.inf, math.inf)
  pieces = list(scan.pieces(clip, span, tiny, 0.5))
  info = media.probe(clip)
  assert pieces[0].start_s == pytest.approx(0, abs=0.1)
  assert pieces[-1].end_s == pytest.approx(info.duration_s, abs=0.1)
  for before, after in itertools.pairwise(pieces):
    assert before.end_s == pytest.approx(after.start_s, abs=0.05)
  for piece in pieces:
    assert piece.speed_low <= piece.speed <= piece.speed_high
    assert piece.capture_fps == pytest.approx(piece.fps / piece.speed)


def test_pieces_end_at_changes_that_are_given(tiny, clip):
  (span,) = scan.worth_a_look([], 0.5, 1.0)
  found = scan.pieces(
    clip, span, tiny, 0.5, lambda images, fps, maps: [10 / fps]
  )
  first = next(iter(found))
  assert first.seconds == pytest.approx(10 / first.fps)


def test_samples_begin_at_keyframes_and_are_decoded_as_they_are(tmp_path):
  path = tmp_path / "ramp.mp4"
  with media.VideoWriter(path, 25, (64, 48)) as writer:
    for number in range(600):
      writer.write(np.full((48, 64, 3), number * 255 // 600, np.uint8))
  samples = list(media.sample_keyframes(path, 4.0, 12, (64, 48)))
  assert len(samples) >= 2
  for sample in samples:
    assert len(sample.images) == len(sample.times) == 12
    for image, time in zip(sample.images, sample.times, strict=True):
      # Stored at limited range or full: within what they differ by.
      assert image.mean() == pytest.approx(float(time) * 25 * 255 / 600, abs=18)
  starts = [float(sample.times[0]) for sample in samples]
  assert np.all(np.diff(starts) >= 4.0)


def test_glance_knows_a_clip_about_as_the_estimate_does(tiny, clip):
  found = list(scan.glances(clip, tiny, period_s=0.5))
  told = [g.log2_speed for g in found if not math.isnan(g.log2_speed)]
  whole = tiny.estimate(clip)
  assert np.median(told) == pytest.approx(np.log2(whole.speed), abs=1.5)


def test_no_pair_of_frames_is_mapped_twice(tiny, clip, monkeypatch):
  between = motion.MotionMapper.between
  pairs = []

  def counted(mapper, before, after):
    pairs.append((before.tobytes(), after.tobytes()))
    return between(mapper, before, after)

  monkeypatch.setattr(motion.MotionMapper, "between", counted)
  detector = change_detector.load_change_detector()
  span = scan.Span(-math.inf, math.inf)
  list(
    scan.pieces(
      clip,
      span,
      tiny,
      8.0,
      lambda images, fps, maps: [
        c.time_s for c in detector.detect(images, fps, maps=maps).changes
      ],
    )
  )
  assert len(pairs) == len(set(pairs))
