"""`speedflow events`."""

from speedflow import cli


def test_a_collection_is_listened_to(make_video, tmp_path, capsys):
  make_video("videos/mute.mp4")
  out = tmp_path / "events"
  code = cli.main(["events", str(tmp_path / "videos"), str(out)])
  assert code == 0
  assert capsys.readouterr().out == (
    "1 files, 0 unreadable, 1 missing, 0 silent, 0 music, 0 events\n"
  )
  assert list(out.glob("speed_changes.tfrecord-*"))


def test_a_folder_that_does_not_exist_is_named(tmp_path, capsys):
  assert cli.main(["events", str(tmp_path / "none"), str(tmp_path)]) == 2
  assert "not a folder" in capsys.readouterr().err
