"""Records of motion packed and unpacked: what is kept, and how nearly."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from experiments.speed_estimator import pack, protocol
from speedflow import errors
from speedflow.data import motion, records
from speedflow.models import motion_net


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """Two training shots in three looks, and one of validation in one."""
  folder = tmp_path_factory.mktemp("source")
  rng = np.random.default_rng(0)
  for split, shots, looks in (("train", 2, 3), ("val", 1, 1)):
    path = records.shard_path(folder, "toy", split, 0, 1, "tfrecord")
    with records.RecordWriter(path) as writer:
      for shot in range(shots):
        for look in range(looks):
          record = motion.MotionRecord(
            id=f"shot{shot}",
            appearance=look,
            source=f"repository{shot}",
            category="realtime",
            scene_group=f"group{shot}",
            split=split,
            label="known",
            speed=1.0,
            fps=30.0,
            maps={s: _maps(rng, 60 // s) for s in (1, 2, 3, 4)},
          )
          writer.write(record.encode())
  return folder


def _maps(rng, count):
  """Heavy-tailed, as motion is."""
  maps = rng.standard_cauchy((count, *motion.MAP_SIZE, len(motion.CHANNELS)))
  maps = np.clip(maps, -90, 90)
  maps[..., 2:] = np.abs(maps[..., 2:])
  return maps.astype(np.float16)


@pytest.fixture(scope="module")
def packed(source, tmp_path_factory):
  folder = tmp_path_factory.mktemp("packed")
  pack.pack(source, folder, pack.Choice(looks=2, most_maps=20), step=0.1)
  return folder


def _read(folder, split):
  shards = records.split_shards(folder, split)
  return [
    motion.MotionRecord.decode(each) for each in records.RecordSource(shards)
  ]


def _head(record):
  return dataclasses.asdict(dataclasses.replace(record, maps={}))


@pytest.mark.parametrize("step", [0.05, 0.15, 0.4])
def test_no_value_moves_by_more_than_half_a_step(step):
  maps = _maps(np.random.default_rng(1), 30)
  back = pack.restored(pack.levels(maps, step), step)
  mask = np.ones((1, 30), np.float32)
  # The channels that do not depend on others, as the network sees them.
  before, after = (
    np.asarray(motion_net.encode_maps(x[None], mask))[..., :8]
    for x in (maps, back)
  )
  # And what float16 rounds: 11 bits of a value.
  assert np.abs(before - after).max() <= step / 2 + 1e-3
  assert np.array_equal(np.sign(back), np.sign(pack.levels(maps, step)))


def test_levels_stand_for_themselves():
  levels = np.arange(-60, 61, dtype=np.int8).reshape(-1, 1, 1, 1)
  levels = np.broadcast_to(levels, (121, 1, 1, 8))
  assert np.array_equal(pack.levels(pack.restored(levels, 0.05), 0.05), levels)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e4])
def test_what_has_no_level_is_refused(value):
  maps = np.zeros((1, 12, 16, 8), np.float16)
  maps[0, 3, 4, 5] = value
  with pytest.raises(errors.SpeedflowError, match="larger --step"):
    pack.levels(maps, 0.01)


def test_a_pack_holds_parts_of_records(source, packed, tmp_path):
  assert pack.unpack(packed, tmp_path) == 5
  whole = {(r.id, r.appearance): r for r in _read(source, "train")}
  found = _read(tmp_path, "train")
  looks = {}
  for record in found:
    looks.setdefault(record.id, []).append(record.appearance)
    original = whole[record.id, record.appearance]
    assert _head(record) == _head(original)
    assert list(record.maps) == list(original.maps)
    for stride, maps in record.maps.items():
      assert len(maps) == min(20, 60 // stride)
      everywhere = pack.restored(pack.levels(original.maps[stride], 0.1), 0.1)
      starts = range(len(everywhere) - len(maps) + 1)
      assert any(
        np.array_equal(maps, everywhere[start : start + len(maps)])
        for start in starts
      )
  # That which is not augmented, and one other.
  assert [seen[0] for seen in looks.values()] == [0, 0]
  assert [len(seen) for seen in looks.values()] == [2, 2]


def test_validation_windows_are_those_of_the_records(source, packed, tmp_path):
  pack.unpack(packed, tmp_path)
  before, after = (
    protocol.windows(_read(folder, "val"), 16) for folder in (source, tmp_path)
  )
  rounded = pack.restored(
    pack.levels(before.maps.reshape(-1, 12, 16, 8), 0.1), 0.1
  )
  assert np.array_equal(after.maps, rounded.reshape(before.maps.shape))
  assert np.array_equal(after.shot, before.shot)


def test_the_test_split_stays_at_home(packed, tmp_path):
  pack.unpack(packed, tmp_path)
  assert sorted(p.name for p in packed.glob("*.xz")) == ["train.xz", "val.xz"]
  with pytest.raises(errors.SpeedflowError, match="no records of the split"):
    records.split_shards(tmp_path, "test")


def test_packs_of_the_same_are_the_same(source, packed, tmp_path):
  facts = pack.pack(source, tmp_path, pack.Choice(2, 20), step=0.1)
  assert facts == json.loads((packed / pack.FACTS).read_text())
  shards = [records.split_shards(source, split) for split in pack.SPLITS]
  assert facts["source_fingerprint"] == records.fingerprint(*shards)


def test_what_is_unpacked_is_not_unpacked_again(packed, tmp_path):
  copy, out = tmp_path / "pack", tmp_path / "records"
  shutil.copytree(packed, copy)
  pack.unpack(copy, out)
  (copy / "train.xz").unlink()
  assert pack.unpack(copy, out) == 5
  shutil.copytree(packed, copy, dirs_exist_ok=True)
  facts = json.loads((copy / pack.FACTS).read_text()) | {"step": 0.2}
  (copy / pack.FACTS).write_text(json.dumps(facts))
  before = _read(out, "train")[0].maps[1]
  pack.unpack(copy, out)
  assert not np.array_equal(_read(out, "train")[0].maps[1], before)


def test_too_large_a_pack_is_refused(source, tmp_path):
  with pytest.raises(errors.SpeedflowError, match=r"MiB of 0\.1; lower --most"):
    pack.pack(source, tmp_path, pack.Choice(), limit_mib=0.1)
  assert not list(tmp_path.glob("*.xz"))


@pytest.mark.parametrize(
  ("name", "spoil", "says"),
  [
    ("train.xz", lambda path: path.write_bytes(path.read_bytes()[:-9]), "sha"),
    ("train.xz", lambda path: path.unlink(), "no such file"),
    ("pack.json", lambda path: path.write_text("{"), "damaged"),
    ("pack.json", lambda path: path.write_text('{"format": 9}'), "another"),
    ("pack.json", lambda path: path.unlink(), "no such file"),
  ],
)
def test_a_damaged_pack_is_one_clear_error(
  packed, tmp_path, capsys, name, spoil, says
):
  copy = tmp_path / "pack"
  shutil.copytree(packed, copy)
  spoil(copy / name)
  with pytest.raises(errors.SpeedflowError, match=f"{name}: .*{says}"):
    pack.unpack(copy, tmp_path / "records")
  assert not list((tmp_path / "records").glob("*train*"))
