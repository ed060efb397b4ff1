"""The protocol: the same windows for everyone, and fair scores."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from experiments.speed_estimator import protocol
from speedflow.data import motion, records
from speedflow.errors import SpeedflowError
from speedflow.models import motion_net


def _record(number=0, maps=100, **known):
  """A real-time record; the first channel counts the maps."""
  held = {}
  for stride in (1, 2, 4, 8):
    held[stride] = np.zeros((maps // stride, 12, 16, 8), np.float16)
    held[stride][:, 0, 0, 0] = np.arange(maps // stride)
  fields = {
    **{"id": f"{number}/0/0", "look": 0, "source": "s", "split": "test"},
    **{"scene_group": f"g{number}", "category": "realtime"},
    **{"label": "known", "speed": 1.0, "fps": 30.0},
  }
  return motion.MotionRecord(**(fields | known), maps=held)


def test_shots_too_short_for_a_window_are_left_out():
  data = protocol.windows([_record(0, 100), _record(1, 40)], frames=31)
  assert sorted(set(data.shot)) == ["0/0/0@1", "0/0/0@2", "1/0/0@1"]
  assert data.maps.shape[1:] == (30, 12, 16, 8)


@pytest.mark.parametrize("frames", [9, 17, 26])
def test_windows_span_the_shot_from_end_to_end(frames):
  data = protocol.windows([_record()], frames)
  for stride in protocol.REALTIME_STRIDES:
    of_stride = data.maps[data.shot == f"0/0/0@{stride}"][..., 0, 0, 0]
    assert of_stride[0, 0] == 0
    assert of_stride[-1, -1] == 100 // stride - 1
    assert (np.diff(of_stride, axis=1) == 1).all()
    assert len(of_stride) == min(3, 100 // stride - frames + 2)


def test_truth_is_the_speed_of_playback_at_the_shots_own_rate():
  record = _record(speed=0.5, fps=60.0)
  data = protocol.windows([record], 9, strides=(2, 8))
  np.testing.assert_allclose(np.unique(data.log2_speed), [0, 2])
  # A step of 1/30 s, log2 step 0, plays at 2x at 60 frames per second.
  np.testing.assert_allclose(data.offset, 1.0)


def test_only_sure_labels_of_the_wanted_categories_are_scored():
  kept = _record(0)
  left = [
    _record(1, label="pseudo"),
    _record(2, label="unknown", speed=0.0),
    _record(3, category="slowmo"),
  ]
  data = protocol.windows([*left, kept], 9)
  assert set(data.group) == {"g0"}
  loose = protocol.windows([*left, kept], 9, anchored=False)
  assert set(loose.group) == {"g0", "g1"}


def test_without_any_window_it_says_what_is_missing():
  with pytest.raises(SpeedflowError, match=r"no realtime shot .* 200 frames"):
    protocol.windows([_record()], 200)


def test_dressed_looks_are_not_scored(tmp_path):
  path = tmp_path / "a-val.tfrecord-00000-of-00001"
  with records.RecordWriter(path) as writer:
    for look in range(3):
      writer.write(dataclasses.replace(_record(), look=look).encode())
  (record,) = protocol.read_records(protocol.shards(tmp_path, "val"))
  assert record.look == 0


def test_missing_records_are_named(tmp_path):
  with pytest.raises(SpeedflowError, match="make records"):
    protocol.shards(tmp_path, "test")


@pytest.fixture
def data():
  return protocol.windows([_record(n) for n in range(4)], 9)


def test_perfect_estimates_score_perfectly(data):
  scores = protocol.realtime_scores(data.log2_speed, data)
  assert scores["mae"] == (0.0, 0.0, 0.0)
  for name in ("accuracy_3way", "spearman", "accuracy_1x_2x"):
    assert scores[name] == pytest.approx((1.0, 1.0, 1.0))


def test_a_constant_estimate_scores_chance(data):
  scores = protocol.realtime_scores(np.zeros(len(data)), data, intervals=False)
  assert scores["accuracy_3way"] == pytest.approx((1 / 3,))
  assert scores["accuracy_1x_2x"] == pytest.approx((1 / 2,))
  assert scores["mae"] == pytest.approx((1.0,))


def test_estimates_far_off_count_as_the_end_of_the_scale(data):
  scores = protocol.realtime_scores(
    np.where(data.log2_speed == 2, 50.0, data.log2_speed), data, intervals=False
  )
  assert scores["mae"] == pytest.approx((0.5 / 3,))


def test_the_size_of_a_batch_changes_no_estimate():
  net = motion_net.MotionNet(
    motion_net.MotionNetConfig(width=4, dilations=(), hidden=4, bins=9),
    nnx.Rngs(0),
  )
  rng = np.random.default_rng(0)
  net.logits.kernel[...] = rng.normal(size=(4, 9))
  net.eval()
  maps = rng.normal(size=(7, 8, 12, 16, 8)).astype(np.float16)
  maps[..., 2:] = np.abs(maps[..., 2:])
  whole, parts = (protocol.predict(net, maps, size) for size in (7, 3))
  assert whole.shape == (7, 9)
  np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose(parts, whole, atol=1e-5)
