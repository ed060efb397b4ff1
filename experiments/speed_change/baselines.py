"""What a detector has to beat, on the same windows.

Both are change points of one number per pair of frames. A window's score is
turned into log odds by logistic regression on training windows, so that all
systems are asked at a probability of 0.5. It needs the extra `baselines`
(scikit-learn).
"""

from collections.abc import Callable

import numpy as np
from sklearn import linear_model

from experiments.speed_change import protocol
from speedflow.data.motion import CHANNELS

_SIGNALS = {
  "frame difference": ("change_mean", 0.5),
  "flow size": ("flow_rms", 0.05),
}
"""Channel, and what is added to it before the logarithm, by name."""

# Maps on either side of a change at least.
_SHORTEST = 4

System = Callable[[protocol.Windows], protocol.Answers]


def fit(training: protocol.Windows) -> dict[str, System]:
  """Fits the baselines.

  Args:
    training: windows of the training split.

  Returns:
    Systems by name.
  """
  systems: dict[str, System] = {}
  for name in _SIGNALS:
    for kind, scan in (("change point", change_point), ("step ratio", ratio)):
      systems[f"{name}, {kind}"] = _calibrated(name, scan, training)
  return systems


def change_point(signal: np.ndarray) -> np.ndarray:
  """Likelihood ratio of one change of the mean (binary segmentation).

  The gain, in residual sum of squares, of the best two constant pieces over
  one, in units of the variance of the pieces (Scott and Knott, 1974).

  Args:
    signal: [n, t].

  Returns:
    float64 [n, t], of a change between t - 1 and t; 0 near the ends.
  """
  length = signal.shape[1]
  gain = np.zeros(signal.shape)
  for t in range(_SHORTEST, length - _SHORTEST + 1):
    before, after = signal[:, :t], signal[:, t:]
    step = before.mean(1) - after.mean(1)
    rest = before.var(1) * t + after.var(1) * (length - t)
    gain[:, t] = step**2 * t * (length - t) / length / (rest + 1e-3)
  return np.log(gain + 1e-6)


def ratio(signal: np.ndarray) -> np.ndarray:
  """Size of the step between the means of eight maps on either side.

  Args:
    signal: [n, t].

  Returns:
    float64 [n, t]; 0 near the ends.
  """
  step = np.zeros(signal.shape)
  for t in range(_SHORTEST, signal.shape[1] - _SHORTEST + 1):
    before = signal[:, max(t - 8, 0) : t].mean(1)
    after = signal[:, t : t + 8].mean(1)
    step[:, t] = np.abs(after - before)
  return np.log(step + 1e-6)


def _signal(name: str, maps: np.ndarray) -> np.ndarray:
  channel, floor = _SIGNALS[name]
  values = maps[..., CHANNELS.index(channel)].astype(np.float64)
  return np.log(values.mean((2, 3)) + floor)


def _calibrated(
  name: str,
  scan: Callable[[np.ndarray], np.ndarray],
  training: protocol.Windows,
) -> System:
  def raw(windows: protocol.Windows) -> protocol.Answers:
    return protocol.answers_of_moments(scan(_signal(name, windows.maps)))

  scale, shift = platt(raw(training).score, training.change > 0)

  def system(windows: protocol.Windows) -> protocol.Answers:
    return raw(windows).calibrated(scale, shift)

  return system


def platt(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
  """Scale and shift that turn scores into log odds (Platt, 1999).

  Args:
    score: float [n].
    truth: bool [n].
  """
  model = linear_model.LogisticRegression(C=1e3).fit(score[:, None], truth)
  return float(model.coef_[0, 0]), float(model.intercept_[0])
