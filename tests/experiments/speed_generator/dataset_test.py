import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest

from experiments.speed_generator import dataset
from speedflow.data.records import RecordWriter
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError

SPEC = dataset.ClipSpec(frames=4, size=16)


def make_shot(frames=64, fps=240, speed=0.125, **fields):
  """A texture that moves by one pixel from frame to frame."""
  texture = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
  texture = texture.repeat(8, 0).repeat(8, 1)
  images = [np.roll(texture, number, axis=1) for number in range(frames)]
  playback = Fraction(fps * speed)
  return ShotRecord(
    id="moving/0/0",
    frames=[cv2.imencode(".png", image)[1].tobytes() for image in images],
    ticks=np.arange(frames),
    time_base=1 / playback,
    fps=playback,
    height=48,
    width=80,
    **({"speed": speed, "label": "known"} | fields),
  )


@pytest.fixture
def write(tmp_path):
  def run(*shots, split="train"):
    path = tmp_path / f"clips-{split}.tfrecord-00000-of-00001"
    with RecordWriter(path) as writer:
      for shot in shots:
        writer.write(shot.encode())
    return [path]

  return run


def test_shots_are_played_at_the_speed_of_their_label(write):
  shot = dataset.ShotSource(write(make_shot()), 4)[0]
  assert shot.log2_step == pytest.approx(-3.0, abs=0.05)  # 240 per second.
  spec = dataset.ClipSpec(frames=4, size=16, ramps=0.0)
  for seed in range(10):
    frames, log2_step = shot.clip(spec, np.random.default_rng(seed))
    assert frames.shape == (4, 16, 16, 3)
    assert shot.log2_step - 1e-6 <= log2_step.min()
    assert log2_step.max() <= spec.high
    assert np.ptp(log2_step) == 0
    assert all(np.any(a != b) for a, b in itertools.pairwise(frames))


def test_short_shots_are_never_read_beyond_their_end(write):
  for length, speed in ((5, 0.125), (6, 0.125), (7, 1 / 64)):
    short = make_shot(frames=length, speed=speed)
    shot = dataset.ShotSource(write(short), 4)[0]
    for seed in range(20):
      shot.clip(SPEC, np.random.default_rng(seed))


def test_sparse_shots_are_played_at_whole_factors_only(write):
  sparse = make_shot(fps=30, speed=1.0)
  shot = dataset.ShotSource(write(sparse), 4)[0]
  drawn = {
    round(
      2
      ** float(
        shot.clip(SPEC, np.random.default_rng(s))[1][0] - shot.log2_step
      ),
      6,
    )
    for s in range(40)
  }
  assert drawn == {1.0, 2.0, 3.0, 4.0}


def test_shots_without_a_known_speed_or_enough_frames_are_left_out(write):
  paths = write(
    make_shot(),
    make_shot(frames=3),
    make_shot(label="pseudo"),
    make_shot(speed=0.125, label="unknown"),
  )
  assert len(dataset.ShotSource(paths, 4)) == 1
  with pytest.raises(SpeedflowError, match="no shot of known speed has 99"):
    dataset.ShotSource(paths, 99)


def test_the_first_frame_is_sharp_and_the_rest_blurred():
  world = dataset.World("mover", 1)
  scene = world.scene(32, 3.0)
  fast = dataset.film(scene, np.full(3, 2.0), 0.5, 0.0)
  np.testing.assert_array_equal(fast[0], scene.frame(0.0))
  sharp = dataset.film(scene, np.full(3, 2.0), 0.0, 0.0)
  assert np.any(fast[1] != sharp[1])


def test_ramps_reach_the_frames_they_are_told_for():
  scene = dataset.World("mover", 1).scene(32, 3.0)
  ramp = np.array([2.0, -3.0, -3.0, 0.0])
  clip = dataset.film(scene, ramp, 0.0, 0.0)
  seconds = np.array([0.0, 4.0, 4.125, 4.25]) / 30
  np.testing.assert_array_equal(clip, [scene.frame(s) for s in seconds])


@pytest.mark.parametrize("kind", ["mover", "physics"])
def test_worlds_repeat_exactly_and_differ_from_seed_to_seed(kind):
  def draw(seed):
    return dataset.World(kind, seed).clip(SPEC, np.random.default_rng(0))[0]

  np.testing.assert_array_equal(draw(1), draw(1))
  assert np.any(draw(1) != draw(2))


def test_nothing_is_trained_on_that_is_held_out():
  source = dataset.WorldSource("mover", 100)
  assert min(source[i].seed for i in range(100)) >= dataset.HELD_OUT


def test_speeds_stay_in_their_range_and_ramp_as_often_as_asked():
  rng = np.random.default_rng(0)
  speeds = np.array(
    [dataset.sample_speeds(SPEC, rng, -2.0, 1.0) for _ in range(400)]
  )
  assert speeds.min() >= -2.0
  assert speeds.max() <= 1.0
  assert np.mean(np.ptp(speeds, axis=1) > 0) == pytest.approx(0.3, abs=0.06)


def test_missing_records_are_refused(tmp_path):
  with pytest.raises(
    SpeedflowError, match="no shot records of the split 'val'"
  ):
    dataset.shards(tmp_path, "val")
