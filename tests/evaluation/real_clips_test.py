import hashlib

import pytest

from speedflow.errors import SpeedflowError
from speedflow.evaluation import real_clips


def test_the_folder_is_the_one_that_is_named(tmp_path, monkeypatch):
  table = b"file,split\nclips/a.mp4,test\n"
  (tmp_path / "clips.csv").write_bytes(table)
  monkeypatch.setenv("SPEEDFLOW_DATA", str(tmp_path))
  folder = real_clips.folder()
  assert real_clips.rows(folder) == [{"file": "clips/a.mp4", "split": "test"}]
  assert real_clips.fingerprint(folder) == hashlib.sha256(table).hexdigest()


def test_a_source_is_seen_once_a_clip_of_it_is(tmp_path):
  (tmp_path / "clips.csv").write_text(
    "file,split,source\nclips/a.mp4,test,known\nclips/b.mp4,test,new\n"
    "clips/c.mp4,val,known\nclips/d.mp4,train,other\n"
  )
  assert real_clips.never_seen(tmp_path) == {"clips/b.mp4"}


@pytest.mark.parametrize("named", ["", None])
def test_without_a_name_the_remedy_is_told(named, monkeypatch):
  monkeypatch.delenv("SPEEDFLOW_DATA", raising=False)
  if named is not None:
    monkeypatch.setenv("SPEEDFLOW_DATA", named)
  with pytest.raises(SpeedflowError, match=r"clips\.csv and clips/"):
    real_clips.folder()
