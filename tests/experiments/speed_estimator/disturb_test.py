"""What cameras and codecs add to motion maps, and take away."""

import numpy as np
import pytest

from experiments.speed_estimator import disturb
from speedflow.data.motion import CHANNELS

_TEXTURE = CHANNELS.index("texture_mean")


def _maps(value, frames=60):
  return np.full((frames, 12, 16, 8), value, np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_noise_raises_the_floor_where_nothing_moves(seed):
  noisy = disturb.add_noise(_maps(0.0), np.random.default_rng(seed))
  assert (noisy[..., 2:7] > 0).all()
  assert (noisy[..., _TEXTURE] == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_lost_in_strong_motion(seed):
  noisy = disturb.add_noise(_maps(80.0), np.random.default_rng(seed))
  np.testing.assert_allclose(noisy, 80.0, rtol=0.02)


def test_keyframes_jolt_at_a_steady_period():
  found = set()
  for seed in range(40):
    noisy = disturb.add_noise(_maps(0.0), np.random.default_rng(seed))
    change = noisy[:, 5, 5, CHANNELS.index("change_mean")]
    jolts = np.flatnonzero(change > 1.05 * change.min())
    found.add(len(jolts) > 1)
    assert len(np.unique(np.diff(jolts))) <= 1
  assert found == {True, False}


@pytest.mark.parametrize("seed", range(5))
def test_only_small_changes_vanish(seed):
  rng = np.random.default_rng(seed)
  small = disturb.drop_small_changes(_maps(0.01), rng)
  assert (small[..., :7] < 0.01).all()
  assert (small[..., _TEXTURE] == np.float32(0.01)).all()
  large = disturb.drop_small_changes(_maps(2.0), rng)
  np.testing.assert_array_equal(large, 2.0)


def test_the_maps_themselves_are_left_alone():
  maps = _maps(0.5)
  disturb.add_noise(maps, np.random.default_rng(0))
  disturb.drop_small_changes(maps, np.random.default_rng(0))
  assert (maps == 0.5).all()
