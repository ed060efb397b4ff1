"""`speedflow data latents`: clips encoded once."""

import shutil

import numpy as np
import pytest

from experiments.wan import stand_in
from speedflow import cli
from speedflow.data.records import RecordSource, all_shards, split_shards
from speedflow.wan import latents


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
  folder = tmp_path_factory.mktemp("wan")
  stand_in.write(folder)
  return folder


def _build(records_root, out, pipeline, *more):
  return cli.main(
    [
      *("data", "latents", str(records_root / "records" / "clips"), str(out)),
      *("--weights", str(pipeline), "--frames", "9", "--size", "48x32"),
      *("--clips", "2", *more),
    ]
  )


@pytest.fixture(scope="module")
def built(records_root, pipeline, tmp_path_factory):
  out = tmp_path_factory.mktemp("latents") / "out"
  assert _build(records_root, out, pipeline) == 0
  return out


def _decoded(folder, split="train"):
  source = RecordSource(split_shards(folder, split))
  return [latents.LatentRecord.decode(record) for record in source]


def test_records_hold_what_training_needs(built):
  records = _decoded(built)
  assert len(records) == 12
  assert len(_decoded(built, "val")) == 1
  for record in records:
    assert record.latents.shape == record.beside.shape == (3, 4, 6, 4)
    assert np.isfinite(record.latents.astype(float)).all()
    assert record.words.shape[1] == 16
    assert 1 <= len(record.words) <= 512
    assert record.image.shape == (5, 16)
    assert record.known.shape == record.log2_step.shape == (9,)
    assert record.known[0] >= 0.5
    assert record.text == "bodies under gravity, rendered"
  assert len({record.task for record in records}) > 1
  assert len({tuple(record.log2_step) for record in records}) > 1
  nothing = latents.load_nothing(built)
  assert nothing["beside"].shape == (3, 4, 6, 4)
  assert not nothing["image"].any()


def test_what_is_known_is_encoded_alone(built):
  nothing = latents.load_nothing(built)["beside"].astype(float)
  first = [r for r in _decoded(built) if r.task == "first"]
  for record in first:
    beside = record.beside.astype(float)
    # The first latent frame is that of the clip itself.
    np.testing.assert_allclose(
      beside[0], record.latents[0].astype(float), atol=0.02
    )
    assert not np.allclose(beside[0], nothing[0], atol=0.02)


def test_what_is_there_is_kept_until_something_else_is_asked_for(
  built, records_root, pipeline, capsys
):
  before = {path: path.stat().st_mtime_ns for path in all_shards(built)}
  lost = split_shards(built, "val")[0]
  lost.unlink()
  assert _build(records_root, built, pipeline) == 0
  after = {path: path.stat().st_mtime_ns for path in all_shards(built)}
  assert {p for p in before if before[p] != after[p]} == {lost}
  assert _build(records_root, built, pipeline, "--seed", "1") == 0
  anew = {path: path.stat().st_mtime_ns for path in all_shards(built)}
  assert all(after[path] != anew[path] for path in after)
  assert _build(records_root, built, pipeline) == 0


def test_records_of_other_shots_are_encoded_anew(
  built, records_root, pipeline, tmp_path, capsys
):
  out, clips = tmp_path / "out", tmp_path / "records" / "clips"
  shutil.copytree(built, out)
  shutil.copytree(records_root / "records" / "clips", clips)
  (val,), (train,) = (split_shards(clips, s) for s in ("val", "train"))
  train.write_bytes(val.read_bytes())
  assert _build(tmp_path, out, pipeline) == 0
  assert len(_decoded(out)) == 1


def test_shots_that_are_all_too_short_are_one_line(
  records_root, pipeline, tmp_path, capsys, monkeypatch
):
  # What nothing is encoded as would be compiled for so many frames.
  monkeypatch.setattr(
    latents._Job, "nothing", lambda job: {"words": np.zeros((1, 16))}
  )
  more = ("--frames", "801")
  assert _build(records_root, tmp_path / "out", pipeline, *more) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert "no shot in it is long enough for a clip of 801 frames" in line


def test_records_of_something_else_are_named(
  built, pipeline, tmp_path, capsys, monkeypatch
):
  (tmp_path / "records").mkdir()
  shutil.copytree(built, tmp_path / "records" / "clips")
  assert _build(tmp_path, tmp_path / "out", pipeline) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert "tfrecord-00000-of-00001: not a record of a shot" in line
  assert "while running" not in line


@pytest.mark.parametrize(
  ("more", "said"),
  [
    (("--frames", "12"), "--frames is 12"),
    (("--size", "40x32"), "multiples of 16"),
    (("--clips", "0"), "--clips is 0"),
    (("--tasks", "first,last"), "'last', which is none of"),
    (("--weights", "nowhere"), "nowhere"),
  ],
)
def test_bad_wishes_are_refused(
  more, said, records_root, pipeline, tmp_path, capsys
):
  assert _build(records_root, tmp_path / "out", pipeline, *more) == 2
  error = capsys.readouterr().err
  assert said in error
  assert error.count("\n") == 1
