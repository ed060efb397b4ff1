"""The protocol: the same windows for everyone, and fair scores."""

import dataclasses

import numpy as np
import pytest

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
    **{"id": f"{number}/0/0", "appearance": 0, "source": "s", "split": "test"},
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
      writer.write(dataclasses.replace(_record(), appearance=look).encode())
  (record,) = protocol.read_records(records.split_shards(tmp_path, "val"))
  assert record.appearance == 0


def test_missing_records_are_named(tmp_path):
  with pytest.raises(SpeedflowError, match="make records"):
    records.split_shards(tmp_path, "test")


@pytest.fixture
def data():
  return protocol.windows([_record(n) for n in range(4)], 9)


def test_perfect_estimates_score_perfectly(data):
  answers = protocol.answers_of_estimate(data.log2_speed)
  scores = protocol.realtime_scores(answers, data)
  assert scores["mae"] == (0.0, 0.0, 0.0)
  for name in ("accuracy_3way", "spearman", "accuracy_1x_2x"):
    assert scores[name] == pytest.approx((1.0, 1.0, 1.0))


def test_a_constant_estimate_scores_chance(data):
  answers = protocol.answers_of_estimate(np.zeros(len(data)))
  scores = protocol.realtime_scores(answers, data, intervals=False)
  assert scores["accuracy_3way"] == pytest.approx((1 / 3,))
  assert scores["accuracy_1x_2x"] == pytest.approx((1 / 2,))
  assert scores["mae"] == pytest.approx((1.0,))


def test_estimates_far_off_count_as_the_end_of_the_scale(data):
  estimate = np.where(data.log2_speed == 2, 50.0, data.log2_speed)
  answers = protocol.answers_of_estimate(estimate)
  scores = protocol.realtime_scores(answers, data, intervals=False)
  assert scores["mae"] == pytest.approx((0.5 / 3,))
  assert scores["accuracy_3way"] == pytest.approx((1.0,))


def test_a_sure_distribution_answers_like_its_estimate(data):
  centres = np.linspace(-6, 4, 41)
  step = data.log2_speed - data.offset
  sure = np.exp(-0.5 * ((centres - step[:, None]) / 0.2) ** 2)
  answers = protocol.answers_of_distribution(
    sure / sure.sum(1, keepdims=True), np.ones(41), centres, data
  )
  np.testing.assert_allclose(answers.log2_speed, data.log2_speed, atol=0.05)
  np.testing.assert_array_equal(answers.of_three, data.log2_speed)
  slow = data.log2_speed < 2
  np.testing.assert_array_equal(answers.of_two[slow], data.log2_speed[slow])


def test_what_training_saw_most_of_decides_nothing(data):
  centres = np.linspace(-6, 4, 41)
  frequency = np.exp(-0.5 * (centres - 2) ** 2)
  # A network that never looks answers with the frequency of the labels.
  blind = np.tile(frequency / frequency.sum(), (len(data), 1))
  answers = protocol.answers_of_distribution(blind, frequency, centres, data)
  # Between the ends of the scale, -0.5 and 2.5, and their fading edges.
  np.testing.assert_allclose(answers.log2_speed, 1.0, atol=0.05)


def test_the_frequency_of_labels_is_that_of_the_known_ones():
  centres = np.linspace(-6, 4, 41)
  batches = [{"log2_step": np.array([[0.0, 2.0], [np.nan, 2.0]])}] * 3
  frequency = protocol.label_frequency(batches, centres)
  assert frequency.sum() == pytest.approx(1)
  assert frequency.min() > 0
  near = [frequency[np.abs(centres - c) < 1].sum() for c in (0, 2)]
  assert near[1] == pytest.approx(2 * near[0], rel=0.05)


def test_the_size_of_a_batch_changes_no_estimate(random_net):
  net = random_net(
    motion_net.MotionNetConfig(
      width=4, dilations=(), hidden=4, bins=9, statistics=False
    )
  )
  rng = np.random.default_rng(0)
  maps = rng.normal(size=(7, 8, 12, 16, 8)).astype(np.float16)
  maps[..., 2:] = np.abs(maps[..., 2:])
  whole, parts = (protocol.predict(net, maps, size) for size in (7, 3))
  assert whole.shape == (7, 9)
  np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose(parts, whole, atol=1e-5)
