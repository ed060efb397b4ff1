"""The command line: what it answers, and how it refuses."""

import json
import subprocess
import sys

import pytest

import speedflow
from speedflow import cli


def _run(*args):
  return subprocess.run(
    [sys.executable, "-m", "speedflow.cli", *args],
    capture_output=True,
    text=True,
    timeout=60,
    check=False,
  )


def test_help_lists_every_command():
  found = _run("--help")
  assert found.returncode == 0
  for command in (
    "estimate",
    "detect",
    "superres",
    "generate",
    "mine",
    "events",
    "attribute",
    "data",
    "train",
    "eval",
    "sweep",
  ):
    assert f"\n    {command}" in found.stdout


def test_version_is_the_packages(capsys):
  with pytest.raises(SystemExit) as leaving:
    cli.main(["--version"])
  assert leaving.value.code == 0
  assert capsys.readouterr().out == f"speedflow {speedflow.__version__}\n"


def test_importing_the_command_imports_no_heavy_library():
  # So `--help` answers at once.
  code = "import sys, speedflow.cli; print(*sys.modules)"
  found = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  heavy = {"jax", "numpy", "rich", "matplotlib", "av", "tensorflow"}
  assert not heavy & set(found.stdout.split())


@pytest.mark.parametrize(
  "args",
  [
    [],
    ["estimate"],
    ["estimate", "a.mp4", "--plot", "a.pdf"],
    ["measure", "a.mp4"],
    ["data"],
    ["train"],
  ],
)
def test_wrong_usage_exits_with_2_and_a_reason(args, capsys):
  with pytest.raises(SystemExit) as leaving:
    cli.main(args)
  assert leaving.value.code == 2
  captured = capsys.readouterr()
  assert captured.out == ""
  assert "usage: speedflow" in captured.err


def test_missing_config_is_told_in_one_line(tmp_path, capsys):
  args = ["train", "--config=no.py", f"--workdir={tmp_path}"]
  assert cli.main(args) == 2
  assert capsys.readouterr().err.count("\n") == 1


def test_missing_folder_of_videos_is_told_in_one_line(tmp_path, capsys):
  args = ["data", "build", str(tmp_path / "none"), str(tmp_path / "out")]
  assert cli.main(args) == 2
  captured = capsys.readouterr()
  assert captured.out == ""
  assert captured.err.startswith("speedflow: ")
  assert captured.err.count("\n") == 1


def test_folder_of_videos_becomes_records_that_can_be_inspected(
  make_video, tmp_path, capfd
):
  videos = make_video("videos/a.mp4").parent
  (videos / "bad.mp4").write_bytes(b"no video")
  out = tmp_path / "records"
  args = ["data", "build", str(videos), str(out), "--workers=1"]
  assert cli.main(args) == 0
  captured = capfd.readouterr()
  assert "2 videos, 1 left out" in captured.out
  assert "bad.mp4" in captured.err
  assert cli.main(["data", "inspect", str(out), "--json"]) == 0
  (split,) = json.loads(capfd.readouterr().out)["splits"].values()
  assert split["frames"] == 25
  assert (out / "contact_sheet.jpg").exists()


def test_rendered_scenes_become_records_of_motion(tmp_path, capsys):
  clips, motion = str(tmp_path / "clips"), str(tmp_path / "motion")
  assert cli.main(["data", "procedural", clips, "--scenes=3"]) == 0
  args = ["data", "motion", clips, motion, "--looks=2"]
  assert cli.main(args) == 0
  # One scene to train on, in two looks, and one for each other split.
  assert f"4 new records: {motion}" in capsys.readouterr().out
  assert cli.main(args) == 0
  assert f"0 new records: {motion}" in capsys.readouterr().out
  assert cli.main(["data", "inspect", clips, "--json"]) == 0
  splits = json.loads(capsys.readouterr().out)["splits"]
  assert set(splits) == {"train", "val", "test"}


@pytest.mark.parametrize(
  ("args", "message"),
  [
    (["motion", "EMPTY", "OUT"], "speedflow data build"),
    (["procedural", "OUT", "--scenes=2"], "at least 3"),
  ],
)
def test_records_that_cannot_be_made_are_told_in_one_line(
  args, message, tmp_path, capsys
):
  args = [a.replace("EMPTY", str(tmp_path)) for a in args]
  args = [a.replace("OUT", str(tmp_path / "out")) for a in args]
  assert cli.main(["data", *args]) == 2
  captured = capsys.readouterr()
  assert message in captured.err
  assert captured.err.count("\n") == 1
