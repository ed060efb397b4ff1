import os
import pathlib
import pickle
import resource

import hypothesis
import pytest
from hypothesis import strategies as st

from speedflow.data import records
from speedflow.errors import SpeedflowError

_BOTH = pytest.mark.parametrize("suffix", ["tfrecord", "array_record"])


def _write(folder, contents, suffix="tfrecord", shards=2, split="train"):
  paths = []
  for shard in range(shards):
    path = records.shard_path(folder, "toy", split, shard, shards, suffix)
    with records.RecordWriter(path) as writer:
      for record in contents[shard::shards]:
        writer.write(record)
    paths.append(path)
  return paths


@_BOTH
def test_every_record_is_found_by_its_number(tmp_path, suffix):
  contents = [b"%d" % i * i for i in range(9)]
  _write(tmp_path, contents, suffix)
  source = records.RecordSource(tmp_path / f"toy-train.{suffix}-*")
  assert len(source) == 9
  assert list(source) == contents[0::2] + contents[1::2]
  assert source[-1] == contents[7]
  with pytest.raises(IndexError, match="record 9 of 9"):
    source[9]


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(contents=st.lists(st.binary(max_size=50), max_size=8))
def test_what_is_written_is_read_back(tmp_path_factory, contents):
  path = tmp_path_factory.mktemp("records") / "a.tfrecord"
  with records.RecordWriter(path) as writer:
    for record in contents:
      writer.write(record)
  assert writer.count == len(contents)
  assert list(records.read_records(path)) == contents
  assert list(records.RecordSource(path)) == contents


def test_tensorflow_reads_what_is_written(tmp_path):
  tf = pytest.importorskip("tensorflow")
  contents = [b"", b"a", b"b" * 70000]
  (path,) = _write(tmp_path, contents, shards=1)
  read = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
  assert list(read) == contents


def test_shards_are_named_as_tfds_names_them(tmp_path):
  path = records.shard_path(tmp_path, "real", "val", 1, 8, "tfrecord")
  assert path.name == "real-val.tfrecord-00001-of-00008"


@_BOTH
def test_a_source_may_be_pickled_after_use(tmp_path, suffix):
  source = records.RecordSource(_write(tmp_path, [b"a", b"b"], suffix))
  assert source[0] == b"a"
  assert list(pickle.loads(pickle.dumps(source))) == [b"a", b"b"]


def test_more_shards_are_read_than_files_may_be_open(tmp_path):
  limits = resource.getrlimit(resource.RLIMIT_NOFILE)
  open_files = len(os.listdir("/proc/self/fd"))
  contents = [b"%d" % i for i in range(60)]
  source = records.RecordSource(_write(tmp_path, contents, shards=60))
  resource.setrlimit(resource.RLIMIT_NOFILE, (open_files + 30, limits[1]))
  try:
    assert list(source) == contents
  finally:
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_flipped_bit_is_named_and_refused_at_the_first_scan(tmp_path):
  (path,) = _write(tmp_path, [b"aaaa", b"bbbb"], shards=1)
  damaged = bytearray(path.read_bytes())
  damaged[20 + 12] ^= 1  # In the second record, which starts at byte 20.
  path.write_bytes(damaged)
  with pytest.raises(
    SpeedflowError, match=rf"{path.name}: record 1 at byte 20 .*build"
  ):
    records.RecordSource(path)


def test_a_bit_flipped_after_the_scan_is_refused_on_reading(tmp_path):
  (path,) = _write(tmp_path, [b"aaaa", b"bbbb"], shards=1)
  records.RecordSource(path)
  status = path.stat()
  damaged = bytearray(path.read_bytes())
  damaged[20 + 12] ^= 1
  path.write_bytes(damaged)
  os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
  source = records.RecordSource(path)
  assert source[0] == b"aaaa"
  with pytest.raises(SpeedflowError, match="record 1 at byte 20"):
    source[1]


