"""Speeds and rates that people and cameras choose, for what is ambiguous.

A hum at 75 Hz is that of 50 Hz mains at 1.5x rather than that of 60 Hz at
1.25x only by what is usual; and a machine that hums at 67 Hz is no mains at
all, unless somebody chose a factor of 1.34.
"""

import numpy as np

FACTORS = {
  1.0: 1.0,
  2.0: 0.15,
  0.5: 0.15,
  4.0: 0.06,
  0.25: 0.06,
  8.0: 0.03,
  0.125: 0.04,
  1.5: 0.06,
  0.75: 0.03,
  1.25: 0.03,
  0.8: 0.03,
  3.0: 0.02,
  0.4: 0.02,
  0.2: 0.02,
  2 / 3: 0.01,
  1 / 3: 0.02,
  1.2: 0.005,
  5 / 6: 0.005,
}
"""Factors of retiming, by how often they occur beside real time."""

RATES = {
  30.0: 1.0,
  30000 / 1001: 1.0,
  25.0: 1.0,
  24.0: 0.3,
  24000 / 1001: 0.3,
  60.0: 0.5,
  60000 / 1001: 0.5,
  50.0: 0.4,
  15.0: 0.3,
  20.0: 0.1,
  12.5: 0.1,
  100.0: 0.05,
  120.0: 0.3,
  120000 / 1001: 0.2,
  240.0: 0.3,
  240000 / 1001: 0.2,
  250.0: 0.05,
  300.0: 0.03,
  480.0: 0.1,
  500.0: 0.05,
  600.0: 0.03,
  960.0: 0.1,
  1000.0: 0.1,
}
"""Frames per second at which cameras film, by how often."""


def prior(
  value: float,
  table: dict[float, float],
  tolerance: float,
  anything: float = 0.02,
) -> float:
  """How much a value is to be expected, from `anything` upwards.

  Args:
    value: a factor or a rate.
    table: weights of the usual ones.
    tolerance: relative standard deviation of what is measured.
    anything: weight of a value that is not usual.
  """
  usual = np.array(list(table))
  weights = np.array(list(table.values()))
  offset = np.log(value / usual) / tolerance
  return anything + float((weights * np.exp(-0.5 * offset**2)).sum())
