"""`speedflow superres`, from a file to a file."""

import json

import pytest

from speedflow import cli, media


def test_twice_the_frames_take_the_same_time(make_video, tmp_path):
  out = tmp_path / "out.mp4"
  video = make_video()
  assert cli.main(["superres", str(video), str(out), "--factor", "2"]) == 0
  given, made = media.probe(video), media.probe(out)
  assert made.fps == 2 * given.fps
  assert abs(made.duration_s - given.duration_s) < 1e-3
  frames = json.loads((tmp_path / "out.mp4.json").read_text())["frames"]
  assert [f["kind"] for f in frames[:4:2]] == ["observed", "observed"]


def test_a_report_is_written(make_video, tmp_path):
  out, page = tmp_path / "out.mp4", tmp_path / "page.html"
  video = make_video(frames=4)
  command = ["superres", str(video), str(out), "--report", str(page), "--mark"]
  assert cli.main([*command, "--exposure", "0"]) == 0
  assert "What it cannot know" in page.read_text()


@pytest.mark.parametrize(
  ("option", "value"),
  [("--report", "page.txt"), ("--exposure", "long"), ("--fps", "1/0")],
)
def test_options_that_make_no_sense_are_refused(
  make_video, tmp_path, capsys, option, value
):
  with pytest.raises(SystemExit):
    cli.main(["superres", str(make_video()), "out.mp4", option, value])
  assert value in capsys.readouterr().err


def test_an_output_that_is_no_video_is_told_at_once(make_video, capsys):
  assert cli.main(["superres", str(make_video()), "out.avi"]) == 2
  assert ".mp4, .mov, .mkv" in capsys.readouterr().err


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, capsys):
  bad, out = tmp_path / "bad.mp4", tmp_path / "out.mp4"
  bad.write_text("no video")
  assert cli.main(["superres", str(bad), str(out)]) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert str(bad) in line
  assert not out.exists()
