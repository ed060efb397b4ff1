import collections

import pytest

from speedflow.data import catalogue
from speedflow.errors import SpeedflowError


def _touch(folder, *names):
  for name in names:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _table(folder, text):
  path = folder / "clips.csv"
  path.write_text(text)
  return path


def test_videos_are_found_in_folders_below_and_other_files_ignored(tmp_path):
  _touch(tmp_path, "b.mp4", "deep/er/a.MOV", "notes.txt", "clip.srt")
  clips = catalogue.from_folder(tmp_path)
  assert [clip.name for clip in clips] == ["b", "a"]
  assert clips[1].path == str(tmp_path / "deep/er/a.MOV")
  assert {clip.source for clip in clips} == {"b.mp4", "deep/er/a.MOV"}


def test_files_of_the_same_name_keep_apart(tmp_path):
  _touch(tmp_path, "x/a.mp4", "y/a.mp4", "b.mp4")
  names = {clip.name for clip in catalogue.from_folder(tmp_path)}
  assert names == {"b", "x__a.mp4", "y__a.mp4"}


def test_the_table_says_what_is_known(tmp_path):
  _table(
    tmp_path,
    "file,split,capture_fps,speed,label,scene_group,commit\n"
    "v/a.mp4,test,240,0.125,known,g1,123\n"
    "v/b.mp4,,,,,,\n",
  )
  one, other = catalogue.from_folder(tmp_path)
  assert (one.split, one.capture_fps, one.speed) == ("test", 240.0, 0.125)
  assert (one.label, one.scene_group) == ("known", "g1")
  assert (other.capture_fps, other.speed, other.label) == (0, 0, "unknown")
  assert other.split in catalogue.DEFAULT_FRACTIONS


def test_a_group_is_never_torn_apart(tmp_path):
  rows = [f"{i}.mp4,group{i % 5}\n" for i in range(50)]
  _table(tmp_path, "file,scene_group\n" + "".join(rows))
  splits = collections.defaultdict(set)
  for clip in catalogue.from_folder(tmp_path):
    splits[clip.scene_group].add(clip.split)
  assert all(len(found) == 1 for found in splits.values())


def test_shares_of_the_splits_are_as_asked_for():
  count = collections.Counter(
    catalogue.choose_split(f"source {i}", {"train": 3, "val": 1})
    for i in range(4000)
  )
  assert count["train"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_a_new_video_does_not_move_the_others(tmp_path):
  _touch(tmp_path, *(f"{i}.mp4" for i in range(20)))
  before = {clip.path: clip.split for clip in catalogue.from_folder(tmp_path)}
  _touch(tmp_path, "0a.mp4")
  after = {clip.path: clip.split for clip in catalogue.from_folder(tmp_path)}
  assert before.items() <= after.items()


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("name\na.mp4\n", "no file is named in column `file`"),
    ("file,speed\na.mp4,fast\n", "row 2: speed is 'fast'; wanted a number"),
    ("file,speed\na.mp4,-1\n", "row 2: speed is '-1'"),
    ("file,capture_fps\na.mp4,nan\n", "row 2: capture_fps is 'nan'"),
    ("file,label\na.mp4,sure\n", "label 'sure' is unknown"),
    ("file,split\na.mp4,my split\n", "split 'my split' is not a name"),
    ("file\na.mp4\na.mp4\n", "listed 2 times"),
    ("file\n", "no videos"),
  ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, message):
  path = _table(tmp_path, text)
  with pytest.raises(SpeedflowError, match=message):
    catalogue.from_folder(tmp_path, path)


def test_folders_without_videos_are_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="no videos"):
    catalogue.from_folder(tmp_path)
  with pytest.raises(SpeedflowError, match="not a folder"):
    catalogue.from_folder(tmp_path / "missing")
  with pytest.raises(SpeedflowError, match="not readable as a table"):
    catalogue.from_folder(tmp_path, tmp_path / "missing.csv")


@pytest.mark.parametrize(
  "name", ["../a.mp4", "v/../../a.mp4", "..", "/etc/a.mp4", "//a.mp4"]
)
def test_a_table_may_not_lead_out_of_its_folder(tmp_path, name):
  _table(tmp_path, f"file\nb.mp4\n{name}\n")
  with pytest.raises(SpeedflowError) as caught:
    catalogue.from_folder(tmp_path)
  message = str(caught.value)
  assert f"clips.csv, row 3: file {name!r} is not below" in message
  assert "move the video there" in message


def test_what_stays_in_the_folder_is_taken(tmp_path):
  outside = tmp_path / "outside"
  inside = tmp_path / "inside"
  _touch(outside, "a.mp4")
  _touch(inside, "b.mp4", "..c.mp4")
  # A link is the deliberate act of whoever owns the folder.
  (inside / "linked").symlink_to(outside)
  _table(inside, "file\nlinked/a.mp4\nv/../b.mp4\n..c.mp4\n")
  names = {clip.name for clip in catalogue.from_folder(inside)}
  assert names == {"a", "b", "..c"}
