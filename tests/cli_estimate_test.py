"""`speedflow estimate`, from files to answers."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys

import pytest
from matplotlib import image

from speedflow import cli, media
from speedflow.demo import clips
from speedflow.errors import SpeedflowError
from speedflow.estimate import estimator, joint

_KEYS = {
  "file",
  "status",
  "error",
  "reason",
  "duration_s",
  "fps",
  "fps_nominal",
  "variable_rate",
  "damage",
  "speed",
  "speed_low",
  "speed_high",
  "segments",
  "decided_by",
  "declared",
  "picture",
  "warning",
  "clock",
  "clocks",
}


@pytest.fixture(scope="module")
def clip():
  return next(s.path for s in clips.package_clips() if "car" in s.path.name)


@pytest.fixture
def empty(tmp_path):
  path = tmp_path / "empty.mp4"
  path.write_bytes(b"")
  return path


def test_json_is_one_object_per_file_and_nothing_else(clip, make_video, capsys):
  files = [str(clip), str(make_video())]
  assert cli.main(["estimate", "--json", *files]) == 0
  answers = [json.loads(s) for s in capsys.readouterr().out.splitlines()]
  assert [answer["file"] for answer in answers] == files
  assert all(set(answer) == _KEYS for answer in answers)
  info = media.probe(clip)
  assert answers[0]["fps"] == pytest.approx(float(info.fps), abs=1e-3)
  assert answers[0]["duration_s"] == pytest.approx(info.duration_s, abs=0.1)
  low, speed, high = (
    answers[0][key] for key in ("speed_low", "speed", "speed_high")
  )
  assert 0 < low <= speed <= high


def test_segments_cover_the_video_in_order(clip, capsys):
  cli.main(["estimate", "--json", str(clip)])
  answer = json.loads(capsys.readouterr().out)
  edges = [(s["start_s"], s["end_s"]) for s in answer["segments"]]
  assert edges[0][0] == pytest.approx(0, abs=0.1)
  assert edges[-1][1] == pytest.approx(answer["duration_s"], abs=0.1)
  assert all(start < end for start, end in edges)
  assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]


def test_one_bad_file_does_not_end_the_batch(clip, empty, tmp_path, capsys):
  files = [str(empty), str(tmp_path / "missing.mp4"), str(clip)]
  assert cli.main(["estimate", "--json", *files]) == 2
  captured = capsys.readouterr()
  answers = [json.loads(line) for line in captured.out.splitlines()]
  assert [a["status"] == "error" for a in answers] == [True, True, False]
  for answer, file in zip(answers[:2], files[:2], strict=True):
    assert file in answer["error"]
    assert "\n" not in answer["error"]
    assert answer["speed"] is None
    assert f"speedflow: {answer['error']}" in captured.err


def test_table_has_one_row_per_file(clip, empty, capsys):
  assert cli.main(["estimate", str(clip), str(empty)]) == 2
  rows = [line.split() for line in capsys.readouterr().out.splitlines()]
  (row,) = (row for row in rows if row[:1] == [str(clip)])
  assert "29.97" in row
  assert [str(empty), "error"] in rows


def test_csv_has_one_row_per_segment(clip, empty, tmp_path, capsys):
  out = tmp_path / "out.csv"
  cli.main(["estimate", "--json", str(clip), str(empty), "--csv", str(out)])
  answer = json.loads(capsys.readouterr().out.splitlines()[0])
  with out.open(newline="") as file:
    *rows, failed = csv.DictReader(file)
  assert len(rows) == len(answer["segments"])
  for row, segment in zip(rows, answer["segments"], strict=True):
    assert {k: float(row[k]) for k in segment} == segment
    assert row["file"] == str(clip)
  assert failed["status"] == "error"
  assert "empty" in failed["reason"]
  assert failed["speed"] == ""


def test_plot_draws_a_picture_or_a_page(clip, empty, tmp_path):
  files = [str(clip), str(empty)]
  picture, page = tmp_path / "out.png", tmp_path / "out.html"
  cli.main(["estimate", *files, "--plot", str(picture)])
  cli.main(["estimate", *files, "--plot", str(page)])
  assert image.imread(picture).ndim == 3
  assert page.read_text().count("<figure") == 8


def test_progress_on_a_terminal_leaves_the_results_alone(make_video, tmp_path):
  terminal, stderr = os.openpty()
  with (tmp_path / "out.jsonl").open("w+") as stdout:
    process = subprocess.Popen(
      [
        *(sys.executable, "-m", "speedflow.cli", "estimate", "--json"),
        *[str(make_video())] * 2,
      ],
      stdout=stdout,
      stderr=stderr,
      env=os.environ | {"TERM": "xterm"},
    )
    os.close(stderr)
    shown = b""
    # The terminal is gone, with an error, when its last writer is.
    with contextlib.suppress(OSError):
      while piece := os.read(terminal, 4096):
        shown += piece
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    stdout.seek(0)
    assert len([json.loads(line) for line in stdout]) == 2
  assert b"moving.mp4" in shown


def _start(*files):
  return subprocess.Popen(
    [sys.executable, "-m", "speedflow.cli", "estimate", "--json", *files],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_interrupted_batch_exits_with_130_and_no_traceback(make_video):
  process = _start(*[str(make_video())] * 1000)
  process.stdout.readline()
  process.send_signal(signal.SIGINT)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 130
  assert "Traceback" not in err


def test_reader_that_goes_away_ends_the_batch_quietly(make_video):
  process = _start(*[str(make_video())] * 1000)
  process.stdout.readline()
  process.stdout.close()
  err = process.stderr.read()
  assert process.wait(timeout=60) == 141
  assert "Traceback" not in err
  assert "Exception ignored" not in err


def test_interrupted_batch_leaves_what_is_finished(make_video, tmp_path):
  table, picture = tmp_path / "out.csv", tmp_path / "out.png"
  wanted = ["--csv", str(table), "--plot", str(picture)]
  process = _start(*wanted, *[str(make_video())] * 20)
  process.stdout.readline()
  process.send_signal(signal.SIGINT)
  out, err = process.communicate(timeout=60)
  assert process.returncode == 130
  assert err.splitlines()[-1] == "speedflow: interrupted"
  with table.open(newline="") as file:
    rows = list(csv.DictReader(file))
  # The first line was read above; Ctrl-C may come before a line is printed.
  assert len(rows) - (1 + len(out.splitlines())) in (0, 1)
  assert len(rows) < 20
  assert {row["status"] for row in rows} <= {"ok", "uncertain"}
  assert image.imread(picture).ndim == 3


@pytest.fixture
def answers(monkeypatch, make_estimate):
  """answers(stop): estimates whatever it is asked for, until it is stopped."""

  def patch(stop):
    def estimate(unused_estimator, file, on_progress):
      del on_progress
      if "stop" in file:
        stop(file)
      return make_estimate(file)

    monkeypatch.setattr(estimator, "load_estimator", object)
    monkeypatch.setattr(joint, "estimate", estimate)

  return patch


def _interrupt(file):
  raise KeyboardInterrupt


def _swallow(file):
  with contextlib.suppress(KeyboardInterrupt):
    os.kill(os.getpid(), signal.SIGINT)
    # It comes with the next byte code.
    for _ in range(1000):
      pass
  raise SpeedflowError(f"{file}: cut short by what was pressed")


@pytest.mark.parametrize("stop", [_interrupt, _swallow])
def test_what_is_under_way_is_not_finished(answers, stop, tmp_path, capsys):
  answers(stop)
  table = tmp_path / "out.csv"
  files = ["a.mp4", "b.mp4", "stop.mp4", "c.mp4"]
  assert cli.main(["estimate", *files, "--csv", str(table)]) == 130
  with table.open(newline="") as file:
    assert [row["file"] for row in csv.DictReader(file)] == files[:2]
  captured = capsys.readouterr()
  assert "b.mp4" in captured.out
  assert captured.err == "speedflow: interrupted\n"


def test_nothing_is_written_where_nothing_is_finished(answers, tmp_path):
  answers(_interrupt)
  table = tmp_path / "out.csv"
  files = ["stop.mp4", "a.mp4"]
  assert cli.main(["estimate", *files, "--csv", str(table)]) == 130
  assert not table.exists()


def test_names_neither_end_lines_nor_steer_the_terminal(
  answers, tmp_path, capsys
):
  def refuse(file):
    raise SpeedflowError(f"{file}: no video")

  answers(refuse)
  table = tmp_path / "out.csv"
  files = ["a\n\x1b[31m.mp4", "stop\t\x07.mp4"]
  assert cli.main(["estimate", *files, "--csv", str(table)]) == 2
  captured = capsys.readouterr()
  assert captured.err == "speedflow: stop\\t\\x07.mp4: no video\n"
  assert r"a\n\x1b[31m.mp4" in captured.out
  assert r"stop\t\x07.mp4" in captured.out
  assert not set("\x1b\x07\t") & set(captured.out)
  # Programs get them as they are.
  with table.open(newline="") as file:
    assert [row["file"] for row in csv.DictReader(file)] == files
  cli.main(["estimate", "--json", *files])
  found = map(json.loads, capsys.readouterr().out.splitlines())
  assert [answer["file"] for answer in found] == files


def test_no_name_becomes_a_formula(answers, tmp_path):
  answers(_interrupt)
  table = tmp_path / "out.csv"
  files = ["=HYPERLINK(1).mp4", "@a.mp4", "\t+b.mp4", "c=d.mp4"]
  cli.main(["estimate", *files, "--csv", str(table)])
  with table.open(newline="") as file:
    rows = list(csv.DictReader(file))
  assert [row["file"] for row in rows] == [
    *(f"'{name}" for name in files[:3]),
    files[3],
  ]
  assert all(float(row["speed"]) == 2 for row in rows)
