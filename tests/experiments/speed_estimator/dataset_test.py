"""Groups of windows: exact ratios, and nothing else that tells the speed."""

import itertools
import pathlib

import numpy as np
import pytest

from experiments.speed_estimator import dataset
from experiments.speed_estimator import experiment as experiment_lib
from speedflow.data import motion, pipeline, records
from speedflow.errors import SpeedflowError
from speedflow.training import config as config_lib

_STRIDES = (1, 2, 4, 8)
_CHANGE = motion.CHANNELS.index("change_mean")


def _sampler(**fields):
  usual = {"maps": 20, "flow_scale": 0.0, "intensity_scale": 0.0, "cut": 0.3}
  usual |= {"reverse": 0.3, "stride_weights": ((32, 1.0),), "disturb": 0.0}
  usual |= {"anchored": True, "other_look": 0.0}
  return dataset.GroupSampler(**(usual | fields))


_PLAIN = _sampler()


def _record(maps=None, **known):
  """A record whose maps carry their stride in one channel."""
  if maps is None:
    maps = {s: np.zeros((80 // s, 12, 16, 8), np.float16) for s in _STRIDES}
    for stride, values in maps.items():
      values[..., _CHANGE] = stride
  fields = {
    **{"id": "a", "appearance": 0, "source": "s", "category": "realtime"},
    **{"scene_group": "g", "split": "train", "label": "known"},
    **{"speed": 0.25, "fps": 60.0},
  }
  return motion.MotionRecord(**(fields | known), maps=maps).encode()


def _groups(sampler, record, count=60):
  return [sampler(record, np.random.default_rng(i)) for i in range(count)]


def test_the_factor_is_that_of_the_maps_it_comes_with():
  drawn = set()
  for group in _groups(_PLAIN, _record()):
    strides = group["maps"][:, 0, 0, 0, _CHANGE].astype(float)
    np.testing.assert_array_equal(group["log2_factor"], np.log2(strides))
    assert strides[0] != strides[1]
    drawn.update(strides)
  assert drawn == set(_STRIDES)


def test_a_known_speed_labels_both_windows():
  # 60 frames per second at a quarter of the speed: 1/240 s from one to the
  # next, three octaves below 1/30 s.
  for group in _groups(_PLAIN, _record(), 5):
    np.testing.assert_allclose(
      group["log2_step"], group["log2_factor"] - 3, atol=1e-5
    )


@pytest.mark.parametrize(
  "record",
  [
    _record(speed=0.0, label="unknown"),
    _record(label="pseudo"),  # Another system's guess.
  ],
)
def test_an_unknown_speed_is_no_label_but_keeps_its_ratio(record):
  for group in _groups(_PLAIN, record, 5):
    assert np.isnan(group["log2_step"]).all()
    assert np.isfinite(group["log2_factor"]).all()


def test_without_anchors_only_ratios_teach():
  sampler = _sampler(anchored=False)
  assert np.isnan(
    sampler(_record(), np.random.default_rng(0))["log2_step"]
  ).all()


def test_windows_are_padded_to_one_length():
  lengths = set()
  for group in _groups(_PLAIN, _record()):
    assert group["maps"].shape == (2, 20, 12, 16, 8)
    assert group["maps"].dtype == np.float16
    for maps, length in zip(group["maps"], group["length"], strict=True):
      assert maps[:length, ..., _CHANGE].min() > 0
      assert not maps[length:].any()
    lengths.update(group["length"].tolist())
  assert min(lengths) >= motion.MIN_MAPS
  assert max(lengths) == 20
  assert len(lengths) > 3  # A length must not tell the speed.


def test_a_record_of_one_speed_gives_two_windows_of_it():
  maps = {1: np.ones((12, 12, 16, 8), np.float16)}
  group = _PLAIN(_record(maps), np.random.default_rng(0))
  np.testing.assert_array_equal(group["log2_factor"], [0, 0])


def _marked():
  """Flow right and down; brightness marks left, top and the beginning."""
  maps = np.zeros((20, 12, 16, 8), np.float16)
  maps[..., 0] = 1
  maps[..., 1] = 2
  maps[:, :, :8, 4] = 1
  maps[:, :6, :, 5] = 1
  maps[:10, :, :, 6] = 1
  return _record({1: maps})


def test_mirrored_pictures_and_reversed_time_have_mirrored_flow():
  sampler = _sampler(cut=0, reverse=0.5)
  seen = set()
  for group in _groups(sampler, _marked()):
    for maps in group["maps"].astype(int):
      x, y = maps[0, 0, 0, :2]
      across = 1 if maps[0, 0, 0, 4] else -1
      down = 1 if maps[0, 0, 0, 5] else -1
      time = 1 if maps[0, 0, 0, 6] else -1
      assert (x, y) == (across * time, 2 * down * time)
      seen.add((across, down, time))
  assert len(seen) == 8


def test_both_windows_of_a_group_are_zoomed_alike():
  sampler = _sampler(flow_scale=1.0)
  maps = {s: np.ones((40, 12, 16, 8), np.float16) for s in (1, 2)}
  zooms = set()
  for group in _groups(sampler, _record(maps), 20):
    first, second = np.abs(group["maps"][:, 0, 0, 0, 0].astype(float))
    assert first == second
    zooms.add(first)
  assert len(zooms) == 20


@pytest.mark.parametrize(
  ("power", "expected"), [(0.0, 12), (0.5, 2 * 4), (1.0, 4)]
)
def test_small_repositories_are_seen_more_often(tmp_path, power, expected):
  maps = {1: np.zeros((8, 12, 16, 8), np.float16)}
  names = ["large"] * 12 + ["small"] * 4
  with records.RecordWriter(tmp_path / "x.tfrecord") as writer:
    for name in names:
      writer.write(_record(maps, source=name))
  source = dataset.BalancedSource(
    records.RecordSource(tmp_path / "x.tfrecord"), power
  )
  seen = [names[i] for i in source.indices]
  assert seen.count("large") == 12
  assert seen.count("small") == expected
  assert len(source) == 12 + expected
  assert motion.MotionRecord.decode(source[len(source) - 1]).source == "small"


def test_left_out_repositories_are_not_drawn(tmp_path):
  path = records.shard_path(tmp_path, "toy", "train", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    for source in ("a", "b", "a", "c"):
      writer.write(_record(source=source))
  read = records.RecordSource([path])
  kept = dataset.BalancedSource(read, 1.0, leave_out=("a",))
  assert sorted(kept.indices) == [1, 3]
  with pytest.raises(SpeedflowError, match="leave_out"):
    dataset.BalancedSource(read, 1.0, leave_out=("a", "b", "c"))


def _looks(tmp_path):
  """Two shots of two looks each; maps carry 10 x shot + look."""
  path = records.shard_path(tmp_path, "toy", "train", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    for shot, look in ((1, 0), (2, 0), (1, 1), (2, 1)):
      maps = {s: np.zeros((80 // s, 12, 16, 8), np.float16) for s in _STRIDES}
      for values in maps.values():
        values[..., _CHANGE] = 10 * shot + look
      fields = {"id": str(shot), "source": "s", "category": "realtime"}
      fields |= {"scene_group": "g", "split": "train", "label": "known"}
      writer.write(
        motion.MotionRecord(
          **fields, appearance=look, speed=0.25, fps=60.0, maps=maps
        ).encode()
      )
  return records.RecordSource([path])


def test_pairs_are_of_one_shot_in_two_looks(tmp_path):
  source = dataset.BalancedSource(_looks(tmp_path), 1.0, paired=True)
  for pair in (source[i] for i in range(len(source))):
    first, second = map(motion.MotionRecord.decode, pair)
    assert first.id == second.id
    assert {first.appearance, second.appearance} == {0, 1}


@pytest.mark.parametrize(("chance", "expected"), [(0.0, {0}), (1.0, {0, 1})])
def test_the_second_clip_may_wear_another_look(tmp_path, chance, expected):
  source = dataset.BalancedSource(_looks(tmp_path), 1.0, paired=True)
  sampler = _sampler(other_look=chance)
  for group in _groups(sampler, source[0], 10):
    worn = group["maps"][:, 0, 0, 0, _CHANGE] - 10
    assert worn[0] == 0
    assert set(worn.tolist()) == expected
    drawn = np.diff(group["log2_step"]) - np.diff(group["log2_factor"])
    np.testing.assert_allclose(drawn, 0, atol=1e-6)


@pytest.fixture
def procedural(tmp_path):
  """The `data` part of a config; the procedural records tell their split."""
  for folder in ("filmed", "made"):
    for number, split in enumerate(("train", "val", "test")):
      path = records.shard_path(
        tmp_path / folder, "toy", split, 0, 1, "tfrecord"
      )
      path.parent.mkdir(exist_ok=True)
      maps = {s: np.zeros((40, 12, 16, 8), np.float16) for s in (1, 2)}
      for values in maps.values():
        values[..., _CHANGE] = number + (10 if folder == "made" else 0)
      with records.RecordWriter(path) as writer:
        for name in range(8):
          writer.write(_record(maps, id=str(name), split=split))
  return config_lib.load_config(
    "configs/speed_estimator.py:smoke",
    [
      f"--config.data.records={tmp_path}/filmed",
      f"--config.data.procedural={tmp_path}/made",
      "--config.data.procedural_share=0.5",
      "--config.data.intensity_scale=0.0",
    ],
  )


def test_held_out_procedural_scenes_do_not_teach(procedural):
  batches = experiment_lib.Experiment(procedural).dataset(
    "train", seed=0, process_index=0, process_count=1
  )
  seen = set()
  for batch in itertools.islice(batches, 20):
    seen |= set(batch["maps"][:, 0, 0, 0, 0, _CHANGE].astype(int).tolist())
  assert seen == {0, 10}


def test_the_fingerprint_follows_procedural_records(procedural):
  experiment = experiment_lib.Experiment(procedural)
  before = experiment.data_fingerprint()
  (path,) = dataset.made_shards(procedural.data)["procedural"]
  with records.RecordWriter(path) as writer:
    writer.write(_record(id="another"))
  assert experiment.data_fingerprint() != before
  with procedural.unlocked():
    procedural.data.procedural_share = 0.0
  assert experiment.data_fingerprint() == records.fingerprint(
    *(
      records.split_shards(pathlib.Path(procedural.data.records), split)
      for split in ("train", "val")
    )
  )


def test_what_is_made_of_a_repository_is_left_out_with_it(tmp_path):
  for folder in ("filmed", "made"):
    path = records.shard_path(
      tmp_path / folder, "toy", "train", 0, 1, "tfrecord"
    )
    path.parent.mkdir()
    with records.RecordWriter(path) as writer:
      for number, source in enumerate(("kept", "left")):
        maps = {1: np.zeros((40, 12, 16, 8), np.float16)}
        maps[1][..., _CHANGE] = number + (10 if folder == "made" else 0)
        for name in range(4):
          writer.write(_record(maps, id=f"{source}{name}", source=source))
  config = config_lib.load_config(
    "configs/speed_estimator.py:smoke",
    [
      f"--config.data.interpolated={tmp_path}/made",
      "--config.data.interpolated_share=0.5",
      "--config.data.leave_out=('left',)",
      "--config.data.intensity_scale=0.0",
    ],
  )
  batches = dataset.training_batches(
    config.data,
    records.split_shards(tmp_path / "filmed", "train"),
    batch_size=4,
    seed=0,
    process_index=0,
    process_count=1,
  )
  seen = set()
  for batch in itertools.islice(batches, 10):
    seen |= set(batch["maps"][:, 0, 0, 0, 0, _CHANGE].astype(int).tolist())
  assert seen == {0, 10}


def test_samplers_are_as_the_config_says():
  config = config_lib.load_config("configs/speed_estimator.py:tiny-finish")
  sampler = pipeline.configured(dataset.GroupSampler, config.data)
  assert sampler.flow_scale == 0.3
  assert sampler.stride_weights == ((1, 1.0), (2, 0.8), (4, 0.5), (32, 0.15))
