"""`speedflow superres`, from a file to a file."""

import json

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


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, capsys):
  bad, out = tmp_path / "bad.mp4", tmp_path / "out.mp4"
  bad.write_text("no video")
  assert cli.main(["superres", str(bad), str(out)]) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert str(bad) in line
  assert not out.exists()
