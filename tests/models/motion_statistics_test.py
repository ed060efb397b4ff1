"""Statistics of motion, against a plain reference in float64."""

import jax
import numpy as np
import pytest

from speedflow.models import motion_statistics


def _autocorrelation(x):
  """[t, n, k] -> one value per lag."""
  energy = (x**2).sum() / len(x) + 1e-4
  values = []
  for lag in motion_statistics.LAGS:
    pairs = [(x[i] * x[i + lag]).sum() for i in range(len(x) - lag)]
    values.append(np.mean(pairs) / energy if pairs else 0.0)
  return values


def _moments(x, floor):
  logs = np.log(x + floor)
  spread = np.sqrt(logs.var() + 1e-6)
  powers = [np.log(np.mean((x + floor) ** p)) / p for p in (1, 2, 4)]
  return np.array([logs.mean(), spread, *powers]) / 2


def _reference(maps):
  """One clip without padding, [t, h, w, 8]."""
  maps = maps.astype(np.float64).reshape(len(maps), -1, 8)
  flow = maps[..., :2]
  camera = flow.mean(1, keepdims=True)
  local = flow - camera
  speed, change = np.log(maps[..., 2:3] + 0.05), np.log(maps[..., 6:7] + 0.5)
  series = [flow, local, camera, speed - speed.mean(0), change - change.mean(0)]
  sizes = [
    np.hypot(*np.moveaxis(x, -1, 0)) for x in (local, *_steps(flow, local))
  ]
  return np.concatenate(
    [
      *map(_autocorrelation, series),
      _moments(maps[..., 2], 0.02),
      *(_moments(size, 0.02) for size in sizes),
      _moments(maps[..., 4], 0.5),
      _moments(maps[..., 6], 0.5),
      _moments(maps[..., 7], 1.0),
      [np.log2(len(maps)) - 4],
    ]
  )


def _steps(*series):
  return [np.diff(x, axis=0) for x in series]


@pytest.fixture
def clips():
  """Clips of 24, 13 and 8 maps, padded with what must not matter."""
  rng = np.random.default_rng(0)
  maps = rng.normal(0, 2, (3, 24, 6, 8, 8)).cumsum(1)
  maps[..., 2:] = np.abs(maps[..., 2:])
  return maps.astype(np.float32), np.array([24, 13, 8])


def test_they_agree_with_the_reference(clips):
  maps, lengths = clips
  mask = (np.arange(24) < lengths[:, None]).astype(np.float32)
  found = jax.jit(motion_statistics.motion_statistics)(maps, mask)
  assert found.shape == (3, motion_statistics.COUNT)
  for row, clip, length in zip(found, maps, lengths, strict=True):
    np.testing.assert_allclose(
      row, _reference(clip[:length]), rtol=2e-3, atol=2e-3
    )


def test_a_still_clip_has_finite_statistics():
  maps, mask = np.zeros((1, 8, 6, 8, 8)), np.ones((1, 8), np.float32)
  found = jax.jit(motion_statistics.motion_statistics)(maps, mask)
  assert np.isfinite(found).all()
