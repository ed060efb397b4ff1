"""Sweeps: one training run for each combination of a few values."""

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

from speedflow import errors

# Commas, but not those inside brackets: "mesh=(1,2),(2,1)" are two values.
_COMMA = re.compile(r",(?![^(\[]*[)\]])")


def commands(
  config: str,
  workdir: str,
  choices: Sequence[str],
  overrides: Sequence[str] = (),
) -> list[list[str]]:
  """The training commands of a sweep.

  Args:
    config: "FILE.py:ARG", as for `speedflow train`.
    workdir: each run has a folder of its own in this one.
    choices: such as "optimizer.learning_rate=1e-3,3e-3"; every combination of
      values is run.
    overrides: "--config.a.b=VALUE" for all runs alike.

  Returns:
    One list of arguments per run.

  Raises:
    SpeedflowError: a choice is not of the form FIELD=VALUE,VALUE.
  """
  axes = []
  for choice in choices:
    field, equals, values = choice.partition("=")
    if not (field and equals and values) or field.startswith("-"):
      raise errors.SpeedflowError(
        f"sweep: {choice!r} is not of the form FIELD=VALUE,VALUE, such as "
        "optimizer.learning_rate=1e-3,3e-3"
      )
    axes.append([f"{field}={value}" for value in _COMMA.split(values)])
  return [
    [
      *(sys.executable, "-m", "speedflow.main", "train"),
      f"--config={config}",
      f"--workdir={'/'.join([workdir, *settings])}",
      *overrides,
      *(f"--config.{setting}" for setting in settings),
    ]
    for settings in itertools.product(*axes)
  ]


def show(runs: Sequence[Sequence[str]]) -> str:
  """The commands as lines for a shell, or a cluster's queue."""
  return "\n".join(shlex.join(run) for run in runs)


def execute(runs: Sequence[Sequence[str]]) -> int:
  """Runs the commands one after the other.

  Returns:
    The number of runs that failed; a failure does not end the sweep.
  """
  failed = 0
  for number, run in enumerate(runs, start=1):
    print(f"sweep {number}/{len(runs)}: {shlex.join(run)}", file=sys.stderr)
    failed += subprocess.run(run, check=False).returncode != 0
  return failed
