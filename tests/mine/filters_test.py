"""Each filter rejects what it is for, and lets camera footage pass."""

import csv
import hashlib
import os
import pathlib

import cv2
import numpy as np
import pytest

from experiments.slowmo_mining import fakes
from speedflow import media
from speedflow.demo import clips
from speedflow.mine import filters

_SIZE = (320, 240)
_DATA = os.environ.get("SPEEDFLOW_DATA")


@pytest.fixture(scope="module")
def texture():
  """Smooth noise, as large as anything that slides over it."""
  rng = np.random.default_rng(0)
  coarse = rng.integers(30, 226, (90, 200, 3), np.uint8)
  scene = cv2.resize(coarse, (1000, 450), interpolation=cv2.INTER_CUBIC)
  noise = rng.normal(0, 3, scene.shape)
  return np.clip(scene + noise, 0, 255).astype(np.uint8)


def _slide(texture, count=48, speed=3.0):
  width, height = _SIZE
  return [
    np.ascontiguousarray(
      texture[100 : 100 + height, round(speed * i) : round(speed * i) + width]
    )
    for i in range(count)
  ]


def _bike(count=40):
  """A real clip, at its own size."""
  clip = next(s.path for s in clips.package_clips() if "bikes" in s.path.name)
  frames, _ = clips.read_frames(clip)
  # Its first shot.
  return [np.ascontiguousarray(image) for image in frames[:count]]


@pytest.fixture
def encoded(tmp_path):
  """Passes frames through a codec, as everything has been that is mined."""

  def encode(frames):
    path = tmp_path / "x.mp4"
    height, width = frames[0].shape[:2]
    with media.VideoWriter(path, 30, (width, height), crf=23) as writer:
      for frame in frames:
        writer.write(frame)
    with media.VideoReader(path, short_side=filters.SHORT_SIDE) as reader:
      read = list(reader)
    times = np.array([float(frame.time) for frame in read])
    return filters.Footage([frame.image for frame in read], times)

  return encode


def test_camera_footage_passes_all_filters(texture, encoded):
  for frames in (_slide(texture), _bike(29)):
    found = filters.judge(encoded(frames))
    assert [j.name for j in found if not j.passes] == []
    assert all(j.reason == "" for j in found)


def test_slow_footage_is_not_static(texture, encoded):
  assert filters.static(encoded(_slide(texture, speed=0.3))).passes


