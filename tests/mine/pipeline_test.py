"""`pipeline.mine`, from files to a manifest, and what may go wrong."""

import csv
import dataclasses
import json
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from dask import distributed
from pyarrow import parquet

from speedflow import media
from speedflow.data import inspect, records, schema
from speedflow.demo import clips
from speedflow.errors import SpeedflowError
from speedflow.estimate.weights import SPEED
from speedflow.mine import examine, manifest, pipeline

# Anything that moves will do: what is slow is for other tests.
_ANYTHING = examine.Settings(max_speed=99.0, evidence=-99.0, min_seconds=1.0)


def _job(out, settings=_ANYTHING):
  return pipeline.Job(out, settings, "tiny", SPEED.digest("tiny"))


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
  """Two clips, a copy, a smaller encoding, and what cannot be read."""
  folder = tmp_path_factory.mktemp("collection")
  car, bikes = (
    next(s.path for s in clips.package_clips() if name in s.path.name)
    for name in ("car", "bikes")
  )
  shutil.copy(car, folder / "car.mp4")
  shutil.copy(bikes, folder / "bikes.mp4")
  shutil.copy(bikes, folder / "copy.mp4")
  with media.VideoReader(bikes, short_side=160) as reader:
    size = (reader.width, reader.height)
    with media.VideoWriter(
      folder / "smaller.mp4", reader.info.fps, size, crf=30
    ) as writer:
      for frame in reader:
        writer.write(frame.image)
  (folder / "empty.mp4").write_bytes(b"")
  (folder / "text.mp4").write_text("no video")
  whole = bikes.read_bytes()
  (folder / "header.mp4").write_bytes(whole[: len(whole) // 8])
  (folder / "folder.mp4").mkdir()
  return folder


def _sources(collection):
  return sorted(map(str, [*collection.iterdir(), collection / "missing.mp4"]))


@pytest.fixture(scope="module")
def mined(collection, tmp_path_factory):
  """The folder that mining the collection wrote."""
  out = tmp_path_factory.mktemp("mined")
  pipeline.mine(_sources(collection), _job(out), {"statement": "none"})
  return out


def _clips(out):
  with (out / "clips.csv").open(newline="") as file:
    return list(csv.DictReader(file))


def test_every_file_is_counted_once(mined, collection):
  account = manifest.read(mined)
  counters = account["counters"]
  assert counters["files"] == len(_sources(collection))
  assert counters["unreadable"] == 4
  assert counters["empty"] == 1
  assert {pathlib.Path(name).name for name in account["unreadable"]} == {
    "empty.mp4",
    "text.mp4",
    "header.mp4",
    "folder.mp4",
    "missing.mp4",
  }
  assert counters["same_content"] == 1
  assert all(reason for reason in account["unreadable"].values())


def test_near_duplicates_are_kept_once(mined):
  account = manifest.read(mined)
  assert account["counters"]["near_duplicate"] >= 1
  found = {pathlib.Path(row["source"]).name for row in _clips(mined)}
  assert found & {"bikes.mp4", "smaller.mp4"}
  assert "copy.mp4" not in found


def test_rows_say_where_how_slow_and_why(mined):
  rows = _clips(mined)
  assert rows
  for row in rows:
    low, speed, high = (
      float(row[k]) for k in ("speed_low", "speed", "speed_high")
    )
    assert low <= speed <= high
    assert float(row["start_s"]) < float(row["end_s"])
    assert float(row["capture_fps"]) == pytest.approx(
      float(row["fps"]) / speed, rel=1e-3
    )
    assert {k for k in row if k.startswith("filter_")} >= {
      "filter_static",
      "filter_interpolated",
    }
    assert row["hash"]
  table = parquet.read_table(mined / "clips.parquet").to_pylist()
  assert [row["id"] for row in table] == [row["id"] for row in rows]


def test_records_are_what_other_experiments_train_on(mined):
  found = inspect.inspect(mined)["splits"]
  assert list(found) == ["train"]
  assert found["train"]["label"] == {"pseudo": found["train"]["records"]}
  rows = {row["id"]: row for row in _clips(mined)}
  source = records.RecordSource(mined / "slowmo-train.tfrecord-*-of-*")
  for number in range(len(source)):
    shot = schema.ShotRecord.decode(source[number])
    row = rows[shot.id.split("/")[0]]
    times = shot.times_s()
    assert times[0] == pytest.approx(float(row["start_s"]), abs=2e-3)
    assert times[-1] < float(row["end_s"])
    assert shot.speed == pytest.approx(float(row["speed"]), rel=1e-3)


def test_page_shows_every_clip(mined):
  page = (mined / "report.html").read_text()
  assert page.count("<article>") == len(_clips(mined))


def _outputs(out):
  names = ["clips.csv", "clips.parquet", "mining.json", "report.html"]
  files = [out / name for name in names] + sorted(
    out.glob("slowmo-train.tfrecord-*")
  )
  return {path.name: path.read_bytes() for path in files}


def test_running_again_examines_nothing_and_changes_nothing(
  mined, collection, monkeypatch
):
  before = _outputs(mined)
  monkeypatch.setattr(examine.Examination, "__iter__", pytest.fail)
  pipeline.mine(_sources(collection), _job(mined), {"statement": "none"})
  assert _outputs(mined) == before


@pytest.mark.slow
def test_killed_run_goes_on_to_the_same_result(mined, collection, tmp_path):
  out = tmp_path / "killed"
  given = tmp_path / "job.pickle"
  given.write_bytes(
    pickle.dumps((_sources(collection), _job(out), {"statement": "none"}))
  )
  script = (
    "import pickle, sys; from speedflow.mine import pipeline; "
    "pipeline.mine(*pickle.load(open(sys.argv[1], 'rb')))"
  )
  process = subprocess.Popen([sys.executable, "-c", script, str(given)])
  while process.poll() is None and not list(out.glob("files/*.json")):
    time.sleep(0.02)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (out / manifest.ACCOUNT).exists()
  pipeline.mine(_sources(collection), _job(out), {"statement": "none"})
  assert _outputs(out) == _outputs(mined)
  assert not list((out / pipeline.FILES).glob(".*.tfrecord"))


def test_other_settings_are_other_results(mined, collection):
  key = _job(mined).key("content")
  stricter = dataclasses.replace(_ANYTHING, evidence=1.0)
  assert _job(mined, stricter).key("content") != key
  assert _job(mined).key("other content") != key


def test_nothing_found_is_written_too(collection, tmp_path):
  job = _job(tmp_path, examine.Settings(max_speed=1e-6, evidence=9.0))
  account = pipeline.mine([str(collection / "car.mp4")], job, {})
  assert account["clips"] == 0
  assert account["records"] == []
  assert _clips(tmp_path) == []
  assert json.loads((tmp_path / "mining.json").read_text()) == account
  # Each piece has its reason.
  (summary,) = (
    json.loads(path.read_text())
    for path in (tmp_path / pipeline.FILES).glob("*.json")
  )
  assert {r["reason"] for r in summary["rejected"]} <= {
    "too_short",
    "speed_unknown",
    "not_slow",
  }


def _counters(out, source, **settings):
  job = _job(out, dataclasses.replace(_ANYTHING, **settings))
  account = pipeline.mine([str(source)], job, {})
  assert list(account["unreadable"]) == [str(source)]
  assert account["clips"] == 0
  return account["counters"]


def test_a_file_that_takes_too_long_is_given_up(collection, tmp_path):
  counters = _counters(tmp_path, collection / "car.mp4", max_minutes=1e-9)
  assert counters == {"files": 1, "timed_out": 1, "near_duplicate": 0}


def test_an_encrypted_file_is_told_from_a_damaged_one(tmp_path):
  path = tmp_path / "encrypted.mp4"
  options = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00" * 16,
    "encryption_kid": "11" * 16,
  }
  with av.open(str(path), "w", options=options) as container:
    stream = container.add_stream("libx264", rate=30)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8)
    for image in noise:
      frame = av.VideoFrame.from_ndarray(image, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  counters = _counters(tmp_path / "out", path)
  assert counters == {"files": 1, "encrypted": 1, "near_duplicate": 0}


@pytest.mark.slow
def test_too_large_a_picture_is_not_decoded(tmp_path):
  path = tmp_path / "huge.mp4"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("mjpeg", rate=30)
    stream.width, stream.height, stream.pix_fmt = 16_384, 4_160, "yuvj420p"
    frame = av.VideoFrame(stream.width, stream.height, "yuvj420p")
    for plane in frame.planes:
      plane.update(bytes(plane.buffer_size))
    for number in range(2):
      frame.pts = number
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  counters = _counters(tmp_path / "out", path)
  assert counters == {"files": 1, "too_large": 1, "near_duplicate": 0}


@pytest.mark.slow
def test_pieces_end_where_the_detector_sees_a_change(collection, tmp_path):
  path = tmp_path / "spliced.mp4"
  with media.VideoReader(collection / "bikes.mp4") as reader:
    frames = [frame.image for frame in reader]
    fps, size = reader.info.fps, (reader.width, reader.height)
  # Up to here, only every fourth frame is shown.
  cut, change = 120, 30
  with media.VideoWriter(path, fps, size, crf=18) as writer:
    for image in frames[:cut:4] + frames[cut:]:
      writer.write(image)
  job = dataclasses.replace(_job(tmp_path / "out"), changes="tiny")
  pipeline.mine([str(path)], job, {})
  (summary,) = (
    json.loads(found.read_text())
    for found in (job.out / pipeline.FILES).glob("*.json")
  )
  ends = [p["end_s"] for p in summary["clips"] + summary["rejected"]]
  assert min(abs(end - change / fps) for end in ends) < 0.2


@pytest.mark.slow
def test_two_processes_find_what_one_does(mined, collection, tmp_path):
  pipeline.mine(
    _sources(collection),
    _job(tmp_path),
    {"statement": "none"},
    workers=2,
    beam_options=["--direct_running_mode=multi_processing"],
  )
  assert _outputs(tmp_path) == _outputs(mined)


def test_other_weights_of_changes_are_other_results(mined):
  job = dataclasses.replace(_job(mined), changes="tiny", changes_sha256="1")
  other = dataclasses.replace(job, changes_sha256="2")
  assert job.key("content") != other.key("content")


@pytest.mark.slow
def test_two_workers_of_dask_find_what_one_process_does(collection, tmp_path):
  names = ("bikes.mp4", "smaller.mp4", "empty.mp4")
  given = [str(collection / name) for name in names]
  dask_runner = pytest.importorskip("apache_beam.runners.dask.dask_runner")
  with distributed.LocalCluster(
    n_workers=2, threads_per_worker=1, dashboard_address=None
  ) as cluster:
    pipeline.mine(
      given,
      _job(tmp_path / "dask"),
      {},
      runner=dask_runner.DaskRunner(),
      beam_options=[
        f"--dask_client_address={cluster.scheduler_address}",
        "--dask_npartitions=2",
      ],
    )
    # The runner leaves it open, and it would call for the workers.
    distributed.default_client().close()
  pipeline.mine(given, _job(tmp_path / "one"), {})
  assert _clips(tmp_path / "one")
  assert _outputs(tmp_path / "dask") == _outputs(tmp_path / "one")


def test_results_that_cannot_be_written_end_the_run(collection, tmp_path):
  (tmp_path / "out").write_text("in the way")
  with pytest.raises(SpeedflowError, match="could not be written"):
    pipeline.mine([str(collection / "car.mp4")], _job(tmp_path / "out"), {})


def test_a_name_of_any_bytes_goes_through_to_all_outputs(collection, tmp_path):
  name = b"=caf\xe9\n.mp4"
  source = os.fsdecode(bytes(tmp_path) + b"/" + name)
  shutil.copy(collection / "bikes.mp4", source)
  out = tmp_path / "out"
  account = pipeline.mine([source], _job(out), {})
  assert account["clips"]
  with (out / "clips.csv").open(newline="", errors="surrogateescape") as file:
    rows = list(csv.DictReader(file))
  assert {row["source"] for row in rows} == {source}
  # Ids name records, and what is no text in them is written out.
  assert all(row["id"].startswith(r"'=caf\xe9\n-") for row in rows)
  table = parquet.read_table(out / "clips.parquet").to_pylist()
  assert [f"'{row['id']}" for row in table] == [row["id"] for row in rows]
  assert table[0]["source"].endswith("/=caf\\udce9\n.mp4")
  shots = [
    schema.ShotRecord.decode(record)
    for path in out.glob("slowmo-*")
    for record in records.RecordSource([path])
  ]
  assert {shot.id.split("/")[0] for shot in shots} == {r["id"] for r in table}
  assert {shot.source for shot in shots} == {table[0]["source"]}
  page = (out / "report.html").read_bytes().decode()
  assert page.count("<article>") == len(rows)
  # Run again, the file is known by its name.
  (summary,) = (out / pipeline.FILES).glob("*.json")
  assert json.loads(summary.read_text())["source"] == source


def test_networks_are_loaded_once_for_all_jobs_with_the_same_weights(tmp_path):
  job, other = _job(tmp_path / "a"), _job(tmp_path / "b")
  estimator, _ = pipeline.networks(job)
  assert pipeline.networks(other)[0] is estimator
  # Another file of the same name is another network.
  changed = dataclasses.replace(job, weights_sha256="of another file")
  assert pipeline.networks(changed)[0] is not estimator
