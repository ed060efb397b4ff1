"""`speedflow attribute` on Wan, from folders of latents to a folder."""

import csv
import json

import pytest

from experiments.wan import stand_in
from speedflow import cli
from speedflow.data import records
from speedflow.wan import latents
from tests.attribute import conftest as small

wan_folder = small.wan_folder
make_latents, write_latents = small.make_latents, small.write_latents
make_track, write_tracks = small.make_track, small.write_tracks


@pytest.fixture
def ask(write_latents, make_latents, wan_folder, tmp_path):
  """Gives `ask(*more)`: asks one query about six clips; the exit code."""
  data, queries = tmp_path / "data", tmp_path / "queries"
  write_latents(data)
  fields = json.loads((wan_folder / "vae" / "config.json").read_text())
  for folder in (data, queries):
    folder.mkdir(exist_ok=True)
    spec = json.dumps({"autoencoder": fields})
    (folder / latents.SPEC).write_text(spec)
  path = records.shard_path(queries, "toy", "val", 0, 1, "tfrecord")
  with records.RecordWriter(path) as writer:
    writer.write(make_latents("asked", 4).encode())

  def run(*more, out=tmp_path / "out", weights=wan_folder):
    return cli.main(
      [
        *("attribute", "--queries", str(queries), "--data", str(data)),
        *("--out", str(out), "--weights", str(weights), "--top", "0.34", *more),
      ]
    )

  return run


def _ranked(out):
  with (out / "influences.csv").open(newline="") as file:
    return list(csv.DictReader(file))


def test_a_query_among_the_clips_teaches_itself(ask, tmp_path, capfd):
  assert ask() == 0
  assert "6 clips ranked, 2 selected" in capfd.readouterr().out
  ranked = _ranked(tmp_path / "out")
  assert len(ranked) == 6
  assert ranked[0]["id"] == "clip1/1"
  assert float(ranked[0]["influence"]) == pytest.approx(1, abs=0.01)
  assert float(ranked[1]["influence"]) < 0.9
  page = (tmp_path / "out" / "index.html").read_text()
  assert page.count("data:video/mp4") == 1 + 2 * 4
  assert "latents are decoded" in page


def test_low_rank_matrices_are_asked_alone(ask, tmp_path, capfd):
  assert ask("--adapter-rank=2") == 0
  ranked = _ranked(tmp_path / "out")
  assert ranked[0]["id"] == "clip1/1"
  told = json.loads((tmp_path / "out" / "influences.json").read_text())
  assert told["settings"]["adapter_rank"] == 2
  capfd.readouterr()
  # Features of all parameters are not mixed with them.
  assert ask() == 2
  assert "other weights, settings" in capfd.readouterr().err


def test_two_hosts_give_what_one_gives(ask, tmp_path, capfd):
  ask()
  shared = tmp_path / "shared"
  capfd.readouterr()
  assert ask("--part=1/2", out=shared) == 0
  assert "1 files of records are left" in capfd.readouterr().out
  assert ask("--part=2/2", out=shared) == 0
  for name in ("influences.csv", "selection.csv"):
    one = (tmp_path / "out" / name).read_bytes()
    assert (shared / name).read_bytes() == one


@pytest.mark.parametrize(
  ("more", "says"),
  [
    (("--adapter-rank=-1",), "--adapter-rank is -1"),
    (("--query-speed=2",), "--query-speed is not read by Wan"),
    (("--split=dev",), "no records of latents of the split 'dev'"),
    (("--queries=nowhere",), "nowhere: no queries"),
    (("--weights=tiny", "--adapter-rank=2"), "is read by Wan alone"),
  ],
)
def test_a_wish_that_cannot_be_is_one_line(ask, tmp_path, capfd, more, says):
  assert ask(*more) == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert says in line
  assert not (tmp_path / "out").exists()


def _other_autoencoder(root):
  (root / "queries" / latents.SPEC).write_text(
    json.dumps({"autoencoder": {"z_dim": 99}})
  )


@pytest.mark.parametrize(
  ("spoil", "says"),
  [
    (_other_autoencoder, "queries: these latents are of another autoencoder"),
    (
      lambda root: (root / "queries" / "a.mp4").write_bytes(b""),
      "a.mp4: Wan is asked about records of latents; write them with",
    ),
  ],
  ids=["autoencoder", "video"],
)
def test_queries_that_do_not_suit_are_named(ask, tmp_path, capfd, spoil, says):
  spoil(tmp_path)
  assert ask() == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert says in line


def test_latents_of_another_size_are_named(ask, write_latents, tmp_path, capfd):
  write_latents(tmp_path / "data", shape=(3, 4, 4, 4))
  assert ask() == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert "00000-of-00003: clip0/0: latents of (3, 4, 4, 4), where" in line


def test_records_of_something_else_are_named(
  ask, write_tracks, tmp_path, capfd
):
  for path in records.all_shards(tmp_path / "data"):
    path.unlink()
  write_tracks(tmp_path / "data")
  assert ask() == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert "00000-of-00002: not a record of latents" in line


@pytest.mark.parametrize(
  ("changed", "speed", "says"),
  [
    ({}, False, "have not learnt speed"),
    ({"in_channels": 4}, True, "takes 4 channels"),
  ],
  ids=["speed", "channels"],
)
def test_a_wan_that_does_not_suit_is_named(
  ask, tmp_path, capfd, changed, speed, says
):
  sizes = dict(stand_in.TINY)
  sizes["transformer"] = {**sizes["transformer"], **changed}
  stand_in.write(tmp_path / "other", sizes, speed=speed)
  assert ask(weights=tmp_path / "other") == 2
  (line,) = capfd.readouterr().err.splitlines()
  assert says in line
