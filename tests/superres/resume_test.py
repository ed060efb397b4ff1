"""A run that was killed leaves no half file, and goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from speedflow import api, media
from speedflow.errors import SpeedflowError
from speedflow.superres import rendering


class StopHereError(Exception):
  """Stands for whatever may end a run."""


@pytest.fixture
def clip(tmp_path):
  path = tmp_path / "in.mp4"
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (12, 90, 3), np.uint8).repeat(4, 0).repeat(4, 1)
  tone = np.sin(np.arange(16000) / 6).astype(np.float32)[:, None] / 2
  with media.VideoWriter(
    path, 25, (64, 48), audio=media.Audio(tone, 16000)
  ) as writer:
    for k in range(25):
      writer.write(np.ascontiguousarray(noise[:, 3 * k : 3 * k + 64]))
  return path


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch):
  monkeypatch.setattr(rendering, "_PIECE_FRAMES", (8, 8))


@pytest.fixture
def run(clip, untrained_weights):
  """Gives `run(out, stop_at=None, **options)`, which raises where it stops."""

  def run(out, stop_at=None, **options):
    def on_progress(done):
      if stop_at is not None and done > stop_at:
        raise StopHereError

    options = {"factor": 4, "exposure": 0.5} | options
    return api.superres(
      clip, out, weights=untrained_weights, on_progress=on_progress, **options
    )

  return run


def _bytes(out):
  return out.read_bytes(), out.with_name(f"{out.name}.json").read_bytes()


@pytest.fixture
def whole(run, tmp_path):
  """The bytes of a run that nothing has stopped."""
  out = tmp_path / "whole" / "out.mp4"
  run(out)
  assert sorted(os.listdir(out.parent)) == ["out.mp4", "out.mp4.json"]
  return _bytes(out)


@pytest.mark.parametrize("stops", [[0.5], [0.2, 0.4, 0.9], [0.985]])
def test_continued_runs_write_the_same_bytes(run, tmp_path, whole, stops):
  out = tmp_path / "stopped" / "out.mp4"
  for stop_at in stops:
    with pytest.raises(StopHereError):
      run(out, stop_at, resume=True)
    assert not out.exists()
  run(out, resume=True)
  assert _bytes(out) == whole
  assert sorted(os.listdir(out.parent)) == ["out.mp4", "out.mp4.json"]


def test_what_is_done_is_not_done_again(run, tmp_path):
  out = tmp_path / "out.mp4"
  with pytest.raises(StopHereError):
    run(out, 0.8)
  parts = tmp_path / "out.mp4.parts"
  before = {p.name: p.stat().st_mtime_ns for p in parts.glob("*.mov")}
  assert len(before) > 5
  with pytest.raises(StopHereError):
    run(out, 0.97, resume=True)
  after = {p.name: p.stat().st_mtime_ns for p in parts.glob("*.mov")}
  assert len(after) > len(before)
  assert before.items() <= after.items()


_KILLED = """
import sys
from speedflow import api
from speedflow.superres import rendering
rendering._PIECE_FRAMES = (8, 8)
api.superres(
  *sys.argv[1:3], weights=sys.argv[3], factor=4, exposure=0.5
)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_only_what_resume_needs(
  run, clip, untrained_weights, tmp_path, whole
):
  out = tmp_path / "killed" / "out.mp4"
  process = subprocess.Popen(
    [sys.executable, "-c", _KILLED, clip, out, untrained_weights]
  )
  while not list(tmp_path.glob("killed/out.mp4.parts/000003.json")):
    assert process.poll() is None
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.wait()
  seen = [n for n in os.listdir(out.parent) if not n.endswith(".lock")]
  assert seen == ["out.mp4.parts"]
  run(out, resume=True)
  assert sorted(os.listdir(out.parent)) == ["out.mp4", "out.mp4.json"]
  assert _bytes(out) == whole


def test_without_resume_it_begins_anew(run, tmp_path, whole):
  out = tmp_path / "again" / "out.mp4"
  with pytest.raises(StopHereError):
    run(out, 0.5, crf=40)
  run(out)
  assert _bytes(out) == whole


def test_other_settings_do_not_continue_it(run, tmp_path):
  out = tmp_path / "out.mp4"
  with pytest.raises(StopHereError):
    run(out, 0.5)
  with pytest.raises(SpeedflowError, match="begun with crf 14, not 20"):
    run(out, resume=True, crf=20)


def test_another_input_does_not_continue_it(run, clip, tmp_path):
  out = tmp_path / "out.mp4"
  with pytest.raises(StopHereError):
    run(out, 0.5)
  with media.VideoWriter(clip, 25, (64, 48)) as writer:
    for k in range(25):
      writer.write(np.full((48, 64, 3), 10 * k, np.uint8))
  with pytest.raises(SpeedflowError, match="input_sha256"):
    run(out, resume=True)


def test_resume_without_anything_there_begins(run, tmp_path, whole):
  out = tmp_path / "new" / "out.mp4"
  run(out, resume=True)
  assert _bytes(out) == whole


def test_a_folder_of_the_same_name_that_is_not_ours_is_kept(run, tmp_path):
  out = tmp_path / "out.mp4"
  strange = tmp_path / "out.mp4.parts" / "letter.txt"
  strange.parent.mkdir()
  strange.write_text("dear")
  with pytest.raises(SpeedflowError, match=r"out\.mp4\.parts.*not ours"):
    run(out)
  assert strange.read_text() == "dear"


def test_an_unfinished_note_is_no_finished_piece(run, tmp_path, whole):
  out = tmp_path / "odd" / "out.mp4"
  with pytest.raises(StopHereError):
    run(out, 0.6)
  notes = sorted(out.parent.glob("out.mp4.parts/0*.json"))
  assert len(json.loads(notes[0].read_text())) == 8
  notes[1].unlink()
  run(out, resume=True)
  assert _bytes(out) == whole


def test_a_place_that_cannot_be_written_is_said_in_one_line(run, tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(SpeedflowError, match="could not be written"):
    run(tmp_path / "file" / "out.mp4")
