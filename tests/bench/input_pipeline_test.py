import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from speedflow import media
from speedflow.data import catalogue, records, shots

pytest.importorskip("decord")
pytest.importorskip("webdataset")


@pytest.mark.slow
def test_every_loader_is_measured_on_the_same_shots(tmp_path):
  rng = np.random.default_rng(0)
  video = tmp_path / "a.mp4"
  with media.VideoWriter(video, Fraction(30), (64, 48)) as writer:
    for _ in range(20):
      writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
  clip = catalogue.Clip(name="a", path=str(video))
  (record,) = shots.ClipRecords(clip, find_cuts=False)
  with records.RecordWriter(tmp_path / "toy-train.tfrecord") as writer:
    writer.write(record.encode())
  out = tmp_path / "result.json"
  # A process of its own, because it binds itself to one core.
  run = subprocess.run(
    [
      *(sys.executable, "-m", "bench.input_pipeline"),
      *(f"--records={tmp_path}", f"--out={out}"),
      *("--rounds=1", "--seconds=0.05"),
    ],
    capture_output=True,
    text=True,
    check=True,
  )
  result = json.loads(out.read_text())
  assert set(result["rates"]) == {
    "bare JPEG decoding",
    "speedflow records",
    "speedflow, 4 a shot",
    "webdataset tar",
    "decord H.264",
  }
  assert all(r["frames_per_cpu_s"] > 0 for r in result["rates"].values())
  assert result["share_of_bare"].keys() == {"frames_per_s", "frames_per_cpu_s"}
  assert len(run.stdout.splitlines()) == 6
