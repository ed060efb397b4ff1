"""Claims: what may be written, replaced and removed, and what may not."""

import json
import os

import pytest

from speedflow import errors
from speedflow.output import atomic, claims, locks


def _never(path):
  del path
  return False


def _claim_file(path, **options):
  return claims.claim("test", files={path: _never}, **options)


def _claim_folder(folder, **options):
  return claims.claim("test", folders=[folder], **options)


def _write(path, text="made"):
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(text)


def _refused(match, **options):
  with (
    pytest.raises(errors.SpeedflowError, match=match) as refused,
    claims.claim("test", **options),
  ):
    pass
  assert "\n" not in str(refused.value)


# -- Outputs against inputs and each other ------------------------------------


@pytest.mark.parametrize("how", ["same", "symlink", "hard link", "dotted"])
def test_output_that_is_an_input_is_refused(tmp_path, how):
  video = tmp_path / "in.mp4"
  video.write_bytes(b"pictures")
  other = tmp_path / "out.csv"
  if how == "same":
    other = video
  elif how == "symlink":
    other.symlink_to(video)
  elif how == "hard link":
    os.link(video, other)
  else:
    (tmp_path / "sub").mkdir()
    other = tmp_path / "sub" / ".." / "in.mp4"
  _refused("input and output", files={other: _never}, inputs=[video])
  assert video.read_bytes() == b"pictures"
  assert not list(tmp_path.glob(".*"))


def test_two_outputs_of_one_name_are_refused(tmp_path):
  (tmp_path / "link.html").symlink_to(tmp_path / "a.html")
  files = {tmp_path / "a.html": _never, tmp_path / "link.html": _never}
  _refused("two outputs", files=files)


def test_folder_that_is_read_is_not_filled(tmp_path):
  _refused("one folder", folders=[tmp_path], inputs=[tmp_path])


def test_urls_are_no_files(tmp_path):
  with claims.claim("t", folders=[tmp_path / "o"], inputs=["gs://a/b.mp4"]):
    pass


# -- What is there already ----------------------------------------------------


def test_file_of_somebody_else_stays_unless_told(tmp_path):
  path = tmp_path / "a.csv"
  path.write_text("mine")
  _refused("--overwrite", files={path: _never})
  assert path.read_text() == "mine"
  with _claim_file(path, overwrite=True):
    _write(path)
  assert path.read_text() == "made"


def test_own_or_empty_file_is_replaced(tmp_path):
  path = tmp_path / "a.csv"
  path.touch()
  with _claim_file(path):
    _write(path, "one")
  with claims.claim("t", files={path: lambda p: p.read_text() == "one"}):
    _write(path, "two")
  assert path.read_text() == "two"


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path):
  path = tmp_path / "a.csv"
  with (
    pytest.raises(errors.SpeedflowError, match="not made by"),
    _claim_file(path),
  ):
    path.write_text("somebody's")
    _write(path)
  assert path.read_text() == "somebody's"
  assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_folder_or_pipe_in_place_of_a_file_is_refused(tmp_path):
  (tmp_path / "folder").mkdir()
  os.mkfifo(tmp_path / "pipe")
  _refused("a folder", files={tmp_path / "folder": _never})
  _refused("a pipe", files={tmp_path / "pipe": _never}, overwrite=True)
  _refused("a device", files={"/dev/null": _never}, overwrite=True)


def test_path_below_a_file_is_refused(tmp_path):
  (tmp_path / "file").write_text("text")
  _refused("could not be", files={tmp_path / "file" / "a.csv": _never})
  _refused("could not be", folders=[tmp_path / "file" / "out"])
  _refused("could not be", folders=[tmp_path / "file"])


def test_linked_output_is_written_where_the_link_points(tmp_path):
  real = tmp_path / "disk" / "a.csv"
  real.parent.mkdir()
  link = tmp_path / "a.csv"
  link.symlink_to(real)
  with _claim_file(link):
    _write(link)
  assert link.is_symlink()
  assert real.read_text() == "made"


def test_long_names_are_locked_and_written(tmp_path):
  path = tmp_path / ("\u00e9" * 125 + ".csv")  # 254 bytes.
  with _claim_file(path):
    _write(path)
  assert list(tmp_path.iterdir()) == [path]


def test_folders_that_were_made_for_nothing_go_again(tmp_path):
  with _claim_folder(tmp_path / "a" / "b"):
    pass
  assert not list(tmp_path.iterdir())


# -- Folders ------------------------------------------------------------------


