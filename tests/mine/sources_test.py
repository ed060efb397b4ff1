"""What the arguments of `speedflow mine` mean."""

import os

import pytest

from speedflow.errors import SpeedflowError
from speedflow.mine import sources


@pytest.fixture
def folder(tmp_path):
  for name in ("a.mp4", "deep/b.MOV", "notes.pdf", ".hidden.mp4"):
    path = tmp_path / "videos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
  return tmp_path / "videos"


def test_a_folder_is_all_videos_below_it(folder):
  wanted = [str(folder / "a.mp4"), str(folder / "deep" / "b.MOV")]
  assert sources.expand([str(folder)]) == wanted


def test_pattern_list_and_file_name_each_file_once(folder, tmp_path):
  listed = tmp_path / "list.txt"
  listed.write_text(f"{folder / 'a.mp4'}\n\n{folder / 'missing.mp4'}\n")
  found = sources.expand(
    [str(folder / "*.mp4"), str(listed), str(folder / "a.mp4")]
  )
  # Hidden files are not what a pattern means; missing ones are mined, to fail.
  assert found == [str(folder / "a.mp4"), str(folder / "missing.mp4")]


def test_urls_are_listed_and_copied(folder):
  url = folder.as_uri()
  found = sources.expand([url])
  assert [name.rsplit("/", 1)[1] for name in found] == ["a.mp4", "b.MOV"]
  with sources.local(found[0], 100) as copy, open(copy, "rb") as file:
    assert file.read() == b"a.mp4"
  assert not os.path.exists(copy)


def test_too_large_a_remote_file_is_not_copied(folder):
  (url, _) = sources.expand([folder.as_uri()])
  with pytest.raises(SpeedflowError, match="5 bytes"), sources.local(url, 4):
    pass


def test_nothing_to_mine_is_said(tmp_path):
  with pytest.raises(SpeedflowError, match="no videos"):
    sources.expand([str(tmp_path)])


def test_unknown_store_is_said():
  with pytest.raises(SpeedflowError, match="nostore"):
    sources.expand(["nostore://bucket/a.mp4"])


def test_fingerprint_follows_the_content_alone(folder, tmp_path):
  copy = tmp_path / "copy.mp4"
  copy.write_bytes((folder / "a.mp4").read_bytes())
  assert sources.fingerprint(str(copy)) == sources.fingerprint(
    str(folder / "a.mp4")
  )
  copy.write_bytes(b"other")
  assert sources.fingerprint(str(copy)) != sources.fingerprint(
    str(folder / "a.mp4")
  )


def test_what_never_ends_is_not_read(tmp_path):
  pipe = tmp_path / "pipe.mp4"
  os.mkfifo(pipe)
  for source, kind in ((str(pipe), "a pipe"), (os.devnull, "a device")):
    with pytest.raises(SpeedflowError, match=f"no regular file .{kind}"):
      sources.fingerprint(source)


def test_a_list_may_name_files_in_any_bytes(folder, tmp_path):
  name = os.fsdecode(bytes(folder) + b"/caf\xe9.mp4")
  with open(name, "wb") as file:
    file.write(b"a")
  listed = tmp_path / "list.txt"
  # A form feed is a character of a name, and no end of a line.
  listed.write_bytes(
    b"\xef\xbb\xbf" + os.fsencode(name) + b"\r\nmissing\xfe\x0c.mp4\n"
  )
  found = sources.expand([str(listed)])
  assert found == [name, os.fsdecode(b"missing\xfe\x0c.mp4")]
  assert sources.fingerprint(name)


def test_a_list_that_cannot_be_read_is_said(tmp_path, monkeypatch):
  listed = tmp_path / "list.txt"
  listed.write_text("a.mp4\n")

  def refuse(path):
    raise PermissionError(13, "Permission denied", str(path))

  monkeypatch.setattr(type(listed), "read_bytes", refuse)
  with pytest.raises(SpeedflowError, match=r"list\.txt: cannot be read"):
    sources.expand([str(listed)])
