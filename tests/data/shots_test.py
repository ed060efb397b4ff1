import os
import pathlib
from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.data import catalogue, schema, shots
from speedflow.errors import SpeedflowError


def _records(path, **options):
  clip_options = {
    name: options.pop(name)
    for name in ("start_s", "end_s", "speed", "capture_fps", "fps")
    if name in options
  }
  clip = catalogue.Clip(name="clip", path=str(path), **clip_options)
  source = shots.ClipRecords(clip, **options)
  return list(source), source


def test_shots_are_split_exactly_at_the_cuts(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [20, 33, 15])
  records, source = _records(path)
  assert [record.id for record in records] == [
    "clip/0/0",
    "clip/1/0",
    "clip/2/0",
  ]
  assert [record.num_frames for record in records] == [20, 33, 15]
  assert [record.first_frame for record in records] == [0, 20, 53]
  assert (source.frames, source.shots) == (68, 3)


def test_cuts_of_a_real_film_are_found():
  if not os.environ.get("SPEEDFLOW_DATA"):
    pytest.skip("SPEEDFLOW_DATA names no real clips")
  clips = pathlib.Path(os.environ["SPEEDFLOW_DATA"]) / "clips"
  (bikes,) = clips.glob("*_bikes_*.mp4")
  records, _ = _records(bikes)
  assert [r.first_frame for r in records] == [0, 30, 76, 137, 187, 242]


def test_fast_motion_is_no_cut(tmp_path):
  rng = np.random.default_rng(1)
  texture = cv2.GaussianBlur(
    rng.integers(0, 256, (96, 1280, 3), np.uint8), (0, 0), 6
  )
  texture = cv2.normalize(
    texture, np.empty_like(texture), 0, 255, cv2.NORM_MINMAX
  )
  with media.VideoWriter(tmp_path / "a.mp4", Fraction(30), (128, 96)) as writer:
    for x in range(0, 1100, 20):
      writer.write(np.ascontiguousarray(texture[:, x : x + 128]))
  assert len(_records(tmp_path / "a.mp4")[0]) == 1


def test_a_long_shot_is_cut_into_chunks(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [1030], size=(32, 32))
  records, _ = _records(path, find_cuts=False)
  assert [(r.num_frames, r.chunk, r.first_frame) for r in records] == [
    (512, 0, 0),
    (512, 1, 512),
    (6, 2, 1024),
  ]
  times = np.concatenate([record.times_s() for record in records])
  np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-6)


def test_frames_are_those_of_the_video_at_the_short_side(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [6], size=(160, 96))
  (record,), _ = _records(path, short_side=48)
  assert (record.height, record.width) == (48, 80)
  with media.VideoReader(path, short_side=48) as reader:
    for index, (image, time) in enumerate(reader):
      assert record.times_s()[index] == pytest.approx(float(time))
      # JPEG keeps brightness better than colour.
      luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int)
      assert np.abs(record.image(index, gray=True) - luma).mean() < 3


def test_small_frames_are_not_enlarged(tmp_path, write_video):
  (record,), _ = _records(write_video(tmp_path / "a.mp4", [6]))
  assert (record.height, record.width) == (96, 128)


def test_a_higher_quality_costs_bytes(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [6])
  (low,), _ = _records(path, quality=40)
  (high,), _ = _records(path, quality=95)
  assert sum(map(len, high.frames)) > 1.5 * sum(map(len, low.frames))


def test_each_record_has_the_sound_of_its_span(tmp_path, write_video):
  seconds = np.arange(2 * 44100) / 44100
  # The pitch rises, so that each moment has its own.
  sweep = 0.5 * np.sin(2 * np.pi * (200 + 400 * seconds) * seconds)
  sound = media.Audio(sweep[:, None].astype(np.float32), 44100)
  path = write_video(tmp_path / "a.mp4", [30, 30], audio=sound)
  records, _ = _records(path)
  assert len(records) == 2
  for record in records:
    audio = record.audio()
    assert (record.audio_rate, record.audio_channels) == (44100, 1)
    assert len(audio.samples) / 44100 == pytest.approx(1, abs=0.05)
    start = round(audio.start_s * 44100)
    wanted = sweep[start : start + 40000]
    found = audio.samples[: len(wanted), 0]
    assert np.corrcoef(found, wanted)[0, 1] > 0.98


