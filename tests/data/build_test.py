import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from speedflow.data import build, catalogue, records, schema
from speedflow.errors import SpeedflowError
from speedflow.output import claims

pytest.importorskip("apache_beam")


@pytest.fixture(scope="module")
def videos(tmp_path_factory, write_video):
  """Five videos with seven shots, a bad file, and a table."""
  folder = tmp_path_factory.mktemp("videos")
  for number, lengths in enumerate([[12], [12, 14], [10], [16, 9], [11]]):
    write_video(folder / f"v{number}.mp4", lengths, size=(64, 48), seed=number)
  (folder / "bad.mp4").write_bytes(b"no video")
  rows = ["file,split,source", "bad.mp4,train,s"]
  rows += [f"v{n}.mp4,{'train' if n < 3 else 'val'},s{n}" for n in range(5)]
  (folder / "clips.csv").write_text("\n".join(rows) + "\n")
  return folder


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory):
  out = tmp_path_factory.mktemp("built")
  return out, build.build(videos, out, shards_per_split=2)


def _content(folder):
  return {
    path.name: path.read_bytes()
    for path in sorted(folder.iterdir())
    if not path.name.startswith(".")
  }


def test_every_shot_is_in_a_shard_of_its_split(built):
  out, report = built
  assert report.records == {"train": 4, "val": 3}
  found = collections.defaultdict(set)
  for split in report.records:
    for record in records.RecordSource(
      out / f"video_folder-{split}.tfrecord-*"
    ):
      shot = schema.ShotRecord.decode(record)
      assert shot.split == split
      found[split].add(shot.id)
  assert found == {
    "train": {"v0/0/0", "v1/0/0", "v1/1/0", "v2/0/0"},
    "val": {"v3/0/0", "v3/1/0", "v4/0/0"},
  }


def test_the_report_counts(built):
  out, report = built
  assert (report.clips, report.frames) == (6, {"train": 48, "val": 36})
  assert report.hours["train"] == pytest.approx(48 / 30 / 3600, rel=0.05)
  assert json.loads((out / build.REPORT).read_text())["records"] == {
    "train": 4,
    "val": 3,
  }


def test_a_bad_file_is_named_with_its_reason_and_is_not_fatal(
  videos, tmp_path, capsys
):
  report = build.build(videos, tmp_path)
  assert set(report.failures) == {"bad"}
  assert "not a readable video" in report.failures["bad"]
  assert "left out: bad: " in capsys.readouterr().err


def test_only_the_data_set_is_left_in_its_folder(built):
  out, report = built
  assert set(_content(out)) == {
    *report.shards,
    "build.json",
    "dataset_info.json",
    "features.json",
  }


def test_tfds_reads_the_folder_without_tensorflow(built):
  out, _ = built
  code = f"""
import sys
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory({str(out)!r})
print({{name: s.num_examples for name, s in builder.info.splits.items()}})
from speedflow.data import records
record = records.RecordSource({str(out)!r} + "/*-val.*")[0]
example = builder.info.features.deserialize_example_np(record)
print(len(example["frames"]["jpeg"]) == len(example["frames"]["time"]) > 8)
print("tensorflow" in sys.modules)
"""
  run = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert run.stdout.split("\n")[:3] == [
    "{'train': 4, 'val': 3}",
    "True",
    "False",
  ]


def test_array_records_are_a_tfds_data_source_without_tensorflow(
  videos, tmp_path
):
  build.build(videos, tmp_path, file_format="array_record", shards_per_split=2)
  code = f"""
import sys
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory({str(tmp_path)!r})
source = builder.as_data_source(split="val")
print(sorted(source[i]["id"].decode() for i in range(len(source))))
print("tensorflow" in sys.modules)
"""
  run = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert run.stdout.splitlines() == ["['v3/0/0', 'v3/1/0', 'v4/0/0']", "False"]


@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_building_again_gives_the_same_bytes_with_any_number_of_workers(
  videos, built, tmp_path, mode
):
  build.build(
    videos,
    tmp_path,
    shards_per_split=2,
    num_workers=2,
    beam_options=[f"--direct_running_mode={mode}"],
  )
  assert _content(tmp_path) == _content(built[0])


