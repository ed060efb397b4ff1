"""The SpeedNet-style baseline: pairs of one clip, the protocol's windows."""

import jax
import numpy as np
import pytest

from experiments.speed_estimator import speednet
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.training import config as config_lib
from speedflow.training import loop


@pytest.fixture(scope="module")
def config(records_root):
  return config_lib.load_config(
    "configs/speednet.py:smoke",
    [f"--config.data.records={records_root}/records/clips"],
  )


def test_a_pair_is_one_clip_at_both_speeds(records_root):
  paths = sorted((records_root / "records" / "clips").glob("*train*-of-*"))
  encoded = RecordSource(paths)[0]
  pair = speednet.PairSampler()(encoded, np.random.default_rng(0))
  assert pair["frames"].shape == (2, 16, 48, 64)
  assert pair["frames"].dtype == np.uint8
  assert pair["twice"].tolist() == [0, 1]


def test_a_short_shot_is_played_to_and_fro(records_root):
  paths = sorted((records_root / "records" / "clips").glob("*train*-of-*"))
  shot = ShotRecord.decode(RecordSource(paths)[0])
  window = speednet.window_frames(shot, np.array([98, 99, 100, 198, 199]), None)
  np.testing.assert_array_equal(window[0], window[2])
  np.testing.assert_array_equal(
    window[3], speednet.window_frames(shot, np.array([0]), None)[0]
  )


@pytest.mark.slow
def test_it_learns_and_scores_through_the_common_loop(config, tmp_path):
  scores = loop.train(config, tmp_path)
  assert 0 <= scores["val/accuracy_1x_2x"] <= 1
  assert scores["val/windows"] == 6
  # Nothing is better than a coin for a network that has just begun.
  assert scores["train/loss"] == pytest.approx(np.log(2), abs=0.5)


def test_brightness_and_contrast_do_not_reach_the_network():
  rng = np.random.default_rng(0)
  frames = rng.integers(80, 120, (1, 16, 48, 64)).astype(np.float32)
  changed = frames * 8 - 300
  a, b = speednet.contrast(frames), speednet.contrast(changed)
  assert np.abs(jax.device_get(a).mean()) < 1e-3
  assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9999