def test_folder_keeps_what_it_does_not_list(tmp_path):
  tempting = [".a.csv.0123456789ab.csv", "a-2.csv", ".lock", "sub/a.csv"]
  (tmp_path / "sub").mkdir()
  for name in tempting:
    (tmp_path / name).write_text("somebody's")
  with _claim_folder(tmp_path):
    _write(tmp_path / "a.csv")
    assert claims.files(tmp_path) == [tmp_path / "a.csv"]
    for name in tempting:
      assert not claims.remove(tmp_path / name)
  with _claim_folder(tmp_path):
    assert claims.remove(tmp_path / "a.csv")
  assert {(tmp_path / n).read_text() for n in tempting} == {"somebody's"}


def test_own_file_that_somebody_changed_is_not_replaced(tmp_path):
  path = tmp_path / "a.csv"
  with _claim_folder(tmp_path):
    _write(path)
  path.write_text("made, and annotated")
  with (
    _claim_folder(tmp_path),
    pytest.raises(errors.SpeedflowError, match="changed since"),
  ):
    _write(path)
  with _claim_folder(tmp_path):
    assert not claims.remove(path)
  assert path.read_text() == "made, and annotated"


def test_killed_run_is_cleared_up_by_exact_name(tmp_path):
  path = tmp_path / "files" / "a.csv"
  with _claim_folder(tmp_path), atomic.atomic_path(path) as temporary:
    temporary.write_text("half")
    left = {
      p: p.read_bytes() for p in (temporary, tmp_path / ".speedflow.lock")
    }
    temporary.write_text("whole")
  # As if it had been killed in the block.
  path.unlink()
  for name, content in left.items():
    name.write_bytes(content)
  bystander = temporary.with_name(".a.ffffffffffff.csv")
  bystander.write_text("somebody's")
  with _claim_folder(tmp_path):
    assert not temporary.exists()
    _write(path)
  assert sorted(p.name for p in path.parent.iterdir()) == [
    bystander.name,
    "a.csv",
  ]


def test_file_that_a_killed_run_finished_is_ours(tmp_path):
  path = tmp_path / "a.csv"
  with _claim_folder(tmp_path):
    _write(path)
    journal = (tmp_path / ".speedflow.lock").read_bytes()
  (tmp_path / claims.RECORD).unlink()
  (tmp_path / ".speedflow.lock").write_bytes(journal)
  with _claim_folder(tmp_path):
    _write(path, "again")
  assert path.read_text() == "again"


def test_file_that_grows_is_known_by_its_name(tmp_path):
  path = tmp_path / "log.jsonl"
  with _claim_folder(tmp_path):
    claims.adopt(path)
    path.write_text("one\n")
  path.write_text("one\ntwo\n")
  with _claim_folder(tmp_path):
    _write(path, "one\n")
  assert path.read_text() == "one\n"


def test_journal_removes_nothing_outside_its_folder(tmp_path):
  outside = tmp_path / ".precious"
  outside.write_text("somebody's")
  out = tmp_path / "out"
  out.mkdir()
  lines = [{"speedflow": "t", "pid": 1}, {"temporary": "../.precious"}]
  (out / ".speedflow.lock").write_text("\n".join(map(json.dumps, lines)))
  with _claim_folder(out):
    pass
  assert outside.exists()


def test_workers_write_under_the_claim_of_another_process(tmp_path):
  path = tmp_path / "a.csv"
  path.write_text("somebody's")
  lock = locks.Lock.acquire(tmp_path / ".speedflow.lock", "test", "out")
  claims.join(tmp_path)
  with pytest.raises(errors.SpeedflowError, match="not made by"):
    _write(path)
  _write(tmp_path / "b.csv")
  lock.release(remove=False)
  names = [entry.get("final") for entry in lock.earlier]
  assert names == []
  noted = locks.journal(tmp_path / ".speedflow.lock")
  assert "b.csv" in [entry.get("final") for entry in noted]


def test_parts_share_a_folder_and_the_last_settles(tmp_path):
  first = claims.claim("t", folders=[tmp_path], part=(0, 2))
  second = claims.claim("t", folders=[tmp_path], part=(1, 2))
  with first:
    with second:
      _refused("is writing it", folders=[tmp_path])
      _refused("is writing it", folders=[tmp_path], part=(0, 2))
      _write(tmp_path / "b.csv")
    _write(tmp_path / "a.csv")
  with _claim_folder(tmp_path):
    _write(tmp_path / "a.csv", "again")
    _write(tmp_path / "b.csv", "again")
  names = {p.name for p in tmp_path.iterdir()}
  assert names == {"a.csv", "b.csv", claims.RECORD}


def test_record_that_is_none_is_not_believed(tmp_path):
  (tmp_path / claims.RECORD).write_text("text")
  _refused("not readable", folders=[tmp_path])
