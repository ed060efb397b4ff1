"""From videos to answers: what is said, and when nothing can be said."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow import load_estimator, media
from speedflow.demo import clips
from speedflow.errors import SpeedflowError
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import network, strides, weights
from speedflow.models import motion_net

_WINDOW = 47
_CONFIG = motion_net.MotionNetConfig(
  width=4, dilations=(1,), hidden=8, statistics=False
)


@pytest.fixture(scope="module")
def toy(random_net):
  """An estimator with random parameters: it has opinions, but no sense."""
  return estimator_lib.SpeedEstimator(
    network.of_model(random_net(_CONFIG), _WINDOW)
  )


@pytest.fixture(scope="module")
def shipped():
  return load_estimator()


def _clip(count, seed=0, size=(96, 128)):
  """A texture that swings; uint8 RGB [count, h, w, 3]."""
  rng = np.random.default_rng(seed)
  noise = rng.uniform(0, 255, (size[0] + 60, size[1] + 60, 3))
  texture = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
  texture = cv2.normalize(texture, None, 20, 235, cv2.NORM_MINMAX)
  frames = []
  for i in range(count):
    x, y = 20 * np.sin(i / 7 + seed), 12 * np.cos(i / 5)
    shift = np.float32([[1, 0, x - 30], [0, 1, y - 30]])
    frames.append(cv2.warpAffine(texture, shift, size[::-1]))
  return np.clip(frames, 0, 255).astype(np.uint8)


def _write(path, frames, fps=30):
  size = frames.shape[2], frames.shape[1]
  with media.VideoWriter(path, Fraction(fps), size, crf=8) as writer:
    for frame in frames:
      writer.write(frame)
  return path


_CALM = np.tile(_clip(1), (40, 1, 1, 1))


@pytest.mark.parametrize(
  ("frames", "reason"),
  [
    (_CALM, "nothing moves"),
    (np.zeros_like(_CALM), "nothing moves"),
    (_clip(8), "too short"),
    (_clip(1), "too short"),
    (_clip(1)[:0], "too short"),
  ],
  ids=["still", "black", "short", "one frame", "empty"],
)
def test_what_tells_no_speed_is_uncertain_and_says_why(toy, frames, reason):
  found = toy.estimate(frames)
  assert found.status == "uncertain"
  assert reason in found.reason
  assert found.speed_low <= 1 / 16
  assert found.speed_high >= 8
  assert found.duration_s == pytest.approx(len(frames) / 30)


def test_noise_of_a_sensor_is_no_motion(toy):
  still = np.tile(_clip(1, size=(240, 320)), (20, 1, 1, 1))
  noise = np.random.default_rng(0).normal(0, 2, still.shape)
  found = toy.estimate(np.clip(still + noise, 0, 255).astype(np.uint8))
  assert found.status == "uncertain"


def test_still_and_too_short_files_are_uncertain_too(toy, tmp_path):
  for frames in (_CALM, _clip(5)):
    found = toy.estimate(_write(tmp_path / "a.mp4", frames))
    assert found.status == "uncertain"
    assert found.duration_s == pytest.approx(len(frames) / 30, abs=1e-3)


def test_frames_and_their_file_agree(toy, tmp_path):
  frames = _clip(60)
  of_file = toy.estimate(_write(tmp_path / "a.mp4", frames))
  of_frames = toy.estimate(frames, fps=30)
  assert of_file.file == str(tmp_path / "a.mp4")
  assert of_file.fps == of_frames.fps == 30
  assert of_file.duration_s == pytest.approx(of_frames.duration_s, abs=1e-3)
  np.testing.assert_allclose(of_file.curve.time_s, of_frames.curve.time_s)
  np.testing.assert_allclose(
    of_file.curve.speed, of_frames.curve.speed, rtol=0.1
  )


def test_frames_come_as_arrays_or_lists_in_colour_or_grey(toy):
  grey = _clip(30)[..., 1]
  expected = toy.estimate(grey).speed
  assert toy.estimate(list(grey)).speed == expected
  assert toy.estimate(np.stack([grey] * 3, -1)).speed == expected


def test_the_same_frames_play_faster_at_a_higher_rate(shipped):
  frames = _clip(40)
  slow, fast = (shipped.estimate(frames, fps=fps) for fps in (15, 60))
  assert fast.speed > 1.5 * slow.speed
  assert fast.duration_s == slow.duration_s / 4


@pytest.mark.parametrize(
  ("source", "fps", "message"),
  [
    (np.zeros((4, 8)), None, r"shape \(4, 8\)"),
    (np.zeros((20, 48, 64, 4), np.uint8), None, "4 channels"),
    (np.zeros((20, 48, 64, 3), np.float32), None, "float32"),
    ([np.zeros((48, 64, 3))] * 20, None, "float64"),
    (_CALM, 0, "fps is 0"),
    (_CALM, -30.0, "fps is -30"),
    ("missing.mp4", None, "missing.mp4"),
  ],
)
def test_bad_input_is_refused_in_one_line(toy, source, fps, message):
  with pytest.raises(SpeedflowError, match=message) as error:
    toy.estimate(source, fps=fps)
  assert "\n" not in str(error.value)


def test_a_cut_is_never_bridged(toy):
  first, second = _clip(50, seed=1), 255 - _clip(60, seed=2)
  alone = [toy.estimate(frames).curve for frames in (first, second)]
  joined = toy.estimate(np.concatenate([first, second])).curve
  np.testing.assert_allclose(
    joined.speed, np.concatenate([curve.speed for curve in alone]), rtol=1e-4
  )
  np.testing.assert_allclose(
    joined.time_s,
    np.concatenate([alone[0].time_s, alone[1].time_s + 50 / 30]),
  )


def test_repeated_frames_change_no_speed(toy):
  frames = _clip(60)
  expected = toy.estimate(frames, fps=30)
  found = toy.estimate(frames.repeat(2, axis=0), fps=60)
  assert found.speed == pytest.approx(expected.speed, rel=0.05)


def _assert_covers(found, duration_s):
  edges = [(s.start_s, s.end_s) for s in found.segments]
  assert edges[0][0] == 0
  assert edges[-1][1] == pytest.approx(duration_s)
  assert all(start < end for start, end in edges)
  assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]


def test_segments_cover_the_video(toy):
  frames = np.concatenate([_clip(90), _clip(70, seed=3)[::2], _CALM])
  found = toy.estimate(frames)
  _assert_covers(found, len(frames) / 30)
  for segment in found.segments:
    assert segment.speed_low < segment.speed < segment.speed_high


def test_a_long_video_is_sampled_from_end_to_end(toy, tmp_path):
  # 260 s of it, at 2 frames per second.
  path = _write(tmp_path / "long.mp4", _clip(520, size=(48, 64)), fps=2)
  found = toy.estimate(path)
  _assert_covers(found, 260)
  assert len(found.curve.time_s) >= 3
  gaps = np.diff(found.curve.time_s)
  assert gaps.max() > 40  # Seconds left out.
  assert found.curve.time_s[0] < 30
  assert found.curve.time_s[-1] > 180


def test_progress_grows_to_the_end(toy, tmp_path):
  seen = []
  toy.estimate(_write(tmp_path / "a.mp4", _clip(80)), on_progress=seen.append)
  assert seen == sorted(seen)
  assert len(seen) > 2
  assert 0 <= seen[0] < 0.1
  assert seen[-1] == 1.0


def test_the_same_video_gets_the_same_answer(toy):
  frames = _clip(60)
  first, second = (toy.estimate(frames).to_json() for _ in range(2))
  assert first == second


def test_intervals_are_as_wide_as_their_calibration(random_net):
  frames = _clip(60)
  model = random_net(_CONFIG)
  narrow, wide = (
    estimator_lib.SpeedEstimator(
      network.of_model(model, _WINDOW),
      estimator_lib.Calibration(file=half_width),
    ).estimate(frames)
    for half_width in (1.0, 2.0)
  )
  assert wide.speed == narrow.speed
  ratio = narrow.speed_high / narrow.speed_low
  assert wide.speed_high / wide.speed_low == pytest.approx(ratio**2)


@pytest.mark.parametrize("angle", range(3))
def test_a_drifting_pattern_is_uncertain_at_every_stride(toy, angle):
  y, x = np.mgrid[:96, :128] / 12.0
  along = x * np.cos(angle) + y * np.sin(angle)
  phases = np.arange(120)[:, None, None] * 0.15
  grey = (127 + 60 * np.sin(along - phases)).astype(np.uint8)
  assert toy.estimate(grey).status == "uncertain"


def test_rounds_are_told(toy):
  found = toy.estimate(_clip(120))
  assert 1 <= len(found.rounds) <= len(strides.STRIDES)
  assert all(speed > 0 for speed in found.rounds)


def test_unknown_weights_name_the_known():
  with pytest.raises(SpeedflowError, match=r"there are: .*tiny"):
    load_estimator("enormous")


@pytest.fixture(scope="module")
def real_clips():
  """The demonstration's clips at their natural speed: [(frames, fps)]."""
  found = []
  for source in clips.package_clips():
    with media.VideoReader(source.path, size=(128, 96)) as reader:
      frames = np.stack([frame.image for frame in reader])
      found.append((frames, reader.info.fps))
  return found


