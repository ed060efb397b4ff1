from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.data import catalogue, inspect, records, shots
from speedflow.errors import SpeedflowError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_video):
  """Two splits: a video of two shots, one with sound, and a slowed one."""
  root = tmp_path_factory.mktemp("inspect")
  tone = np.sin(np.arange(44100) / 20)[:, None].astype(np.float32)
  clips = [
    catalogue.Clip(
      name="plain",
      path=str(write_video(root / "plain.mp4", [30, 15])),
      source="camera",
    ),
    catalogue.Clip(
      name="loud",
      path=str(
        write_video(root / "loud.mp4", [30], audio=media.Audio(tone, 44100))
      ),
      source="camera",
      speed=1.0,
      label="known",
    ),
    catalogue.Clip(
      name="slow",
      path=str(write_video(root / "slow.mp4", [50], fps=Fraction(25))),
      capture_fps=240.0,
      label="believed",
      split="test",
    ),
  ]
  for split in ("train", "test"):
    path = records.shard_path(root / "out", "toy", split, 0, 1, "tfrecord")
    with records.RecordWriter(path) as writer:
      for clip in clips:
        if clip.split == split:
          for record in shots.ClipRecords(clip):
            writer.write(record.encode())
  return root / "out"


def test_counts_are_by_split(folder):
  found = inspect.inspect(folder)
  train, test = found["splits"]["train"], found["splits"]["test"]
  assert (train["records"], train["shots"], train["files"]) == (3, 3, 2)
  assert (train["frames"], train["sources"]) == (75, 1)
  assert train["hours"] == pytest.approx(2.5 / 3600, rel=0.01)
  assert train["audio_share"] == pytest.approx(1 / 2.5, abs=0.01)
  assert (test["records"], test["frames"], test["audio_share"]) == (1, 50, 0)
  paths = folder.glob("*.tfrecord-*")
  assert found["fingerprint"] == records.RecordSource(paths).fingerprint()


def test_histograms_count_records(folder):
  splits = inspect.inspect(folder)["splits"]
  assert splits["train"]["fps"] == {"30": 3}
  assert splits["test"]["fps"] == {"25": 1}
  assert splits["train"]["speed"] == {"1x": 1, "unknown": 2}
  assert splits["test"]["speed"] == {"1/8x": 1}
  assert splits["train"]["label"] == {"unknown": 2, "known": 1}
  assert splits["test"]["size"] == {"128x96": 1}


def test_the_table_shows_each_split_and_histogram(folder):
  text = inspect.table(inspect.inspect(folder))
  for line in ("split", "train", "fps, test", "speed, train"):
    assert f"\n{line}" in f"\n{text}"
  assert "#" in text


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_the_contact_sheet_is_a_picture_of_the_records(
  folder, tmp_path, suffix
):
  path = tmp_path / f"sheet{suffix}"
  inspect.contact_sheet(folder, path, columns=3, rows=5)
  sheet = cv2.imread(str(path))
  assert sheet is not None
  height, width = sheet.shape[:2]
  # Four records in rows of three: two rows, the last two cells empty.
  assert width % 3 == 0
  assert sheet[: height // 2, : width // 3].mean() > 30
  assert sheet[height // 2 + 1 :, width // 3 + 1 :].mean() < 2


def test_a_folder_without_records_is_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="no records in it"):
    inspect.inspect(tmp_path)
  with records.RecordWriter(tmp_path / "a.tfrecord"):
    pass
  with pytest.raises(SpeedflowError, match="empty"):
    inspect.inspect(tmp_path)


def test_records_of_another_kind_are_refused(tmp_path):
  with records.RecordWriter(tmp_path / "a.tfrecord") as writer:
    writer.write(b"something else")
  with pytest.raises(SpeedflowError, match="not a record of a shot"):
    inspect.inspect(tmp_path)


def test_a_sheet_that_is_no_picture_is_refused(folder, tmp_path):
  with pytest.raises(SpeedflowError, match=r"wanted \.jpg or \.png"):
    inspect.contact_sheet(folder, tmp_path / "sheet.txt")