def test_without_sound_the_record_has_none(tmp_path, write_video):
  (record,), _ = _records(write_video(tmp_path / "a.mp4", [6]))
  assert record.audio() is None
  assert (record.audio_rate, record.audio_channels) == (0, 0)


def test_speed_and_capture_rate_follow_from_each_other(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [6])
  (record,), _ = _records(path, capture_fps=240.0)
  assert record.speed == pytest.approx(0.125)
  (record,), _ = _records(path, speed=0.5)
  assert record.capture_fps == pytest.approx(60)
  (record,), _ = _records(path)
  assert (record.speed, record.capture_fps) == (0, 0)


def test_a_span_of_a_video_is_read_alone(tmp_path, write_video):
  path = write_video(tmp_path / "a.mp4", [60])
  (record,), _ = _records(path, start_s=0.5, end_s=1.0)
  assert record.num_frames == 15
  assert record.times_s()[0] == pytest.approx(0.5)
  with pytest.raises(SpeedflowError, match="no frames in the span"):
    _records(path, start_s=50.0)


def test_repeated_frames_are_measured(tmp_path):
  rng = np.random.default_rng(0)
  texture = rng.integers(0, 256, (8, 40, 3), np.uint8)
  texture = cv2.resize(texture, (640, 64), interpolation=cv2.INTER_LINEAR)
  path = tmp_path / "a.mp4"
  with media.VideoWriter(path, Fraction(30), (64, 64)) as writer:
    for number in range(40):
      x = number // 2 * 8
      writer.write(np.ascontiguousarray(texture[:, x : x + 64]))
  _, source = _records(path)
  assert source.duplicate_fraction() == pytest.approx(0.5, abs=0.05)


def test_a_still_scene_is_not_full_of_duplicates(tmp_path):
  rng = np.random.default_rng(0)
  path = tmp_path / "a.mp4"
  with media.VideoWriter(path, Fraction(30), (64, 64)) as writer:
    for _ in range(20):
      writer.write(rng.normal(128, 2, (64, 64, 3)).astype(np.uint8))
  _, source = _records(path)
  assert source.duplicate_fraction() == 0


def test_a_folder_of_images_is_a_video(tmp_path):
  for number in range(5):
    image = np.full((40, 60, 3), (250, 30 * number, 0), np.uint8)
    cv2.imwrite(str(tmp_path / f"{number:03}.png"), image[..., ::-1])
  (record,), _ = _records(tmp_path, fps=Fraction(240))
  np.testing.assert_allclose(record.times_s(), np.arange(5) / 240)
  assert record.fps == 240
  np.testing.assert_allclose(record.image(2)[0, 0], [250, 60, 0], atol=4)
  with pytest.raises(SpeedflowError, match="needs its fps"):
    _records(tmp_path)


def test_a_broken_image_is_named(tmp_path):
  (tmp_path / "0.png").write_bytes(b"")
  with pytest.raises(SpeedflowError, match=r"0\.png: not a readable image"):
    _records(tmp_path, fps=Fraction(30))


def test_a_pipe_among_images_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / "0.png")
  with pytest.raises(SpeedflowError, match="a pipe"):
    _records(tmp_path, fps=Fraction(30))


def test_a_video_cut_short_gives_its_beginning_and_a_note(
  tmp_path, write_video
):
  path = write_video(tmp_path / "a.mkv", [90])
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
  records, source = _records(path)
  assert 10 < sum(record.num_frames for record in records) < 90
  assert len(source.notes) == 1
  assert "damaged" in source.notes[0]


def test_a_record_is_at_most_the_schema_long(tmp_path, write_video):
  records, _ = _records(
    write_video(tmp_path / "a.mp4", [520], size=(32, 32)), find_cuts=False
  )
  assert max(r.num_frames for r in records) == schema.MAX_FRAMES
