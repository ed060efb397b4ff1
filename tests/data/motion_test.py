"""Motion maps say how pictures move, and records keep them."""

import itertools
import os
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.data import motion, records, schema
from speedflow.errors import SpeedflowError

_X, _Y, _RMS, _MAX, _RESIDUAL, _, _CHANGE, _TEXTURE = range(8)
_MIDDLE = (slice(3, -3), slice(3, -3))  # Cells that keep all their content.


def _texture(seed=0, size=(160, 200)):
  noise = np.random.default_rng(seed).uniform(0, 255, size).astype(np.float32)
  smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
  return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def _moved(matrix):
  """A view of the texture whose content is moved by a 2 x 3 matrix."""
  picture = cv2.warpAffine(_texture(), np.float32(matrix), (200, 160))
  return picture[32:128, 36:164].astype(np.uint8)


def _sliding(count, step=2.0):
  return [
    _moved([[1, 0, step * i - step * count / 2], [0, 1, 0]])
    for i in range(count)
  ]


def _shot(images, fps=30, **known):
  jpegs = [
    cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    for image in images
  ]
  return schema.ShotRecord(
    **{"id": "a/0/0", "speed": 1.0, "label": "known", "split": "train"} | known,
    frames=jpegs,
    ticks=np.arange(len(jpegs)),
    time_base=Fraction(1, fps),
    fps=Fraction(fps),
    height=images[0].shape[0],
    width=images[0].shape[1],
  )


@settings(max_examples=10, deadline=None)
@given(st.floats(-4, 4), st.floats(-4, 4))
def test_a_translation_is_measured_in_pixels(x, y):
  maps = motion.MotionMapper().between(
    _moved([[1, 0, 0], [0, 1, 0]]), _moved([[1, 0, x], [0, 1, y]])
  )
  middle = maps[_MIDDLE].astype(float)
  np.testing.assert_allclose(np.median(middle[..., _X]), x, atol=0.15)
  np.testing.assert_allclose(np.median(middle[..., _Y]), y, atol=0.15)
  size = np.hypot(x, y)
  np.testing.assert_allclose(np.median(middle[..., _RMS]), size, atol=0.15)
  assert np.all(middle[..., _MAX] >= middle[..., _RMS] - 1e-2)


def test_what_moves_as_a_whole_is_explained_by_its_flow():
  maps = motion.MotionMapper().along(_sliding(2, step=4.0))[0][_MIDDLE]
  assert maps[..., _RESIDUAL].mean() < 0.3 * maps[..., _CHANGE].mean()


def test_a_rotation_grows_with_the_distance_from_its_centre():
  angle = np.deg2rad(2)
  centre = (100.0, 80.0)
  matrix = cv2.getRotationMatrix2D(centre, np.rad2deg(angle), 1.0)
  maps = motion.MotionMapper().between(
    _moved([[1, 0, 0], [0, 1, 0]]), _moved(matrix)
  )
  rows, columns = np.mgrid[:12, :16]
  # Middles of the cells of the view, whose corner is at (36, 32).
  x, y = columns * 8 + 3.5 + 36, rows * 8 + 3.5 + 32
  flow_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - x
  flow_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - y
  inner = (slice(1, -1), slice(1, -1))
  np.testing.assert_allclose(maps[..., _X][inner], flow_x[inner], atol=0.25)
  np.testing.assert_allclose(maps[..., _Y][inner], flow_y[inner], atol=0.25)


def test_nothing_moves_in_a_still_picture():
  still = _sliding(1)[0]
  maps = motion.MotionMapper().between(still, still)
  assert maps.shape == (*motion.MAP_SIZE, len(motion.CHANNELS))
  assert maps.dtype == np.float16
  np.testing.assert_allclose(maps[..., :_TEXTURE], 0, atol=1e-3)
  assert maps[..., _TEXTURE].min() > 0


def test_a_clip_is_described_pair_by_pair():
  frames = _sliding(4)
  pairs = itertools.pairwise(frames)
  # The flow algorithm keeps no memory of earlier pairs.
  np.testing.assert_array_equal(
    motion.MotionMapper().along(frames),
    [motion.MotionMapper().between(*pair) for pair in pairs],
  )


def test_a_record_holds_the_shot_at_every_speed_that_it_is_long_enough_for():
  frames = _sliding(40, step=0.5)
  record = motion.describe(_shot(frames), appearance=0, seed=0)
  assert {stride: len(maps) for stride, maps in record.maps.items()} == {
    **{1: 38, 2: 18, 3: 12, 4: 8},
  }
  decoded = [
    motion.to_flow_size(_shot(frames).image(i, gray=True)) for i in range(40)
  ]
  for stride, maps in record.maps.items():
    np.testing.assert_array_equal(
      maps, motion.MotionMapper().along(decoded[::stride])[: len(maps)]
    )


def test_a_record_is_read_as_it_was_written():
  record = motion.describe(
    _shot(_sliding(20), category="realtime", source="s", scene_group="g"), 0, 0
  )
  again = motion.MotionRecord.decode(record.encode())
  for name in (
    "id",
    "appearance",
    "source",
    "category",
    "scene_group",
    "split",
  ):
    assert getattr(again, name) == getattr(record, name)
  assert (again.label, again.speed) == ("known", 1.0)
  assert again.fps == pytest.approx(record.fps)
  assert list(again.maps) == list(record.maps)
  for stride, maps in record.maps.items():
    np.testing.assert_array_equal(again.maps[stride], maps)


