"""The folder of real clips that experiments are judged on."""

import csv
import hashlib
import os
import pathlib

from speedflow.errors import SpeedflowError


def folder() -> pathlib.Path:
  """The one that SPEEDFLOW_DATA names.

  Raises:
    SpeedflowError: the environment does not say.
  """
  found = os.environ.get("SPEEDFLOW_DATA")
  if not found:
    raise SpeedflowError(
      "SPEEDFLOW_DATA is not set; it names a folder with clips.csv and clips/"
    )
  return pathlib.Path(found)


def rows(data: pathlib.Path) -> list[dict[str, str]]:
  """The rows of its clips.csv."""
  with (data / "clips.csv").open(newline="") as file:
    return list(csv.DictReader(file))


def never_seen(data: pathlib.Path) -> set[str]:
  """Files of sources of which training and choice saw no clip.

  Args:
    data: the folder; its clips.csv names each clip's `file`, `source` and
      `split`.
  """
  known = rows(data)
  seen = {row["source"] for row in known if row["split"] != "test"}
  return {row["file"] for row in known if row["source"] not in seen}


def fingerprint(data: pathlib.Path) -> str:
  """sha256 of its clips.csv."""
  return hashlib.sha256((data / "clips.csv").read_bytes()).hexdigest()
