"""WORKDIR/run.json: what ran, on what, from which code and data."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jax
import ml_collections

from speedflow.output import atomic
from speedflow.training import metrics as metrics_lib

_PACKAGES = (
  "speedflow",
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "orbax-checkpoint",
  "grain",
  "numpy",
)


class RunRecord:
  """Keeps run.json up to date from the start of a run to its end.

  A run that is resumed keeps the records of its earlier parts, under
  "earlier", so that the wall times can be added up.

  Args:
    workdir: the folder of the run.
    config: the whole configuration.
    step: where the run starts or goes on.
    data_fingerprint: names the contents of the data; "" when unknown.
  """

  def __init__(
    self,
    workdir: pathlib.Path,
    config: ml_collections.ConfigDict,
    step: int,
    data_fingerprint: str,
  ):
    self._path = workdir / "run.json"
    self._start = _now()
    earlier = []
    if step and self._path.exists():
      last = json.loads(self._path.read_text())
      earlier = [*last.pop("earlier"), last]
    self._record: dict[str, Any] = {
      **circumstances(),
      "config": config.to_dict(),
      "seed": config.seed,
      "data_fingerprint": data_fingerprint,
      "first_step": step,
      "earlier": earlier,
    }
    self.update(status="running", start=self._start.isoformat())

  def update(self, **fields: Any) -> None:
    """Adds fields, and writes the file."""
    self._record |= fields
    with atomic.atomic_path(self._path) as temporary:
      temporary.write_text(json.dumps(self._record, indent=2) + "\n")

  def finish(
    self, status: str, step: int, metrics: Mapping[str, float]
  ) -> None:
    """Records the end.

    Args:
      status: "finished", "preempted" or "failed".
      step: updates made.
      metrics: the last ones.
    """
    end = _now()
    self.update(
      status=status,
      last_step=step,
      metrics=metrics_lib.for_json(metrics),
      end=end.isoformat(),
      wall_seconds=(end - self._start).total_seconds(),
    )


def in_short(path: pathlib.Path) -> dict[str, Any]:
  """What weights keep of the run that they are from.

  Args:
    path: run.json of a run that is over.
  """
  run = json.loads(path.read_text())
  kept = ("data_fingerprint", "git", "versions", "devices", "last_step")
  parts = [*run["earlier"], run]
  return {
    **{name: run[name] for name in kept},
    "seed": run["config"]["seed"],
    "wall_seconds": sum(part["wall_seconds"] for part in parts),
  }


def circumstances() -> dict[str, Any]:
  """What a result depends on besides configuration and data, as JSON.

  Returns:
    The command, versions of packages, devices and the state of the code.
  """
  return {
    "command": [
      _portable(str(pathlib.Path(sys.argv[0]).absolute())),
      *map(_portable, sys.argv[1:]),
    ],
    "versions": {
      "python": platform.python_version(),
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
    "devices": {
      "kind": jax.devices()[0].device_kind,
      "platform": jax.default_backend(),
      "count": jax.device_count(),
      "processes": jax.process_count(),
      "host_cpus": os.cpu_count(),
    },
    "git": _git_state(),
  }


def write_results(
  path: pathlib.Path, results: Mapping[str, Any], table: str
) -> None:
  """Keeps the results of an evaluation, and prints their table.

  Args:
    path: the JSON file; the table goes beside it, as Markdown.
    results: with their `circumstances`.
    table: the same, to be read.
  """
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(json.dumps(results, indent=2) + "\n")
  with atomic.atomic_path(path.with_suffix(".md")) as temporary:
    temporary.write_text(table)
  print(table)


def _portable(argument: str) -> str:
  """An argument without the folders in which this machine keeps a file.

  Args:
    argument: as it was typed; a path may follow a flag and "=".
  """
  flag, equals, value = argument.rpartition("=")
  path = pathlib.Path(value)
  if not path.is_absolute():
    return argument
  project = pathlib.Path(__file__).parents[2]
  inside = path.is_relative_to(project)
  shown = str(path.relative_to(project)) if inside else path.name
  return f"{flag}{equals}{shown}"


def _now() -> datetime.datetime:
  return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _git_state() -> dict[str, Any]:
  """The commit that runs, and whether tracked files differ from it."""
  folder = pathlib.Path(__file__).parent

  def git(*words: str) -> str:
    return subprocess.run(
      ["git", *words],
      cwd=folder,
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()

  try:
    return {
      "commit": git("rev-parse", "HEAD"),
      "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
    }
  except (OSError, subprocess.CalledProcessError):
    # Installed without its repository: the version must do.
    return {"commit": None, "dirty": None}
