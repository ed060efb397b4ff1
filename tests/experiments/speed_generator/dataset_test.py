import collections
import dataclasses
import itertools

import ml_collections
import numpy as np
import pytest

from experiments.speed_generator import dataset
from speedflow.data import tracks
from speedflow.data.records import RecordWriter
from speedflow.errors import SpeedflowError

SPEC = dataset.ClipSpec(knots=4)


@pytest.fixture
def drifting():
  """A picture whose left half drifts to the right, one side per second."""
  times = np.linspace(0, 2, 21, dtype=np.float32)
  trajectories = np.zeros((21, 16, 16, 2), np.float16)
  trajectories[:, :, :8, 0] = times[:, None, None]
  image = np.zeros((64, 64, 3), np.uint8)
  image[:, :32] = 200
  return tracks.TrackRecord(
    id="drifting/0/0@0",
    scene_group="drifting",
    image=image,
    times_s=times,
    trajectories=trajectories,
  )


def test_ways_are_read_off_at_the_times_that_the_speed_asks_for(drifting):
  source = dataset.Followed(drifting.encode())
  for seed in range(10):
    image, trajectories, log2_step = source.clip(
      SPEC, np.random.default_rng(seed)
    )
    moving = image[32, ::4, 0] > 100  # The bright half, mirrored or not.
    assert moving.sum() == 8
    times = np.cumsum(2**log2_step) / 30
    assert times[-1] <= 2.0 + 1e-6
    np.testing.assert_allclose(
      np.abs(trajectories[:, 0, moving, 0]), np.tile(times, (8, 1)).T, atol=2e-3
    )
    assert not trajectories[:, :, ~moving].any()
    # Mirrored, it drifts to the left.
    assert np.sign(trajectories[-1, 0, moving, 0][0]) == (
      1 if moving[0] else -1
    )


@pytest.mark.parametrize("doubt", [0.0, 0.5])
def test_an_uncertain_speed_is_told_as_often_as_it_is_likely(drifting, doubt):
  record = dataclasses.replace(drifting, doubt=doubt)
  source, rng = dataset.Followed(record.encode()), np.random.default_rng(0)
  octaves = []
  for _ in range(200):
    _, trajectories, log2_step = source.clip(SPEC, rng)
    # It drifts one side per second, if the estimate is right.
    velocity = (
      np.abs(trajectories[-1]).max() / dataset.world_times(log2_step)[-1]
    )
    octaves.append(-np.log2(velocity))
  assert np.mean(octaves) == pytest.approx(0, abs=0.1)
  assert np.std(octaves) == pytest.approx(doubt, abs=0.06)


@pytest.mark.parametrize("kind", ["mover", "physics"])
def test_worlds_repeat_exactly_and_differ_from_seed_to_seed(kind):
  def draw(seed):
    return dataset.World(kind, seed).clip(SPEC, np.random.default_rng(0))

  for one, same, other in zip(draw(1), draw(1), draw(2), strict=True):
    np.testing.assert_array_equal(one, same)
    if one.ndim > 1:  # The speeds go with the random numbers.
      assert np.any(one != other)


def test_nothing_is_trained_on_that_is_held_out():
  source = dataset.WorldSource("mover", 100)
  assert min(source[i].seed for i in range(100)) >= dataset.HELD_OUT


def test_speeds_stay_in_their_range_and_ramp_as_often_as_asked():
  rng = np.random.default_rng(0)
  speeds = np.array([dataset.sample_speeds(SPEC, rng, 0.2) for _ in range(400)])
  assert speeds.min() >= SPEC.low
  assert speeds.max() <= np.log2(0.2 * 30 / 4)
  assert np.mean(np.ptp(speeds, axis=1) > 0) == pytest.approx(0.3, abs=0.06)


def test_held_out_clips_are_the_same_at_every_call(drifting, tmp_path):
  path = tmp_path / "clips-val.tfrecord-00000-of-00001"
  with RecordWriter(path) as writer:
    writer.write(drifting.encode())
  source = dataset.FollowedSource(dataset.shards(tmp_path, "val"))
  one, two = (
    dataset.held_out(dataset.spread(source, 3), SPEC, seed=1) for _ in range(2)
  )
  assert one["trajectories"].shape == (1, 4, 16, 16, 2)
  for name, values in one.items():
    np.testing.assert_array_equal(values, two[name])


def test_missing_records_are_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="no tracks of the split 'val'"):
    dataset.shards(tmp_path, "val")


def test_mined_clips_are_drawn_in_their_ratio(drifting, tmp_path):
  for name, shade in (("mined", 10), ("known", 250)):
    (tmp_path / name).mkdir()
    path = tmp_path / name / "clips-train.tfrecord-00000-of-00001"
    image = np.full((64, 64, 3), shade, np.uint8)
    with RecordWriter(path) as writer:
      writer.write(dataclasses.replace(drifting, image=image).encode())
  data = ml_collections.ConfigDict(
    {
      "records": str(tmp_path / "known"),
      "mined": str(tmp_path / "mined"),
      "selection": "",
      "mix": {"shots": 0.75, "mined": 0.25},
      **{"knots": 4, "low": -4.0, "high": 2.0, "ramps": 0.0},
      **{"workers": 0, "threads": 1},
    }
  )
  (batch,) = itertools.islice(
    dataset.training_batches(
      data, batch_size=16, seed=0, process_index=0, process_count=1
    ),
    1,
  )
  counts = collections.Counter(batch["image"][:, 0, 0, 0].tolist())
  assert counts == {250: 12, 10: 4}


def test_training_draws_the_clips_that_are_selected(drifting, tmp_path):
  path = tmp_path / "clips-train.tfrecord-00000-of-00001"
  with RecordWriter(path) as writer:
    for name, shade in (("a", 10), ("b", 100), ("c", 250)):
      image = np.full((64, 64, 3), shade, np.uint8)
      record = dataclasses.replace(drifting, id=name, image=image)
      writer.write(record.encode())
  chosen = tmp_path / "selection.csv"
  chosen.write_text("id,weight\na,3\nb,0\nc,1\n")
  data = ml_collections.ConfigDict(
    {
      "records": str(tmp_path),
      "selection": str(chosen),
      "mix": {"shots": 1.0},
      **{"knots": 4, "low": -4.0, "high": 2.0, "ramps": 0.0},
      **{"workers": 0, "threads": 1},
    }
  )
  batches = iter(
    dataset.training_batches(
      data, batch_size=8, seed=0, process_index=0, process_count=1
    )
  )
  shades = np.stack([next(batches)["image"][:, 0, 0, 0] for _ in range(4)])
  counts = collections.Counter(shades.ravel().tolist())
  assert counts == {10: 24, 250: 8}
