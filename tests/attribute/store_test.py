import numpy as np
import pytest

from speedflow.attribute import store, track_features
from speedflow.data.records import RecordWriter
from speedflow.errors import SpeedflowError

SETTINGS = track_features.Settings(log2_step=2.0, time=0.1)


@pytest.fixture(scope="module")
def feature_maker(maker):
  return track_features.FeatureMaker(maker, SETTINGS)


@pytest.fixture
def shards(write_tracks, tmp_path):
  return write_tracks(tmp_path / "tracks")


@pytest.fixture
def make_store(shards, feature_maker, tmp_path):
  def make(**made_by):
    made_by = made_by or feature_maker.made_by()
    return store.FeatureStore(tmp_path / "features", shards, made_by)

  return make


def test_features_come_back_in_the_order_of_the_records(
  make_store, feature_maker, make_track
):
  kept = make_store()
  assert kept.build(feature_maker) == 6
  table = kept.load()
  assert table.ids == [
    f"{name}/{shard}" for shard in (0, 1) for name in ("right", "left", "down")
  ]
  alone = feature_maker.features([make_track("left/1", (-0.2, 0), 2.0)])
  np.testing.assert_allclose(table.features.unit[4], alone.unit[0], atol=1e-3)
  assert table.features.unit.dtype == np.float16


def test_killed_it_goes_on_where_it_was(make_store, feature_maker, shards):
  kept = make_store()

  def stop(done):
    if done > 0.6:  # The second file is made, but not written.
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    kept.build(feature_maker, on_progress=stop)
  assert kept.missing() == shards[1:]
  first = kept.path(shards[0]).read_bytes()
  assert make_store().build(feature_maker) == 3
  assert kept.path(shards[0]).read_bytes() == first
  assert not kept.missing()
  # Nothing partial was left beside them.
  assert len(list(kept.path(shards[0]).parent.iterdir())) == 2


def test_hosts_share_the_work(make_store, feature_maker, shards):
  kept = make_store()
  assert kept.build(feature_maker, part=(1, 2)) == 3
  assert kept.missing() == shards[:1]
  assert kept.build(feature_maker, part=(0, 2)) == 3
  assert len(kept.load().ids) == 6


def test_features_of_others_are_refused(make_store, feature_maker):
  make_store().build(feature_maker)
  other = make_store(parameters_sha256="another")
  for use in (other.load, lambda: other.build(feature_maker)):
    with pytest.raises(SpeedflowError, match="other weights, settings"):
      use()


def test_features_of_records_that_changed_are_refused(
  make_store, feature_maker, shards, make_track
):
  make_store().build(feature_maker)
  with RecordWriter(shards[0]) as writer:
    writer.write(make_track("new").encode())
  with pytest.raises(SpeedflowError, match="other weights, settings"):
    make_store().load()


def test_damaged_features_are_named(make_store, feature_maker, shards):
  kept = make_store()
  kept.build(feature_maker)
  kept.path(shards[0]).write_bytes(b"not an archive")
  with pytest.raises(SpeedflowError, match=r"00000-of-00002\.features\.npz"):
    kept.load()


def test_records_of_something_else_are_named(make_store, feature_maker, shards):
  with RecordWriter(shards[0]) as writer:
    writer.write(b"something else")
  with pytest.raises(SpeedflowError, match="record 0: not a record of tracks"):
    make_store().build(feature_maker)


def test_features_that_are_no_arrays_are_refused(
  make_store, feature_maker, shards
):
  kept = make_store()
  kept.build(feature_maker)
  kept.path(shards[0]).write_bytes(b"no arrays")
  with pytest.raises(SpeedflowError, match="no NumPy arrays in it"):
    kept.load()
