"""`speedflow mine`, from files to a folder, by the command line."""

import json
import math
from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow import cli, media
from speedflow.detect.weights import CHANGE
from speedflow.estimate.weights import SPEED
from speedflow.mine import threshold
from speedflow.weights import kind


@pytest.fixture
def calibration(tmp_path):
  path = tmp_path / "calibration.json"
  threshold.Calibration(
    scores={f"scene{i}": -math.inf for i in range(400)},
    footage="toys",
    min_seconds=2.0,
    max_speed=0.5,
    weights="tiny",
    weights_sha256=SPEED.digest("tiny"),
    doubt=1.0,
    circumstances={},
  ).write(path)
  return str(path)


def test_a_folder_is_mined_and_what_may_be_claimed_is_said(
  make_video, calibration, tmp_path, capsys
):
  video = make_video(frames=60)
  (tmp_path / "bad.mp4").write_bytes(b"")
  out = tmp_path / "out"
  code = cli.main(
    ["mine", str(tmp_path), "--out", str(out), "--calibration", calibration]
  )
  assert code == 0
  captured = capsys.readouterr()
  assert "False-positive rate <= 0.01 with" in captured.out
  assert "bad.mp4" in captured.err
  account = json.loads((out / "mining.json").read_text())
  assert account["counters"]["files"] == 2
  assert account["calibration"]["fits"]
  assert account["models"]["estimator_sha256"] == SPEED.digest("tiny")
  assert account["settings"]["max_speed"] == 0.5
  assert video.name not in json.dumps(account["unreadable"])
  for name in ("clips.csv", "clips.parquet", "report.html"):
    assert (out / name).stat().st_size


def test_nothing_is_claimed_for_pieces_that_were_not_calibrated(
  make_video, calibration, tmp_path, capsys
):
  arguments = ["mine", str(make_video()), "--out", str(tmp_path / "out")]
  arguments += ["--calibration", calibration, "--min-seconds", "0.5"]
  assert cli.main(arguments) == 0
  assert "No false-positive rate can be stated" in capsys.readouterr().out


def test_changes_are_cut_at_whichever_weights_estimate(
  calibration, tmp_path, capsys
):
  drawn = np.random.default_rng(0).integers(0, 256, (8, 136, 3), dtype=np.uint8)
  wide = cv2.resize(drawn, (1632, 96), interpolation=cv2.INTER_CUBIC)
  # A camera that pans four times as fast from here on, seconds.
  fps, change = 30, 2.5
  slow = round(change * fps)
  places = np.cumsum([2] * slow + [8] * slow)
  with media.VideoWriter(
    tmp_path / "a.mp4", Fraction(fps), (128, 96), crf=18
  ) as writer:
    for place in places:
      writer.write(np.ascontiguousarray(wide[:, place : place + 128]))
  weights = str(kind.FOLDER / "speed_tiny.safetensors")
  out = tmp_path / "out"
  arguments = ["mine", str(tmp_path / "a.mp4"), "--out", str(out), "--changes"]
  arguments += ["--weights", weights, "--calibration", calibration]
  assert cli.main(arguments) == 0
  models = json.loads((out / "mining.json").read_text())["models"]
  assert models["changes_sha256"] == CHANGE.digest("tiny")
  (summary,) = (
    json.loads(path.read_text()) for path in (out / "files").glob("*.json")
  )
  ends = [piece["end_s"] for piece in summary["clips"] + summary["rejected"]]
  assert min(abs(end - change) for end in ends) < 0.2


def _refusal(arguments, tmp_path, capsys):
  given = ["mine", str(tmp_path), "--out", str(tmp_path / "out"), *arguments]
  assert cli.main(given) == 2
  (line,) = capsys.readouterr().err.splitlines()
  return line


def test_bad_rate_is_one_line(calibration, tmp_path, capsys):
  arguments = ["--fpr", "2", "--calibration", calibration]
  assert "false-positive rate" in _refusal(arguments, tmp_path, capsys)


def test_missing_calibration_is_one_line(tmp_path, capsys):
  arguments = ["--calibration", "missing.json"]
  assert "calibrate" in _refusal(arguments, tmp_path, capsys)


def test_folder_without_videos_is_one_line(calibration, tmp_path, capsys):
  arguments = ["--calibration", calibration]
  assert "no videos" in _refusal(arguments, tmp_path, capsys)


def test_speeds_must_be_positive(tmp_path):
  with pytest.raises(SystemExit):
    cli.main(["mine", "x", "--out", str(tmp_path), "--max-speed", "0"])


def test_nothing_but_unreadable_files_is_a_failure(
  calibration, tmp_path, capsys
):
  (tmp_path / "a.mp4").write_bytes(b"")
  # Of two files with the same content, only one is looked at.
  (tmp_path / "b.mp4").write_bytes(b"")
  listed = tmp_path / "list.txt"
  listed.write_bytes(b"\n".join([bytes(tmp_path), b"missing\xfe\x1b.mp4"]))
  out = tmp_path / "out"
  arguments = ["mine", str(listed), "--out", str(out)]
  assert cli.main([*arguments, "--calibration", calibration]) == 2
  captured = capsys.readouterr()
  *_, empty, missing, last = captured.err.splitlines()
  assert "a.mp4: empty" in empty
  assert missing.startswith(r"left out: missing\xfe\x1b.mp4: ")
  assert missing.endswith(": no such file; check the path")
  assert last == (
    f"speedflow: {out}: none of 3 files could be read; the reasons are above"
  )
  # All outputs are there nonetheless, and other programs can read them.
  account = json.loads((out / "mining.json").read_bytes().decode())
  assert "missing\udcfe\x1b.mp4" in account["unreadable"]
  assert (out / "report.html").read_bytes().decode()


def test_unknown_weights_are_one_line_before_any_work(tmp_path, capsys):
  line = _refusal(["--weights", "none"], tmp_path, capsys)
  assert "no such weights; there are: tiny;" in line
  assert not (tmp_path / "out").exists()
  other = str(kind.FOLDER / "superres_tiny.safetensors")
  line = _refusal(["--weights", other], tmp_path, capsys)
  assert "not weights of a speed estimator" in line
  line = _refusal(
    ["--weights", str(tmp_path / "a.safetensors")], tmp_path, capsys
  )
  assert f"{tmp_path / 'a.safetensors'}: no such weights" in line
  assert not (tmp_path / "out").exists()


def test_exported_weights_mine_without_a_claim(make_video, tmp_path, capsys):
  model, extra = SPEED.load()
  weights = tmp_path / "mine.safetensors"
  # The same arrays, but not the same file: nobody calibrated it.
  SPEED.save(weights, model, {**extra, "calibration": {}})
  out = tmp_path / "out"
  arguments = ["mine", str(make_video(frames=60)), "--out", str(out)]
  assert cli.main([*arguments, "--weights", str(weights)]) == 0
  assert "No false-positive rate can be stated" in capsys.readouterr().out
  models = json.loads((out / "mining.json").read_text())["models"]
  assert models["estimator"] == str(weights)
