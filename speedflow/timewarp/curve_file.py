"""Speed over time, in a CSV file."""

import csv
import os
import pathlib

import numpy as np

from speedflow.errors import SpeedflowError


def read(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
  """Reads speed over time.

  Args:
    path: a CSV file with the columns time_s (seconds, increasing) and speed
      (factors, positive).

  Returns:
    Times and speeds, float64 [n] each, one at least.

  Raises:
    SpeedflowError: the file is no such table.
  """
  name = os.fspath(path)
  try:
    with pathlib.Path(path).open(newline="", encoding="utf-8-sig") as file:
      table = csv.DictReader(file)
      columns = list(table.fieldnames or [])
      if columns and not {"time_s", "speed"} <= set(columns):
        raise ValueError(f"its columns, between commas: {columns!s:.80}")
      rows = [(float(row["time_s"]), float(row["speed"])) for row in table]
  except OSError as error:
    raise SpeedflowError(
      f"{name}: {error.strerror}; give a CSV file"
    ) from error
  except (TypeError, ValueError, csv.Error) as error:
    raise SpeedflowError(
      f"{name}: not a speed curve ({error}); wanted the columns time_s and "
      "speed, and numbers in them"
    ) from error
  if not rows:
    raise SpeedflowError(f"{name}: no rows; give a time and a speed in each")
  times, speeds = np.array(rows).T
  if not (np.all(np.diff(times) > 0) and np.isfinite(times).all()):
    raise SpeedflowError(f"{name}: the times must increase from row to row")
  if not (np.all(speeds > 0) and np.isfinite(speeds).all()):
    raise SpeedflowError(f"{name}: the speeds must be positive numbers")
  return times, speeds
