"""The battery: changes that leave the speed alone, and do what they say."""

import numpy as np
import pytest

from experiments.speed_estimator import shortcuts
from speedflow.data import motion
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.estimate import telling
from speedflow.timewarp.augment import Appearance


@pytest.fixture(scope="module")
def shot(records_root):
  paths = sorted((records_root / "records" / "clips").glob("*test*-of-*"))
  return ShotRecord.decode(RecordSource(paths)[0])


def test_repeated_frames_play_as_long_and_are_found(shot):
  repeated = shortcuts.repeat_frames(shot)
  assert repeated.num_frames == 2 * shot.num_frames
  np.testing.assert_allclose(repeated.times_s()[::2], shot.times_s())
  assert (np.diff(repeated.times_s()) > 0).all()
  before = motion.describe(shot, appearance=0, seed=0)
  after = motion.describe(repeated, appearance=0, seed=0)
  assert after.fps == pytest.approx(before.fps, rel=0.02)
  np.testing.assert_array_equal(after.maps[1][:60], before.maps[1][:60])


def test_backwards_twice_is_the_clip(shot):
  twice = shortcuts.reverse(shortcuts.reverse(shot))
  assert [bytes(f) for f in twice.frames] == [bytes(f) for f in shot.frames]
  np.testing.assert_array_equal(twice.ticks, shot.ticks - shot.ticks[0])


def test_a_dressed_clip_keeps_its_length_and_size(shot):
  dressed = shortcuts.dress(shot, Appearance(resize=0.5))
  assert dressed.num_frames == shot.num_frames
  assert dressed.image(3).shape == shot.image(3).shape
  assert (dressed.image(3) != shot.image(3)).any()


def test_the_plaid_moves_evenly():
  plaid = shortcuts.drifting_plaid(5, 0).astype(int)
  changes = np.abs(np.diff(plaid, axis=0)).mean((1, 2, 3))
  assert changes.min() > 1
  assert np.ptp(changes) < 0.3


def test_what_is_drawn_is_flat_and_what_a_microscope_sees_is_not():
  for make, flat in (
    (shortcuts.drawn_animation, True),
    (shortcuts.microscope_cells, False),
  ):
    frames = make(4, 0)
    assert frames.shape == (4, 96, 128, 3)
    assert telling.drawn([frame[..., 1] for frame in frames]) == flat
    assert np.any(frames[0] != frames[1])
