"""Clips at any speed: their frames, speeds, and what is known of them."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from speedflow.data import schema, speed_clips

# Frame k of the shot is of this brightness, in each of which it differs.
_COUNT = 120


def _level(number):
  return 20 + 2 * number


def _shot(count=_COUNT, fps=240, **known):
  noise = np.random.default_rng(0).integers(-8, 9, (count, 24, 32, 1))
  frames = [
    np.clip(_level(k) + noise[k] + np.zeros(3, int), 0, 255).astype(np.uint8)
    for k in range(count)
  ]
  return schema.ShotRecord(
    **{"id": "a/0/0", "speed": 1.0, "label": "known"} | known,
    frames=[schema.encode_jpeg(frame, 98) for frame in frames],
    ticks=np.arange(count),
    time_base=Fraction(1, fps),
    fps=Fraction(fps),
    height=24,
    width=32,
  )


def _drawn(task, number, shot=None, **more):
  drawing = speed_clips.Drawing(17, 8, 16, (task,), **more)
  return drawing.draw(shot or _shot(), np.random.default_rng(number))


def _places(clip):
  levels = clip.truth.mean((1, 2, 3))
  return np.round((levels - _level(0)) / 2).astype(int)


@pytest.mark.parametrize("task", speed_clips.TASKS)
def test_no_frame_is_shown_twice_and_the_speed_is_what_is_seen(task):
  speeds = set()
  for number in range(12):
    clip = _drawn(task, number)
    assert clip.task == task
    assert clip.truth.shape == (17, 8, 16, 3)
    jumps = np.diff(_places(clip))
    assert (jumps >= 1).all()
    # A frame of 240 a second is an eighth of one of 30.
    np.testing.assert_allclose(clip.log2_step[1:], np.log2(jumps) - 3)
    speeds.update(jumps.tolist())
  assert len(speeds) > 2


def test_what_plays_slowly_is_told_so():
  fast, slow = (
    _drawn("first", 3, _shot(speed=speed)).log2_step for speed in (1.0, 0.25)
  )
  np.testing.assert_allclose(fast - slow, 2.0)


def test_what_is_known_follows_the_task():
  known = {task: _drawn(task, 1).known for task in speed_clips.TASKS}
  assert np.flatnonzero(known["first"]).tolist() == [0]
  assert np.flatnonzero(known["ends"]).tolist() == [0, 16]
  assert np.flatnonzero(known["every"]).tolist() == [0, 8, 16]
  assert np.flatnonzero(known["blurred"]).tolist() == [0, 8, 16]
  before = np.flatnonzero(known["before"])
  assert before.tolist() == list(range(len(before)))
  assert len(before) in (5, 9)


def test_only_known_frames_are_blurred_and_in_their_middles():
  found = 0
  for number in range(8):
    clip = _drawn("blurred", number)
    assert 0.2 <= clip.exposure <= 1
    same = (clip.shown == clip.truth).all((1, 2, 3))
    assert same[~clip.known].all()
    found += int((~same).sum())
    # An even change of light is blurred into its middle.
    middle = clip.shown[8].mean(), clip.truth[8].mean()
    assert middle[0] == pytest.approx(middle[1], abs=3)
    assert clip.shown[8].std() <= clip.truth[8].std() + 0.5
  assert found


@pytest.mark.parametrize(
  "shot",
  [
    _shot(count=16),
    _shot(label="unknown"),
    _shot(label="pseudo"),
    _shot(speed=0.0),
  ],
  ids=["short", "unknown", "guessed", "no speed"],
)
def test_nothing_is_drawn_of(shot):
  assert _drawn("first", 0, shot) is None


@pytest.mark.parametrize("mirror", [False, True])
def test_left_and_right_are_exchanged_on_request(mirror):
  slope = np.arange(0, 64, 2)[None, :, None] + np.zeros((24, 1, 3), int)
  shot = _shot()
  shot = dataclasses.replace(
    shot,
    frames=[
      schema.encode_jpeg((slope + k).astype(np.uint8), 98)
      for k in range(shot.num_frames)
    ],
  )
  rising = []
  for number in range(12):
    first = _drawn("first", number, shot, mirror=mirror).truth[0].astype(int)
    rising.append(first[:, -1].mean() > first[:, 0].mean())
  assert any(rising)
  assert all(rising) == (not mirror)


def test_speeds_keep_within_what_is_asked_for():
  for number in range(10):
    clip = _drawn("first", number, slowest=-2.0, fastest=-1.0)
    assert (clip.log2_step >= -2.0 - 1e-6).all()
    assert (clip.log2_step <= -1.0 + 1e-6).all()
