"""Which records training draws, and how often: a CSV file of weights.

Columns `id` (of the record) and `weight` (0 or more, how often it is drawn,
relative to the others); further ones are for the reader. An id that a
spreadsheet would take for a formula has an apostrophe before it, see
`wording.cell`, which is taken away here.
"""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np

from speedflow import wording
from speedflow.data import pipeline
from speedflow.errors import SpeedflowError

_REMEDY = "write it with `speedflow attribute`"


class Chosen:
  """Some elements of a source; a source itself."""

  def __init__(self, source: pipeline.Source, indices: np.ndarray):
    """Takes elements.

    Args:
      source: of all elements.
      indices: int [n] of those that are wanted.
    """
    self._source = source
    self._indices = indices

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, index: SupportsIndex, /) -> Any:
    return self._source[int(self._indices[index])]

  def __repr__(self) -> str:
    return f"Chosen({len(self)} of {self._source!r})"


def read(path: str | os.PathLike[str]) -> dict[str, float]:
  """Reads weights by id.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  name = os.fspath(path)
  weights: dict[str, float] = {}
  try:
    with open(path, newline="", encoding="utf-8") as file:
      for row in csv.DictReader(file):
        weight = float(row["weight"])
        if not 0 <= weight < math.inf:
          raise ValueError(f"the weight {weight:g}")
        record = wording.from_cell(row["id"])
        if record in weights:
          raise ValueError(f"{record!r} twice")
        weights[record] = weight
  except OSError as error:
    raise SpeedflowError(
      f"{name}: cannot be read ({error.strerror}); {_REMEDY}"
    ) from error
  except (KeyError, TypeError, ValueError, csv.Error) as error:
    raise SpeedflowError(
      f"{name}: not a selection ({error}); wanted the columns id and weight, 0 "
      f"or more, each id once; {_REMEDY}"
    ) from error
  if not any(weights.values()):
    raise SpeedflowError(f"{name}: selects nothing; {_REMEDY}")
  return weights


def parts(
  source: pipeline.Source, ids: Sequence[str], path: str | os.PathLike[str]
) -> list[tuple[pipeline.Source, float]]:
  """Splits a source into parts whose elements weigh the same.

  Args:
    source: all elements.
    ids: of each.
    path: file of weights; elements that it does not name are left out.

  Returns:
    For `pipeline.mix`: parts, and how often each is drawn from; in all 1.

  Raises:
    SpeedflowError: a bad file, or one that is about other elements.
  """
  weights = read(path)
  unknown = weights.keys() - set(ids)
  if unknown:
    raise SpeedflowError(
      f"{os.fspath(path)}: {len(unknown)} of {len(weights)} ids, such as "
      f"{min(unknown)!r}, are not in {source!r}; select from the records that "
      "are trained on"
    )
  of_each = _weights_of(ids, weights)
  total = of_each.sum()
  return [
    (Chosen(source, np.flatnonzero(of_each == weight)), share / total)
    for weight in np.unique(of_each[of_each > 0])
    if (share := float(weight * np.sum(of_each == weight)))
  ]


def _weights_of(ids: Sequence[str], weights: Mapping[str, float]) -> np.ndarray:
  return np.array([weights.get(name, 0.0) for name in ids])
