"""What an evaluation prints: figures with intervals, tables, one line of error.

mae = report.interval(lambda index: errors[index].mean(), groups)
print(report.markdown(["method", "MAE"], [["ours", mae.cell(".2f")]]))
"""

import dataclasses
import math
import pathlib
import sys
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import stats

from speedflow.errors import SpeedflowError
from speedflow.evaluation import speed


@dataclasses.dataclass(frozen=True)
class Figure:
  """A measured number, and how far chance may have moved it.

  Attributes:
    value: nan where there was nothing to measure.
    low: lower end of its interval; nan where there is none.
    high: upper end.
  """

  value: float
  low: float = math.nan
  high: float = math.nan

  def cell(self, form: str = ".2f") -> str:
    """As a table shows it: "0.40 (0.35-0.46)", or "-" where it is nan."""
    if math.isnan(self.value):
      return "-"
    if math.isnan(self.low):
      return f"{self.value:{form}}"
    return f"{self.value:{form}} ({self.low:{form}}-{self.high:{form}})"

  def to_json(self) -> tuple[float, float, float]:
    """Value, lower end and upper end, as result files hold them."""
    return self.value, self.low, self.high


def interval(
  measure: Callable[[np.ndarray], float], groups: np.ndarray
) -> Figure:
  """A measure of everything, with its interval of 95 %.

  Args:
    measure: from numbers of examples, int [m], to a figure.
    groups: the scene group of each example, [n]; see `speed.bootstrap`.
  """
  value = measure(np.arange(len(groups)))
  if math.isnan(value):
    return Figure(value)
  return Figure(value, *speed.bootstrap(measure, groups))


def share(hits: int, total: int) -> Figure:
  """How often something happened, with its interval of 95 %.

  Args:
    hits: how many times, 0..`total`.
    total: how many times it might have; 0: nothing was measured.

  Returns:
    The share, 0..1, with the interval of Clopper and Pearson ("The Use of
    Confidence or Fiducial Limits", Biometrika 1934).
  """
  if not total:
    return Figure(math.nan)
  low = stats.beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
  high = stats.beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
  return Figure(hits / total, float(low), float(high))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A table, without a line break at its end."""
  lines = [header, *rows]
  table = [f"| {' | '.join(line)} |" for line in lines]
  return "\n".join([table[0], "|" + "---|" * len(header), *table[1:]])


def run(main: Callable[[], int | None]) -> int:
  """Runs a program; a user's error is one line and exit status 2.

  Args:
    main: returns the exit status; None: 0.
  """
  try:
    return main() or 0
  except SpeedflowError as error:
    print(f"{pathlib.Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
    return 2