def test_still_picture_is_static(texture, encoded):
  judgement = filters.static(encoded(_slide(texture, speed=0.0)))
  assert not judgement.passes
  assert "moves" in judgement.reason


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("real", [False, True])
def test_repeated_frames_are_found(texture, encoded, factor, real):
  frames = _bike(29) if real else _slide(texture)
  footage = encoded(fakes.repeat(frames[: 120 // factor], factor))
  judgement = filters.repeated(footage)
  assert not judgement.passes
  assert judgement.score == pytest.approx(1 - 1 / factor, abs=0.15)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("real", [False, True])
def test_blended_frames_are_found(texture, encoded, factor, real):
  frames = _bike(29) if real else _slide(texture, speed=6.0)
  footage = encoded(fakes.blend(frames[:29], factor))
  assert not filters.interpolated(footage).passes


def test_beat_is_as_deep_as_it_is():
  rng = np.random.default_rng(0)
  steady = 10 * np.exp(rng.normal(0, 0.1, 120))
  beating = steady * np.where(np.arange(120) % 4 == 0, 1.0, 0.5)
  assert filters.deepest_beat(steady)[0] < 0.1
  depth, period = filters.deepest_beat(beating)
  assert period == 4
  assert depth == pytest.approx(0.5, abs=0.1)


def _write_on(frames):
  for frame in frames:
    cv2.putText(
      frame, "SUBTITLE", (40, 210), 0, 1.5, (255, 255, 255), 4, cv2.LINE_AA
    )
  return frames


def test_writing_over_a_moving_picture_is_found(texture, encoded):
  assert not filters.overlay(encoded(_write_on(_slide(texture)))).passes


def test_edges_of_a_scene_at_rest_are_no_writing(texture, encoded):
  frames = _slide(texture, speed=0.0)
  for number, frame in enumerate(frames):
    cv2.circle(frame, (20 + 5 * number, 120), 15, (200, 40, 30), -1)
  assert filters.overlay(encoded(frames)).passes


def _cartoon(count=24):
  frames = []
  for number in range(count):
    image = np.full((240, 320, 3), (120, 190, 250), np.uint8)
    cv2.rectangle(image, (0, 180), (320, 240), (60, 160, 60), -1)
    centre = (40 + 6 * number, 120)
    cv2.circle(image, centre, 36, (220, 60, 40), -1, cv2.LINE_AA)
    frames.append(image)
  return frames


def _screen(count=24):
  frames = []
  for number in range(count):
    image = np.full((240, 320, 3), 250, np.uint8)
    for line in range(9):
      place = (20, 40 + 30 * line - 2 * number)
      cv2.putText(image, "int main()", place, 0, 0.5, (20, 20, 20), 1)
    frames.append(image)
  return frames


@pytest.mark.parametrize("make", [_cartoon, _screen])
def test_drawings_and_screens_are_found(make, encoded):
  assert not filters.drawn(encoded(make())).passes


def test_timelapse_is_found(encoded):
  # Blobs that are elsewhere each time: nothing leads from frame to frame.
  rng = np.random.default_rng(1)
  frames = []
  for _ in range(24):
    coarse = rng.integers(0, 256, (60, 80, 3), np.uint8)
    frames.append(cv2.resize(coarse, _SIZE, interpolation=cv2.INTER_CUBIC))
  assert not filters.timelapse(encoded(frames)).passes


def test_motion_is_no_timelapse(texture, encoded):
  assert filters.timelapse(encoded(_slide(texture, speed=6.0))).passes


def test_night_is_too_dark(texture, encoded):
  frames = [frame // 8 for frame in _slide(texture, 12)]
  assert not filters.too_dark(encoded(frames)).passes


def test_footage_needs_a_time_for_each_frame(texture):
  with pytest.raises(ValueError, match="times"):
    filters.Footage(_slide(texture, 3), np.arange(2))


def _real(category, count):
  with (pathlib.Path(_DATA) / "clips.csv").open(newline="") as file:
    rows = [
      row
      for row in csv.DictReader(file)
      if row["category"] == category
      and row["split"] == "train"
      and float(row["duplicate_fraction"] or 0) == 0
    ]
  # An order of its own, in which clips that are added later lie scattered.
  rows.sort(key=lambda row: hashlib.sha256(row["file"].encode()).hexdigest())
  for row in rows[:count]:
    with media.VideoReader(
      pathlib.Path(_DATA) / row["file"], short_side=filters.SHORT_SIDE
    ) as reader:
      frames = [frame for frame, _ in zip(reader, range(60), strict=False)]
    times = np.array([float(frame.time) for frame in frames])
    yield filters.Footage([frame.image for frame in frames], times)


@pytest.mark.slow
@pytest.mark.skipif(not _DATA, reason="SPEEDFLOW_DATA names no real clips")
def test_most_real_slow_motion_passes_what_tells_fakes_apart():
  judged = [
    (filters.repeated(footage).passes, filters.interpolated(footage).passes)
    for footage in _real("highfps", 8)
  ]
  assert np.mean([all(pair) for pair in judged]) >= 0.75


@pytest.mark.slow
@pytest.mark.skipif(not _DATA, reason="SPEEDFLOW_DATA names no real clips")
@pytest.mark.parametrize(
  ("kind", "share"),
  # What minterpolate makes of slow scenes, a codec hides again.
  [("repeated", 0.8), ("blended", 0.6), ("interpolated", 0.1)],
)
def test_fakes_of_real_footage_are_found(kind, share, encoded):
  caught = []
  for footage in _real("realtime", 12):
    made = encoded(fakes.KINDS[kind](footage.frames[:40], 3))
    caught.append(
      not (filters.repeated(made).passes and filters.interpolated(made).passes)
    )
  assert np.mean(caught) >= share
