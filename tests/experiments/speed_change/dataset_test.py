"""Windows for training: marked where they change, and nowhere else."""

import functools

import numpy as np
import pytest

from experiments.speed_change import dataset, pairs, plans
from speedflow.data import motion, shards
from speedflow.timewarp import resample
from speedflow.training import config as config_lib


def _sampler(**fields):
  config = config_lib.load_config("configs/speed_change.py:tiny")
  usual = {"maps": 48, **config.data.sampler}
  return dataset.WindowSampler(**(usual | fields))


_PLAIN_FIELDS = {
  "flow_scale": 0.0,
  "intensity_scale": 0.0,
  "noise": 0.0,
  "events": 0.0,
  "held": 0.0,
  "busy": 0.0,
}
_PLAIN = _sampler(**_PLAIN_FIELDS)
_FRAMES = 200


@pytest.fixture(scope="module")
def record():
  """Flow tells the stride, the next channel the frame where a map begins."""
  maps = {}
  for stride in range(1, pairs.MAX_SPEED + 1):
    values = np.zeros((_FRAMES - stride, 12, 16, 8), np.float16)
    values[..., :4] = stride
    values[..., 7] = np.arange(len(values))[:, None, None]
    maps[stride] = values
  shape = (*motion.MAP_SIZE, len(motion.CHANNELS))
  return pairs.PairRecord(
    id="a", appearance=0, source="s", category="realtime", scene_group="g",
    split="train", label="known", speed=1.0, fps=30.0, maps=maps,
    flashes=np.full((1, 2, *shape), 77, np.float16),
    cuts=np.full((1, *shape), 55, np.float16),
  )  # fmt: skip


def _splice(before, after):
  curve = resample.splice_curve(41, 20, before, after)
  return plans.ChangePlan(
    resample.ClipPlan(start=3.0, factor=1.0, length=41, curve=curve),
    change=20,
    log2_ratio=float(np.log2(after / before)),
  )


@pytest.fixture
def window(record):
  return dataset.play(record, _splice(1.0, 2.0))


def test_playing_a_plan_looks_up_the_maps_between_its_frames(window):
  np.testing.assert_array_equal(window.maps[:, 0, 0, 0], [1] * 20 + [2] * 20)
  np.testing.assert_array_equal(
    window.maps[:, 0, 0, 7], [*range(3, 23), *range(23, 63, 2)]
  )
  assert np.flatnonzero(window.target).tolist() == [18, 19, 20, 21, 22]
  assert window.log2_ratio == 1
  assert not window.weight[[16, 17, 23, 24]].any()  # Near, but not there.
  assert window.weight[10] == 1


def test_backwards_the_change_is_its_opposite(window):
  dataset.reverse(window)
  np.testing.assert_array_equal(window.maps[:, 0, 0, 0], [-2] * 20 + [-1] * 20)
  assert np.flatnonzero(window.target).mean() == 20
  assert window.log2_ratio == -1
  dataset.reverse(window)
  assert np.flatnonzero(window.target).tolist() == [18, 19, 20, 21, 22]


def test_holding_frames_on_one_side_slows_it(record):
  signs = set()
  for seed in range(20):
    steady = dataset.steady(record.maps[1][:40])
    window = dataset.hold(steady, np.random.default_rng(seed))
    change = int(np.flatnonzero(window.target).mean())
    longer = window.log2_interval[change] - window.log2_interval[change - 1]
    assert window.log2_ratio == pytest.approx(-longer)
    assert np.ptp(window.maps[..., 0]) == 0
    signs.add(np.sign(longer))
  assert signs == {-1, 1}


def test_missing_frames_leave_motion_per_time_as_it_is(record):
  plan = plans.ChangePlan(
    resample.ClipPlan(start=0.0, factor=1.0, length=49, curve=(2.0,) * 49)
  )
  for seed in range(20):
    window = dataset.play(record, plan)
    dataset.skip(window, record, plan, np.random.default_rng(seed))
    per_time = window.maps[:, 0, 0, 0] / np.exp2(window.log2_interval)
    assert np.ptp(per_time) < 1e-3
    assert not window.target.any()
    assert len(window.weight) == len(window.maps)


