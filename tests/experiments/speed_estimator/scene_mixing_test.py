"""Mixed scenes: of one step, of two sources, and never a wrong label."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.speed_estimator.scene_mixing import mix_scenes


def _mix(log2_step, source, chance=1.0, length=None, seed=0):
  """Clips whose maps carry their own number."""
  n = len(log2_step)
  maps = jnp.broadcast_to(
    jnp.arange(n, dtype=jnp.float16)[:, None, None, None, None],
    (n, 6, 12, 16, 8),
  )
  mixed, lengths = mix_scenes(
    jax.random.key(seed),
    maps,
    jnp.asarray(length if length is not None else [6] * n, jnp.int32),
    jnp.asarray(log2_step, jnp.float32),
    jnp.asarray(source),
    chance=chance,
    patch=4,
  )
  return np.asarray(mixed), np.asarray(lengths)


def test_only_scenes_of_the_same_step_are_mixed():
  steps = [0.0, 0.05, 1.0, 2.0]
  mixed, _ = _mix(steps, [0, 1, 2, 3])
  assert set(np.unique(mixed[0])) == {0, 1}
  assert set(np.unique(mixed[1])) == {0, 1}
  assert set(np.unique(mixed[2])) == {2}
  assert set(np.unique(mixed[3])) == {3}


def test_a_source_is_not_mixed_with_itself():
  mixed, _ = _mix([0.0, 0.0, 0.0], [0, 0, 1])
  assert set(np.unique(mixed[0])) == {0, 2}
  assert set(np.unique(mixed[1])) == {1, 2}


def test_clips_of_unknown_step_are_left_alone():
  mixed, _ = _mix([np.nan, np.nan, 0.0], [0, 1, 2])
  for number in range(3):
    assert set(np.unique(mixed[number])) == {number}


def test_a_mixed_clip_ends_with_the_shorter_one():
  _, lengths = _mix([0.0, 0.0, 1.0], [0, 1, 2], length=[6, 4, 5])
  assert lengths.tolist() == [4, 4, 5]


def test_whole_patches_of_all_times_change_places():
  mixed, _ = _mix([0.0, 0.0], [0, 1])
  patches = mixed[0].reshape(6, 3, 4, 4, 4, 8)
  for row in range(3):
    for column in range(4):
      assert np.ptp(patches[:, row, :, column]) == 0


@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_chance_is_the_share_of_mixed_clips(chance):
  n = 400
  mixed, _ = _mix(np.zeros(n), np.arange(n), chance)
  changed = (mixed != np.arange(n)[:, None, None, None, None]).any((1, 2, 3, 4))
  assert changed.mean() == pytest.approx(chance, abs=0.1)