def test_frames_left_out_read_as_faster(shipped, real_clips):
  for frames, fps in real_clips:
    once, twice = (shipped.estimate(frames[::k], fps=fps) for k in (1, 2))
    assert twice.speed > 1.1 * once.speed


def test_repeated_frames_hardly_change_the_speed_of_real_video(
  shipped, real_clips
):
  for frames, fps in real_clips:
    expected = shipped.estimate(frames, fps=fps).speed
    repeated = frames.repeat(2, axis=0)
    found = shipped.estimate(repeated, fps=2 * fps).speed
    assert found == pytest.approx(expected, rel=0.05)


def test_segments_lie_between_known_changes(toy):
  found = toy.estimate(_clip(120), fps=30, changes_s=[1.0, 3.9])
  edges = [(s.start_s, s.end_s) for s in found.segments]
  assert edges == [(0.0, 1.0), (1.0, 3.9), (3.9, pytest.approx(4.0))]
  # Three frames tell nothing.
  widths = [s.speed_high / s.speed_low for s in found.segments]
  assert widths[2] == 2.0**9 > max(widths[:2])
  assert not found.segments[2].tells


def test_known_changes_are_times_on_the_clock_of_the_file(toy, tmp_path):
  path = tmp_path / "late.mp4"
  frames = _clip(60)
  with media.VideoWriter(path, Fraction(30), (128, 96)) as writer:
    for i, frame in enumerate(frames):
      writer.write(frame, Fraction(i, 30) + 5)
  found = toy.estimate(path, changes_s=[6.0])
  edges = [(s.start_s, s.end_s) for s in found.segments]
  assert edges == [
    (0.0, pytest.approx(1.0)),
    (pytest.approx(1.0), pytest.approx(2.0)),
  ]


def test_nothing_is_looked_at_across_a_known_change(toy):
  first, second = _clip(60), _clip(60, seed=1)
  apart = [toy.estimate(part).speed for part in (first, second)]
  together = toy.estimate(np.concatenate([first, second]), changes_s=[2.0])
  assert [s.speed for s in together.segments] == pytest.approx(apart)


def test_windows_are_as_long_as_the_weights_say(random_net, tmp_path):
  path = tmp_path / "short.safetensors"
  weights.SPEED.save(path, random_net(_CONFIG), {"window": 20})
  estimator = load_estimator(str(path))
  assert estimator.network.window == 20
  curve = estimator.estimate(_clip(60)).curve
  # Of 59 maps: from 0, 10, 20, 30 and 39 on, 9.5 maps before their middle.
  np.testing.assert_allclose(curve.time_s * 30, [10, 20, 30, 40, 49], atol=0.01)