def test_what_is_no_record_of_motion_is_refused():
  with pytest.raises(SpeedflowError, match="speedflow data motion"):
    motion.MotionRecord.decode(_shot(_sliding(2)).encode())


@pytest.mark.parametrize(
  ("fps", "speed", "log2_step"),
  [(30, 1.0, 0.0), (60, 1.0, -1.0), (30, 0.25, -2.0)],
)
def test_the_step_follows_from_speed_and_rate(fps, speed, log2_step):
  record = motion.describe(_shot(_sliding(16), fps, speed=speed), 0, 0)
  assert record.log2_step == pytest.approx(log2_step, abs=1e-5)


def test_the_step_of_unknown_speed_is_not_a_number():
  record = motion.describe(
    _shot(_sliding(16), speed=0.0, label="unknown"), 0, 0
  )
  assert np.isnan(record.log2_step)


def test_repeated_frames_change_neither_maps_nor_step():
  frames = _sliding(24, step=3.0)
  once = motion.describe(_shot(frames, 30), 0, 0)
  twice = motion.describe(_shot([f for f in frames for _ in "ab"], 60), 0, 0)
  assert twice.log2_step == pytest.approx(once.log2_step, abs=0.05)
  np.testing.assert_array_equal(once.maps[1], twice.maps[1])


def test_a_shot_that_is_too_short_gives_no_record():
  assert motion.describe(_shot(_sliding(motion.MIN_MAPS)), 0, 0) is None


def test_looks_differ_but_each_is_the_same_every_time():
  shot = _shot(_sliding(16))
  plain, dressed, other = (motion.describe(shot, n, seed=0) for n in range(3))
  again = motion.describe(shot, 1, seed=0)
  assert dressed.encode() == again.encode()
  assert dressed.encode() != motion.describe(shot, 1, seed=1).encode()
  assert plain.encode() == motion.describe(shot, 0, seed=1).encode()
  assert not np.array_equal(dressed.maps[1], plain.maps[1])
  assert not np.array_equal(dressed.maps[1], other.maps[1])


@pytest.fixture
def shots(tmp_path):
  """A folder with one shard of training shots, and one of validation."""
  folder = tmp_path / "shots"
  for number, split in enumerate(("train", "val")):
    path = folder / f"set-{split}.tfrecord-00000-of-00001"
    with records.RecordWriter(path) as writer:
      images = _sliding(12 + number)
      writer.write(_shot(images, id=f"{split}/0/0", split=split).encode())
  records.RecordSource(folder / "*")  # Leaves its indices there.
  return folder


def _read(out, split):
  source = records.RecordSource(out / f"set-{split}.tfrecord-*")
  return [motion.MotionRecord.decode(record) for record in source]


def test_only_training_shots_are_dressed(shots, tmp_path):
  out, steps = tmp_path / "motion", []
  written = motion.build_motion(
    shots, out, appearances=3, on_progress=lambda *step: steps.append(step)
  )
  assert written == 4
  assert steps == [(0, 2), (1, 2), (2, 2)]
  assert [record.appearance for record in _read(out, "train")] == [0, 1, 2]
  assert [record.appearance for record in _read(out, "val")] == [0]


def test_a_build_does_what_is_missing_or_old_and_nothing_else(shots, tmp_path):
  out = tmp_path / "motion"
  motion.build_motion(shots, out, appearances=1)
  train, val = sorted(out.glob("*-of-*"))
  content = train.read_bytes()
  assert motion.build_motion(shots, out, appearances=1) == 0

  train.unlink()
  kept = val.stat().st_mtime_ns
  assert motion.build_motion(shots, out, appearances=1) == 1
  assert train.read_bytes() == content
  assert val.stat().st_mtime_ns == kept

  os.utime(shots / val.name)  # Its shots were built anew.
  foreign = out / "set-train.tfrecord-00000-of-00009"
  foreign.write_bytes(b"")
  assert motion.build_motion(shots, out, appearances=1) == 1
  assert val.stat().st_mtime_ns > kept
  assert not foreign.exists()


def test_a_folder_without_shots_is_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="speedflow data build"):
    motion.build_motion(tmp_path, tmp_path / "motion")


def test_motion_never_replaces_its_shots(shots):
  before = sorted(shots.iterdir())
  with pytest.raises(SpeedflowError, match="input and output are one"):
    motion.build_motion(shots, shots)
  assert sorted(shots.iterdir()) == before


def test_flipped_maps_have_flipped_flow():
  maps = np.zeros((3, 12, 16, 8), np.float32)
  maps[..., _X], maps[..., _Y] = 1, 2
  maps[:, :, :8, _TEXTURE] = 1  # On the left.
  maps[:, :6, :, _CHANGE] = 1  # Above.
  seen = set()
  for seed in range(40):
    flipped = motion.flip(maps.copy(), np.random.default_rng(seed))
    corner = flipped[0, 0, 0]
    assert corner[_X] == (1 if corner[_TEXTURE] else -1)
    assert corner[_Y] == (2 if corner[_CHANGE] else -2)
    seen.add((corner[_TEXTURE], corner[_CHANGE]))
  assert len(seen) == 4
