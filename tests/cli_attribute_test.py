"""`speedflow attribute`, from folders to a folder."""

import csv
import dataclasses
import json

import pytest

from speedflow import cli
from speedflow.data import selection, tracks
from speedflow.data.records import RecordWriter, read_records
from tests.attribute import conftest as small

maker, weights = small.maker, small.weights
make_track, write_tracks = small.make_track, small.write_tracks


@pytest.fixture
def ask(write_tracks, make_track, make_video, weights, tmp_path):
  """Gives `ask(*more)`: asks two queries about six clips; the exit code."""
  data, queries = tmp_path / "tracks", tmp_path / "queries"
  write_tracks(data)
  queries.mkdir()
  make_video(queries / "moving.mp4", frames=25)
  write_tracks(queries, "val")[1].unlink()

  def run(*more, out=tmp_path / "out", top="0.34"):
    return cli.main(
      [
        *("attribute", "--queries", str(queries), "--data", str(data)),
        *("--out", str(out), "--weights", str(weights), "--top", top, *more),
      ]
    )

  return run


def read(path):
  with path.open(newline="") as file:
    return list(csv.DictReader(file))


def test_clips_are_ranked_shown_and_selected(ask, tmp_path, capfd):
  assert ask() == 0
  out = tmp_path / "out"
  assert "6 clips ranked, 2 selected" in capfd.readouterr().out

  ranked = read(out / "influences.csv")
  assert [int(row["rank"]) for row in ranked] == [1, 2, 3, 4, 5, 6]
  told = json.loads((out / "influences.json").read_text())
  # A video, and right, left and down.
  asked = {query["id"] for query in told["queries"]}
  assert asked == {"moving.mp4", "right/0", "left/0", "down/0"}
  (right,) = (q for q in told["queries"] if q["id"] == "right/0")
  # The query is among the clips, and teaches itself best; "right/1", the same
  # motion for longer, comes as near as can be told.
  assert right["positive"][0]["id"] in ("right/0", "right/1")
  assert right["positive"][0]["influence"] == pytest.approx(1, abs=0.01)
  assert right["negative"][0]["influence"] < right["positive"][0]["influence"]

  weights = selection.read(out / "selection.csv")
  chosen = {name for name, weight in weights.items() if weight}
  assert chosen == {row["id"] for row in ranked[:2]}
  page = (out / "index.html").read_text()
  assert page.count("taught against it") >= 4
  assert page.count("data:video/mp4") > 4
  assert "http" not in page.replace("http-equiv", "")


def test_the_worst_can_be_dropped_instead(ask, tmp_path):
  assert ask("--drop") == 0
  ranked = read(tmp_path / "out" / "influences.csv")
  weights = selection.read(tmp_path / "out" / "selection.csv")
  dropped = {name for name, weight in weights.items() if not weight}
  assert dropped == {row["id"] for row in ranked[-2:]}


def test_two_hosts_give_what_one_gives(ask, tmp_path, capfd):
  ask()
  capfd.readouterr()
  shared = tmp_path / "shared"
  assert ask("--part=1/2", out=shared) == 0
  assert "1 files of records are left" in capfd.readouterr().out
  assert not (shared / "selection.csv").exists()
  assert ask("--part=2/2", out=shared) == 0
  assert "3 new features" in capfd.readouterr().out
  for name in ("influences.csv", "selection.csv"):
    one = (tmp_path / "out" / name).read_bytes()
    assert (shared / name).read_bytes() == one


@pytest.mark.parametrize(
  ("more", "says"),
  [
    (("--top=0.9",), "top is 0.9"),
    (("--split=dev",), "no tracks of the split 'dev'"),
    (("--weights=huge",), "no such weights"),
    (("--queries=nowhere",), "nowhere: no queries"),
  ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
  ask, tmp_path, capfd, more, says
):
  assert ask(*more) == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert says in line
  assert not (tmp_path / "out").exists()


def test_a_damaged_query_is_named(ask, tmp_path, capfd):
  (tmp_path / "queries" / "broken.mp4").write_bytes(b"no video")
  assert ask() == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert "broken.mp4" in line


@pytest.mark.parametrize("part", ["0/2", "3/2", "half"])
def test_a_part_that_is_none_is_refused(ask, capfd, part):
  with pytest.raises(SystemExit, match="2"):
    ask(f"--part={part}")
  assert f"{part} is no part" in capfd.readouterr().err


def test_no_id_becomes_a_formula(ask, tmp_path):
  for path in (tmp_path / "tracks").glob("*.tfrecord-*"):
    shots = [tracks.TrackRecord.decode(record) for record in read_records(path)]
    with RecordWriter(path) as writer:
      for shot in shots:
        writer.write(dataclasses.replace(shot, id=f"={shot.id}").encode())
  assert ask() == 0
  out = tmp_path / "out"
  ids = {row["id"] for row in read(out / "influences.csv")}
  assert {"'=right/0", "'=left/1"} <= ids
  assert {row["id"] for row in read(out / "selection.csv")} == ids
  # Training knows the records by their own names.
  assert "=right/0" in selection.read(out / "selection.csv")