def test_a_complete_data_set_is_not_built_again(videos, built):
  out, report = built
  before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
  assert build.build(videos, out, shards_per_split=2) == report
  assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == before


def test_other_settings_replace_the_data_set(videos, tmp_path):
  build.build(videos, tmp_path, shards_per_split=3)
  report = build.build(videos, tmp_path, shards_per_split=1, short_side=24)
  assert set(_content(tmp_path)) == {
    *report.shards,
    "build.json",
    "dataset_info.json",
    "features.json",
  }
  (shot, *_) = records.RecordSource(tmp_path / "*-val.*")
  assert schema.ShotRecord.decode(shot).height == 24


def test_parts_that_are_there_are_not_made_again(videos, tmp_path):
  settings = build.Settings()
  parts = tmp_path / "parts"
  parts.mkdir()
  clips = [c for c in catalogue.from_folder(videos) if c.name != "bad"]
  for clip in clips[:3]:
    build.build_part((clip, build.part_key(clip, settings)), parts, settings)
  done = {path: path.stat().st_ino for path in parts.glob("*.tfrecord")}
  seen = []

  def on_progress(count, total):
    seen.append((count, total))
    if parts.exists():
      assert {path: path.stat().st_ino for path in done} == done

  build.build(videos, tmp_path, on_progress=on_progress)
  assert seen[-1] == (6, 6)
  assert min(seen) >= (3, 6)


@pytest.mark.parametrize("stop_at", ["parts/*.json", "video_folder-*"])
def test_killed_at_any_time_and_run_again_gives_the_same(
  videos, built, tmp_path, stop_at
):
  code = (
    "from speedflow.data import build\n"
    f"build.build({str(videos)!r}, {str(tmp_path)!r}, shards_per_split=2)"
  )
  process = subprocess.Popen(
    [sys.executable, "-c", code], stderr=subprocess.DEVNULL
  )
  while process.poll() is None and not list(tmp_path.glob(stop_at)):
    time.sleep(0.002)
  os.kill(process.pid, signal.SIGKILL)
  process.wait()
  build.build(videos, tmp_path, shards_per_split=2)
  assert _content(tmp_path) == _content(built[0])
  leftovers = [p.name for p in tmp_path.glob(".*") if ".index" not in p.name]
  assert leftovers == [claims.RECORD]


def test_without_beam_it_says_what_to_install(videos, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "apache_beam", None)
  with pytest.raises(SpeedflowError, match=r"pip install '\.\[data\]'"):
    build.build(videos, tmp_path)


def test_when_nothing_can_be_read_it_says_so(tmp_path):
  (tmp_path / "bad.mp4").write_bytes(b"no video")
  with pytest.raises(SpeedflowError, match="none of 1 videos could be read"):
    build.build(tmp_path, tmp_path / "out")


def test_a_folder_that_cannot_be_written_to_is_no_bad_video(videos, tmp_path):
  clip = catalogue.from_folder(videos)[1]
  (tmp_path / "file").touch()
  with pytest.raises(SpeedflowError, match="could not be written"):
    build.build_part((clip, "key"), tmp_path / "file", build.Settings())


def test_names_of_any_bytes_are_built_and_shown_on_one_line(
  videos, tmp_path, capsys
):
  folder, out = tmp_path / "videos", tmp_path / "out"
  folder.mkdir()
  shutil.copy(videos / "v0.mp4", os.fsencode(folder) + b"/caf\xe9\n.mp4")
  (folder / "bad\x1b\n.mp4").write_bytes(b"no video")
  report = build.build(folder, out)
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(rf"left out: bad\x1b\n: {folder}/bad\x1b\n.mp4: ")
  (shard,) = report.shards
  (record,) = records.RecordSource([out / shard])
  shot = schema.ShotRecord.decode(record)
  assert shot.id == r"caf\xe9\n/0/0"
  assert shot.source == "caf\\udce9\n.mp4"