@pytest.mark.parametrize("kept", [3, 14, 17, 19, 25])
def test_a_file_cut_short_is_refused(tmp_path, kept):
  (path,) = _write(tmp_path, [b"aaaa", b"bbbb"], shards=1)
  path.write_bytes(path.read_bytes()[:kept])
  with pytest.raises(SpeedflowError, match=r"record \d at byte (0|20)"):
    records.RecordSource(path)


def test_a_damaged_array_record_is_refused(tmp_path):
  (path,) = _write(tmp_path, [b"a" * 999], "array_record", shards=1)
  intact = path.read_bytes()
  flipped = intact.replace(b"a" * 999, b"b" + b"a" * 998)
  for damaged in (flipped, intact[:400], b""):
    path.write_bytes(damaged)
    with pytest.raises(SpeedflowError, match=path.name):
      records.RecordSource(path)


def test_a_file_that_changes_while_in_use_is_refused(tmp_path):
  (path,) = _write(tmp_path, [b"a"], shards=1)
  source = records.RecordSource(path)
  _write(tmp_path, [b"a", b"b"], shards=1)
  with pytest.raises(SpeedflowError, match="changed since"):
    source[0]


def test_the_second_opening_reads_no_record(tmp_path):
  (path,) = _write(tmp_path, [b"aaaa"], shards=1)
  first = records.RecordSource(path).fingerprint()
  status = path.stat()
  path.write_bytes(bytes(status.st_size))
  os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
  assert records.RecordSource(path).fingerprint() == first


def test_the_index_is_never_taken_for_records(tmp_path):
  _write(tmp_path, [b"a", b"b"])
  assert len(records.RecordSource(tmp_path.glob("*"))) == 2
  assert len(records.RecordSource(tmp_path.glob("*"))) == 2


def test_a_stale_or_damaged_index_is_made_anew(tmp_path):
  (path,) = _write(tmp_path, [b"a"], shards=1)
  records.RecordSource(path)
  _write(tmp_path, [b"a", b"b"], shards=1)
  assert len(records.RecordSource(path)) == 2
  (sidecar,) = tmp_path.glob(".*.index")
  sidecar.write_bytes(sidecar.read_bytes()[:40])
  assert len(records.RecordSource(path)) == 2


def test_a_folder_that_cannot_be_written_to_works(tmp_path, monkeypatch):
  (path,) = _write(tmp_path, [b"a"], shards=1)

  def refuse(*args, **kwargs):
    raise PermissionError("read-only file system")

  # The tests may run as root, for whom no folder is read-only.
  monkeypatch.setattr(pathlib.Path, "touch", refuse)
  assert list(records.RecordSource(path)) == [b"a"]
  assert not list(tmp_path.glob(".*"))


def test_the_fingerprint_follows_the_content_not_the_folder(tmp_path):
  contents = [b"a", b"b", b"c"]
  one = records.RecordSource(_write(tmp_path / "1", contents)).fingerprint()
  two = records.RecordSource(_write(tmp_path / "2", contents)).fingerprint()
  other = _write(tmp_path / "3", [b"a", b"b", b"x"])
  assert one == two
  assert records.RecordSource(other).fingerprint() != one


def test_a_pattern_without_files_names_the_pattern(tmp_path):
  with pytest.raises(SpeedflowError, match="nothing-"):
    records.RecordSource(tmp_path / "nothing-*")


def test_a_writer_that_fails_leaves_no_file(tmp_path):
  path = tmp_path / "a.tfrecord"
  with pytest.raises(KeyError), records.RecordWriter(path) as writer:
    writer.write(b"a")
    raise KeyError
  assert not list(tmp_path.iterdir())


def test_a_fingerprint_of_parts_follows_each_of_them(tmp_path):
  one, two, other = (
    _write(tmp_path / name, [name.encode(), b"b"]) for name in "123"
  )
  together = records.fingerprint(one, two)
  assert together == records.fingerprint(one, two)
  assert together != records.fingerprint(one, other)
  assert together != records.fingerprint(two, one)
