"""Pair records: the motion between any two near frames."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from experiments.speed_change import pairs
from speedflow.data import motion, procedural, records
from speedflow.errors import SpeedflowError
from speedflow.evaluation import report


@pytest.fixture(scope="module")
def shot():
  scene = procedural.ProceduralScene.sample(
    np.random.default_rng(0), (96, 128), seconds=1.2
  )
  return procedural.to_records(scene, "scene", Fraction(30))[0]


@pytest.fixture(scope="module")
def record(shot):
  return pairs.describe(shot, 0, 0)[0]


def test_each_map_is_that_of_its_two_frames(shot, record):
  frames, fps = pairs.regular_frames(shot)
  assert fps == pytest.approx(30, rel=1e-3)
  small = [motion.to_flow_size(image) for image in frames]
  for stride, first in ((1, 0), (3, 7), (8, 5)):
    np.testing.assert_array_equal(
      record.maps[stride][first],
      motion.MotionMapper().between(small[first], small[first + stride]),
    )
    assert len(record.maps[stride]) == len(frames) - stride


def test_a_record_is_read_as_it_was_written(record):
  again = pairs.PairRecord.decode(record.encode())
  assert again.id == record.id
  assert again.num_frames == record.num_frames
  for stride, maps in record.maps.items():
    np.testing.assert_array_equal(again.maps[stride], maps)
  np.testing.assert_array_equal(again.flashes, record.flashes)
  np.testing.assert_array_equal(again.cuts, record.cuts)


def test_other_records_are_refused(record):
  fields = {
    f.name: getattr(record, f.name)
    for f in dataclasses.fields(motion.MotionRecord)
  }
  with pytest.raises(SpeedflowError, match="not a record of pairs"):
    pairs.PairRecord.decode(motion.MotionRecord(**fields).encode())


def test_other_looks_are_dressed_but_last_as_long(shot, record):
  dressed = pairs.describe(shot, 1, 0)[0]
  assert dressed.appearance == 1
  assert len(dressed.maps[1]) == len(record.maps[1])
  assert not np.array_equal(dressed.maps[1], record.maps[1])


def test_only_evenly_timed_frames_are_used(shot):
  ticks = shot.ticks.copy()
  ticks[10:] += 30_000  # A third of a second is missing.
  frames, _ = pairs.regular_frames(dataclasses.replace(shot, ticks=ticks))
  assert len(frames) <= shot.num_frames - 10
  whole, _ = pairs.regular_frames(shot)
  np.testing.assert_array_equal(frames[-1], whole[-1])


def test_short_shots_are_left_out(shot):
  short = dataclasses.replace(
    shot, frames=shot.frames[:12], ticks=shot.ticks[:12]
  )
  assert pairs.describe(short, 0, 0) is None


def test_the_command_writes_what_is_missing(shot, tmp_path, capsys):
  for split in ("train", "val"):
    path = records.shard_path(tmp_path / "in", "x", split, 0, 1, "tfrecord")
    with records.RecordWriter(path) as writer:
      writer.write(dataclasses.replace(shot, split=split).encode())
  command = [str(tmp_path / "in"), str(tmp_path / "out")]
  assert pairs.main(command) == 0
  assert "2 records" in capsys.readouterr().out
  assert pairs.main(command) == 0
  assert "0 records" in capsys.readouterr().out
  written = sorted((tmp_path / "out").glob("x-train*"))
  assert pairs.PairRecord.decode(records.RecordSource(written)[0]).id == shot.id


def test_without_records_the_command_says_so_in_one_line(tmp_path, capsys):
  command = [str(tmp_path), str(tmp_path / "out")]
  assert report.run(lambda: pairs.main(command)) == 2
  assert capsys.readouterr().err.count("\n") == 1
