"""Locks: one holder, told by name, freed by its death."""

import os
import signal
import subprocess
import sys

import pytest

from speedflow import errors
from speedflow.output import locks

_HOLD = """
import pathlib, sys, time
from speedflow.output import locks
lock = locks.Lock.acquire(pathlib.Path(sys.argv[1]), "mine", "out")
lock.note({"final": "a.csv", "known": None})
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
  """Another process that holds `tmp_path/.lock`."""
  with subprocess.Popen(
    [sys.executable, "-c", _HOLD, str(tmp_path / ".lock")],
    stdout=subprocess.PIPE,
    text=True,
  ) as process:
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()


def test_second_run_is_refused_and_told_who_is_first(tmp_path, holder):
  with pytest.raises(errors.SpeedflowError) as refused:
    locks.Lock.acquire(tmp_path / ".lock", "build", "out")
  said = str(refused.value)
  assert said.startswith("out: speedflow mine (process")
  assert str(holder.pid) in said
  assert "\n" not in said


def test_killed_holder_frees_the_lock_and_leaves_its_journal(tmp_path, holder):
  os.kill(holder.pid, signal.SIGKILL)
  holder.wait()
  lock = locks.Lock.acquire(tmp_path / ".lock", "build", "out")
  assert {"final": "a.csv", "known": None} in lock.earlier
  lock.release()
  assert not (tmp_path / ".lock").exists()


def test_half_a_line_of_a_killed_run_is_passed_over(tmp_path):
  path = tmp_path / ".lock"
  path.write_text('{"speedflow": "mine", "pid": 1}\n{"final": "a", "kno')
  lock = locks.Lock.acquire(path, "mine", "out")
  lock.note({"final": "b", "known": None})
  assert locks.journal(path) == [{"final": "b", "known": None}]
  lock.release()


@pytest.mark.parametrize("beginning", ["", '{"spee', '{"speedflow": "mi'])
def test_lock_whose_maker_died_at_once_is_ours(tmp_path, beginning):
  path = tmp_path / ".lock"
  path.write_text(beginning)
  locks.Lock.acquire(path, "mine", "out").release()


@pytest.mark.parametrize("text", ["notes of mine\n", "[1, 2]", '{"a": 1}\n'])
def test_file_of_somebody_else_is_no_lock(tmp_path, text):
  path = tmp_path / ".lock"
  path.write_text(text)
  with pytest.raises(errors.SpeedflowError, match="not ours"):
    locks.Lock.acquire(path, "mine", "out")
  assert path.read_text() == text


def test_shared_locks_keep_out_exclusive_ones_only(tmp_path):
  path = tmp_path / ".lock"
  first = locks.Lock.acquire(path, "attribute", "out", shared=True)
  second = locks.Lock.acquire(path, "attribute", "out", shared=True)
  with pytest.raises(errors.SpeedflowError):
    locks.Lock.acquire(path, "attribute", "out")
  first.release()
  with pytest.raises(errors.SpeedflowError):
    locks.Lock.acquire(path, "attribute", "out")
  second.release()
  locks.Lock.acquire(path, "attribute", "out").release()
  assert not path.exists()
