"""`speedflow probe`, and what files declare through the other verbs."""

import csv
import json

import pytest

from speedflow import api, cli
from speedflow.data import records, schema
from tests import camera_files


def _jsons(capsys):
  return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_probe_says_what_a_file_is_and_declares(make_filmed, capsys):
  path = make_filmed(moov=camera_files.android(240))
  assert cli.main(["probe", str(path)]) == 0
  told = capsys.readouterr().out
  assert "mpeg4, 64x48" in told
  assert "30 frames a second as stored" in told
  assert "sound: none" in told
  assert "filmed at 240 frames a second, so that it plays at 0.125x" in told
  assert "the camera wrote it" in told


def test_probe_says_plainly_that_nothing_is_declared(make_filmed, capsys):
  assert cli.main(["probe", str(make_filmed())]) == 0
  assert "nothing declared of the rate at which" in capsys.readouterr().out


def test_probe_goes_on_after_a_bad_file(make_filmed, tmp_path, capsys):
  bad, out = tmp_path / "bad.mp4", tmp_path / "out.csv"
  bad.write_bytes(b"")
  good = make_filmed("=1.mp4", moov=camera_files.android(240))
  files = [str(bad), str(good)]
  assert cli.main(["probe", "--json", *files, "--csv", str(out)]) == 2
  failed, found = _jsons(capsys)
  assert (failed["status"], found["status"]) == ("error", "ok")
  assert failed.keys() == found.keys()
  assert found["video"]["fps"] == 30
  assert found["declared"]["source"] == "com.android.capture.fps"
  with out.open(newline="") as file:
    rows = list(csv.DictReader(file))
  assert [row["status"] for row in rows] == ["error", "ok"]
  assert rows[1]["speed"] == "0.125"
  assert rows[1]["file"] == str(good)


@pytest.mark.parametrize("name", ["a.cine", "a.cihx", "a.cih"])
def test_probe_knows_high_speed_cameras(tmp_path, name):
  path = tmp_path / name
  if name == "a.cine":
    camera_files.write_cine(path, 1000)
  else:
    camera_files.write_photron(path, 1000)
  found = api.probe(path).declared
  assert (found.capture_fps, found.speed) == (1000, 1)
  assert found.trust == "camera"


def test_estimate_takes_the_cameras_word_unless_told_not_to(
  make_filmed, tmp_path, capsys
):
  path = str(make_filmed(moov=camera_files.android(240)))
  assert cli.main(["estimate", "--json", path]) == 0
  assert cli.main(["estimate", "--json", "--ignore-metadata", path]) == 0
  told, alone = _jsons(capsys)
  assert told["decided_by"] == "declared"
  assert told["speed"] == pytest.approx(0.125, rel=0.01)
  assert told["declared"]["trust"] == "camera"
  assert alone["declared"] is None
  assert alone["decided_by"] in (None, "picture")
  assert told["picture"]["speed"] == alone["speed"]
  assert cli.main(["estimate", path]) == 0
  assert "com.android.capture.fps" in capsys.readouterr().out


def test_detect_tells_what_is_declared(make_filmed, capsys):
  path = str(make_filmed(moov=camera_files.android(240)))
  assert cli.main(["detect", "--json", path]) == 0
  assert cli.main(["detect", "--json", "--ignore-metadata", path]) == 0
  told, alone = _jsons(capsys)
  assert told["declared"]["capture_fps"] == 240
  assert alone["declared"] is None
  assert told["verdict"] == alone["verdict"]
  assert told["why"].startswith(alone["why"])


def _records(folder):
  files = sorted(folder.glob("*.tfrecord-*[0-9]"))
  source = records.RecordSource(files)
  found = [schema.ShotRecord.decode(source[n]) for n in range(len(source))]
  return {record.id.split("/")[0]: record for record in found}


def test_data_build_labels_what_nobody_has_labelled(tmp_path):
  videos = tmp_path / "videos"
  videos.mkdir()
  moov = camera_files.android(240)
  for name in ("phone", "claimed", "guessed"):
    camera_files.write_mp4(videos / f"{name}.mp4", moov=moov)
  camera_files.write_mp4(videos / "plain.mp4")
  camera_files.write_photron(videos / "shot.cihx", 1000, 12)
  (videos / "clips.csv").write_text(
    "file,capture_fps,label\nphone.mp4,,\nclaimed.mp4,60,known\n"
    "guessed.mp4,,assumed_realtime\nplain.mp4,,\nshot.cihx,,\n"
  )
  out = tmp_path / "out"
  assert cli.main(["data", "build", str(videos), str(out)]) == 0
  found = _records(out)
  known = {
    name: (record.label, record.capture_fps, record.speed)
    for name, record in found.items()
  }
  assert known == {
    "phone": ("declared", 240, pytest.approx(0.125)),
    "claimed": ("known", 60, pytest.approx(0.5)),
    "guessed": ("assumed_realtime", 0, 0),
    "plain": ("unknown", 0, 0),
    "shot": ("declared", 1000, pytest.approx(1)),
  }
  again = ["data", "build", "--ignore-metadata", str(videos), str(out)]
  assert cli.main(again) == 0
  assert _records(out)["phone"].label == "unknown"


def test_superres_takes_a_high_speed_recording(tmp_path, capsys):
  path = camera_files.write_photron(tmp_path / "a.cihx", 1000, 12, frames=8)
  out = tmp_path / "out.mp4"
  assert cli.main(["superres", str(path), str(out), "--factor", "2"]) == 0
  assert api.probe(out).info.fps == 2000
