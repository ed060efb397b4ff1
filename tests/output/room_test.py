"""Room on the disk is asked for before the work."""

import collections
import shutil

import pytest

from speedflow import errors
from speedflow.output import room

_Usage = collections.namedtuple("_Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
  """Gives `free(bytes)`: so much is free on every disk."""
  return lambda count: monkeypatch.setattr(
    shutil, "disk_usage", lambda path: _Usage(0, 0, count)
  )


def test_enough_room_is_not_worth_a_word(tmp_path, free, caplog):
  free(1000)
  room.require(tmp_path / "a" / "b", 1000, "it")
  assert not caplog.records


def test_what_may_not_fit_is_said(tmp_path, free, caplog):
  free(3e9)
  room.require(tmp_path, 5e9, "it")
  (said,) = caplog.messages
  assert "about 5 GB, and 3 GB are free" in said


def test_what_cannot_fit_is_refused(tmp_path, free):
  free(1e9)
  with pytest.raises(errors.SpeedflowError, match="make room") as refused:
    room.require(tmp_path, 5e12, "it")
  assert "about 5 TB" in str(refused.value)
