"""What a file declares, as a witness for slow motion in it."""

import csv

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.data import records, schema
from speedflow.demo import clips
from speedflow.estimate.weights import SPEED
from speedflow.mine import examine, pipeline
from tests import camera_files

# Nothing that moves is fast enough to be left out, nor surely slow.
_DOUBTFUL = {"max_speed": 99.0, "evidence": 99.0, "min_seconds": 1.0}


@pytest.fixture(scope="module")
def frames():
  car = next(s.path for s in clips.package_clips() if "car" in s.path.name)
  with media.VideoReader(car, short_side=120) as reader:
    return [frame.image for frame, _ in zip(reader, range(60), strict=False)]


def _mined(path, out, **settings):
  job = pipeline.Job(
    out,
    examine.Settings(**(_DOUBTFUL | settings)),
    "tiny",
    SPEED.digest("tiny"),
  )
  account = pipeline.mine([str(path)], job, {})
  with (out / "clips.csv").open(newline="") as file:
    return account["counters"], list(csv.DictReader(file))


def test_bars_are_cut_off_before_anything_is_looked_at(frames, tmp_path):
  height, width = frames[0].shape[:2]
  bar = 20
  barred = [cv2.copyMakeBorder(image, bar, bar, 0, 0, 0) for image in frames]
  settings = {"evidence": -99.0, "ignore_metadata": True}
  found = []
  for name, images in (("plain", frames), ("barred", barred)):
    path = tmp_path / f"{name}.mp4"
    with media.VideoWriter(path, 30, images[0].shape[1::-1], crf=18) as writer:
      for image in images:
        writer.write(image)
    found.append(_mined(path, tmp_path / name, **settings)[1][0])
  plain, row = found
  assert float(plain["bars_top"]) == float(plain["bars_bottom"]) == 0
  share = bar / (height + 2 * bar)
  for side in ("top", "bottom"):
    assert float(row[f"bars_{side}"]) == pytest.approx(share + 0.01, abs=0.012)
  assert float(row["bars_left"]) == float(row["bars_right"]) == 0
  # What is left is what is judged and kept.
  octaves = np.log2(float(row["speed"]) / float(plain["speed"]))
  assert abs(octaves) < 0.4
  shards = sorted((tmp_path / "barred").glob("*.tfrecord-*[0-9]"))
  record = schema.ShotRecord.decode(records.RecordSource(shards)[0])
  assert record.width == width
  assert height - 6 <= record.height <= height
  assert record.image(0).shape[:2] == (record.height, record.width)
  assert record.image(0)[:2].max() > 40


def test_a_camera_vouches_for_slow_motion(frames, tmp_path):
  path = tmp_path / "phone.mp4"
  # Half as fast: nearer to what the picture shows than a contradiction.
  moov = camera_files.android(60)
  camera_files.write_mp4(path, images=frames, moov=moov)
  counters, rows = _mined(path, tmp_path / "vouched")
  assert counters["vouched"] == len(rows) == 1
  assert float(rows[0]["declared_capture_fps"]) == 60
  assert float(rows[0]["declared_speed"]) == pytest.approx(0.5)
  shards = sorted((tmp_path / "vouched").glob("*.tfrecord-*[0-9]"))
  record = schema.ShotRecord.decode(records.RecordSource(shards)[0])
  assert (record.label, record.capture_fps) == ("declared", 60)
  counters, rows = _mined(path, tmp_path / "alone", ignore_metadata=True)
  assert rows == []
  assert counters["not_surely_slow"] == 1
  assert "vouched" not in counters


@pytest.mark.parametrize(
  "settings",
  [
    {"capture_fps": 60, "max_speed": 0.4},
    {"capture_fps": 30_000},
    {"capture_fps": 60, "tool": True},
  ],
  ids=["too_fast", "contradicted", "exported"],
)
def test_it_vouches_for_nothing_that_may_be_wrong(frames, tmp_path, settings):
  settings = dict(settings)
  rate, tool = settings.pop("capture_fps"), settings.pop("tool", False)
  path = tmp_path / "phone.mp4"
  values = {"com.android.capture.fps": (1, str(rate).encode())}
  if tool:
    values["encoder"] = (1, b"Lavf60.16.100")
  camera_files.write_mp4(path, images=frames, moov=camera_files.mdta(values))
  counters, rows = _mined(path, tmp_path / "out", **settings)
  assert rows == []
  assert "vouched" not in counters
