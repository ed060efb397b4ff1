from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow.data import published, shots
from speedflow.errors import SpeedflowError


def _images(folder, count=3):
  folder.mkdir(parents=True)
  for number in range(count):
    image = np.full((24, 32, 3), 20 * number, np.uint8)
    cv2.imwrite(str(folder / f"{number:06}.png"), image)


def _touch(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def _by_path(clips):
  return {clip.source_path: clip for clip in clips}


def test_gopro_large_gives_blurred_and_sharp_at_their_own_rate(tmp_path):
  for kind in ("blur", "sharp"):
    _images(tmp_path / "train/GOPR0372_07_00" / kind)
  _images(tmp_path / "test/GOPR0384_11_00/blur_gamma")
  clips = _by_path(published.clips("gopro_large", tmp_path))
  assert len(clips) == 3
  sharp = clips["train/GOPR0372_07_00/sharp"]
  assert (sharp.split, sharp.content) == ("train", "sharp")
  assert sharp.fps == Fraction(240, 7)
  blurred = clips["test/GOPR0384_11_00/blur_gamma"]
  assert blurred.fps == Fraction(240, 11)
  assert blurred.scene_group == "GoPro:GOPR0384"


def test_gopro_large_all_gives_240_frames_a_second(tmp_path):
  _images(tmp_path / "train/GOPR0372_07_00")
  _images(tmp_path / "train/GOPR0372_07_01")
  one, two = published.clips("gopro_large_all", tmp_path)
  assert one.fps == 240
  # Parts of one recording stay together.
  assert one.scene_group == two.scene_group
  (record,) = shots.ClipRecords(one)
  assert (record.capture_fps, record.speed) == (240, 1)
  np.testing.assert_allclose(np.diff(record.times_s()), 1 / 240)


def test_adobe240_is_split_by_its_lists(tmp_path, write_video):
  videos = tmp_path / "original_high_fps_videos"
  _touch(videos, "GOPR9633.MOV", "IMG_0028.m4v")
  write_video(videos / "720p_240fps_1.mov", [8])
  (tmp_path / "adobe240_train.txt").write_text("GOPR9633\n720p_240fps_1.mov\n")
  (tmp_path / "adobe240_test.txt").write_text("IMG_0028\n")
  clips = {clip.name: clip for clip in published.clips("adobe240", tmp_path)}
  assert {name: clip.split for name, clip in clips.items()} == {
    "GOPR9633": "train",
    "720p_240fps_1": "train",
    "IMG_0028": "test",
  }
  # Stored at 30 frames a second, it plays eight times slowed.
  (record,) = shots.ClipRecords(clips["720p_240fps_1"])
  assert record.speed == pytest.approx(1 / 8)


def test_x4k1000fps_gives_thousand_frames_a_second(tmp_path):
  _images(tmp_path / "train/002/occ008.320")
  _images(tmp_path / "train/002/occ008.322")
  _images(tmp_path / "test/Type1/TEST01")
  clips = _by_path(published.clips("x4k1000fps", tmp_path))
  assert {clip.fps for clip in clips.values()} == {1000}
  assert len({clip.name for clip in clips.values()}) == 3
  groups = {path: clip.scene_group for path, clip in clips.items()}
  assert groups == {
    "train/002/occ008.320": "X4K1000FPS:002",
    "train/002/occ008.322": "X4K1000FPS:002",
    "test/Type1/TEST01": "X4K1000FPS:TEST01",
  }


def test_ucf101_is_split_by_its_first_lists(tmp_path):
  names = [f"v_Archery_g{g:02}_c01.avi" for g in (1, 2, 8)]
  _touch(tmp_path / "UCF-101/Archery", *names)
  lists = tmp_path / "ucfTrainTestlist"
  lists.mkdir()
  (lists / "trainlist01.txt").write_text(
    f"Archery/{names[2]} 3\nArchery/{names[1]} 3\n"
  )
  (lists / "testlist01.txt").write_text(f"Archery/{names[0]}\n")
  (lists / "testlist02.txt").write_text(f"Archery/{names[1]}\n")
  clips = published.clips("ucf101", tmp_path)
  assert [clip.split for clip in clips] == ["test", "train", "train"]
  assert clips[0].category == "Archery"
  assert clips[0].scene_group == "UCF101:Archery_g01"
  assert (clips[0].speed, clips[0].label) == (1, "assumed_realtime")


def test_kinetics_takes_split_class_and_video_from_the_path(tmp_path):
  _touch(
    tmp_path,
    "train/riding a bike/-0a_B9Zx1Qc_000001_000011.mp4",
    "validate/archery/abcdefghijk_000104_000114.mp4",
    "readme.txt",
  )
  train, val = published.clips("kinetics", tmp_path)
  assert (train.split, train.category) == ("train", "riding a bike")
  assert train.scene_group == "Kinetics:-0a_B9Zx1Qc"
  assert val.split == "val"


def test_another_layout_is_refused_with_the_one_wanted(tmp_path):
  _touch(tmp_path, "some/video.avi")
  for layout in published.LAYOUTS:
    if layout != "adobe240":
      with pytest.raises(SpeedflowError, match=f"nothing laid out as {layout}"):
        published.clips(layout, tmp_path)
  with pytest.raises(SpeedflowError, match="wanted one of gopro_large,"):
    published.clips("vimeo", tmp_path)