def test_a_cut_and_a_flash_are_no_change(record):
  rng = np.random.default_rng(0)
  window = dataset.cut(dataset.steady(record.maps[1][:40]), record, rng)
  assert (window.maps[:, 0, 0, 0] == 55).sum() == 1
  dataset.flash(window, record, rng)
  assert (window.maps[:, 0, 0, 0] == 77).sum() == 2
  assert not window.target.any()
  assert not window.log2_ratio


def test_half_of_the_windows_change(record):
  encoded = record.encode()
  for seed in range(5):
    batch = _PLAIN(encoded, np.random.default_rng(seed))
    assert batch["maps"].shape == (4, 48, 12, 16, 8)
    assert ((batch["log2_ratio"] != 0) == [False, True, False, True]).all()
    changes = batch["target"].sum(1) > 0
    np.testing.assert_array_equal(changes, batch["log2_ratio"] != 0)
    for maps, length in zip(batch["maps"], batch["length"], strict=True):
      assert not maps[length:].any()


def test_a_shot_too_short_for_two_speeds_plays_as_it_is(record):
  short = pairs.PairRecord(
    **(
      vars(record) | {"maps": {s: m[: 27 - s] for s, m in record.maps.items()}}
    )
  )
  batch = _PLAIN(short.encode(), np.random.default_rng(0))
  assert np.isfinite(batch["maps"]).all()
  assert batch["length"].min() >= plans.MIN_MAPS


def test_an_open_shutter_needs_frames_beyond_the_last(record):
  # As `pairs.describe` leaves them: a shutter open for all of the stride.
  maps = {s: m[: len(m) + 1 - s] for s, m in record.maps.items()}
  exposed = pairs.PairRecord(**(vars(record) | {"maps": maps}))
  assert exposed.num_frames == record.num_frames - pairs.MAX_SPEED + 1
  sampler = _sampler(events=0, busy=1.0)
  for seed in range(60):  # Never beyond the maps that there are.
    sampler(exposed.encode(), np.random.default_rng(seed))


def test_events_and_disguise_keep_everything_finite(record):
  sampler = _sampler(events=1.0, held=0.3, disturb=1.0)
  for seed in range(20):
    batch = sampler(record.encode(), np.random.default_rng(seed))
    assert all(np.isfinite(values).all() for values in batch.values())
    assert batch["weight"].sum(1).min() > 0


def test_disturbed_windows_change_where_others_do(record):
  encoded = record.encode()
  usual = {"flow_scale": 0, "intensity_scale": 0, "noise": 0, "events": 0}
  for seed in range(5):
    plain, disturbed = (
      _sampler(**usual, disturb=chance)(encoded, np.random.default_rng(seed))
      for chance in (0.0, 1.0)
    )
    # The first window is drawn before anything is disturbed.
    length = plain["length"][0]
    assert disturbed["length"][0] == length
    assert (disturbed["maps"][0, :length] != plain["maps"][0, :length]).any()
    assert not disturbed["target"][0].any()


def test_training_does_not_see_repositories_that_are_left_out(record, tmp_path):
  path = tmp_path / "pairs.tfrecord"
  other = pairs.PairRecord(
    **(vars(record) | {"id": "b", "source": "t", "maps": _twice(record.maps)})
  )
  records = [record.encode(), other.encode()]
  shards.write_missing({path: functools.partial(list, records)})
  data = config_lib.load_config("configs/speed_change.py:tiny").data
  data.sampler.update(_PLAIN_FIELDS)
  data.leave_out = ("t",)
  batches = dataset.training_batches(
    data, [path], batch_size=1, seed=0, process_index=0, process_count=1
  )
  for _, batch in zip(range(5), batches, strict=False):
    assert batch["maps"][..., 3].max() <= pairs.MAX_SPEED


def _twice(maps):
  return {stride: values * 20 for stride, values in maps.items()}
