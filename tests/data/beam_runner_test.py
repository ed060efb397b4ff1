"""Errors of workers reach the user as one line, whatever Beam prints."""

import sys

import pytest

from speedflow.data import beam_runner
from speedflow.errors import SpeedflowError


class _Pipeline:
  """Fails as Beam does: prints a chain of errors, then raises."""

  def __init__(self, printed):
    self._printed = printed

  def run(self):
    print(self._printed, file=sys.stderr)
    raise RuntimeError(
      "speedflow.errors.SpeedflowError: a.json: could not be written; make "
      "room [while running 'Examine']"
    )


_TRACE = (
  "Traceback (most recent call last):\n"
  '  File "apache_beam/runners/common.py", line 1, in process\n'
  "RuntimeError: it failed"
)


@pytest.mark.parametrize(
  "printed",
  [_TRACE, f"OSError: [Errno 28]\n\nDuring handling of ...\n\n{_TRACE}"],
  ids=["traceback", "chain"],
)
def test_a_worker_s_error_is_told_once_and_its_traceback_not(
  printed, capsys, monkeypatch
):
  monkeypatch.setattr(sys, "stderr", sys.stderr)
  with pytest.raises(
    SpeedflowError, match=r"^a\.json: could not be written; make room$"
  ):
    beam_runner.run(_Pipeline(printed))
  print("speedflow: a.json", file=sys.stderr)
  assert capsys.readouterr().err == "speedflow: a.json\n"
