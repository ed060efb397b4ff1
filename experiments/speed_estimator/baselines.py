"""What an estimator has to beat, on the same windows.

Ridge regression and gradient-boosted trees on hand-made statistics of the
flow, and a constant. They need the extra `baselines` (scikit-learn).
"""

from collections.abc import Callable, Iterable

import numpy as np
from sklearn import ensemble, linear_model, pipeline, preprocessing

from experiments.speed_estimator import protocol
from speedflow.data.motion import CHANNELS, MotionRecord

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def flow_statistics(maps: np.ndarray) -> np.ndarray:
  """Describes a window by logarithms of flow, acceleration and residuals.

  Args:
    maps: float16 [t, 12, 16, 8].

  Returns:
    float64 [31].
  """
  channel = {
    name: maps[..., i].astype(np.float64) for i, name in enumerate(CHANNELS)
  }
  flow = np.stack([channel["flow_x"], channel["flow_y"]], -1)
  speed = channel["flow_rms"]
  acceleration = np.linalg.norm(np.diff(flow, axis=0), axis=-1)
  camera = flow.mean((1, 2))
  pace = speed.mean((1, 2))
  means = [
    speed.mean(),
    acceleration.mean(),
    pace.std(),
    np.abs(np.diff(pace)).mean(),
    np.linalg.norm(camera, axis=-1).mean(),
    np.linalg.norm(np.diff(camera, axis=0), axis=-1).mean(),
  ]
  quantiles = [
    np.quantile(values, _QUANTILES)
    for values in (
      speed,
      acceleration,
      channel["residual_mean"],
      channel["change_mean"],
    )
  ]
  logs = np.log(np.concatenate([means, *quantiles]) + 1e-2)
  return np.concatenate([logs, [logs[1] - logs[0]]])


Predictor = Callable[[np.ndarray], np.ndarray]
"""From windows, float16 [n, t, 12, 16, 8], to log2 steps, float64 [n]."""


def fit(records: Iterable[MotionRecord], frames: int) -> dict[str, Predictor]:
  """Fits all baselines for one window length.

  Args:
    records: of the training split, undressed.
    frames: length of the windows.

  Returns:
    Predictors by name.
  """
  data = protocol.windows(records, frames)
  target = data.log2_speed - data.offset
  features = _features(data.maps)
  # Strengths by leave-one-out (ridge) and the usual small steps (trees).
  models = {
    "constant": None,
    "flow statistics + ridge": pipeline.make_pipeline(
      preprocessing.StandardScaler(),
      linear_model.RidgeCV(np.logspace(-2, 4, 13)),
    ),
    "flow statistics + boosted trees": (
      ensemble.HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.05, random_state=0
      )
    ),
  }
  return {
    name: _predictor(model, features, target) for name, model in models.items()
  }


def _features(maps: np.ndarray) -> np.ndarray:
  return np.stack([flow_statistics(window) for window in maps])


def _predictor(
  model: pipeline.Pipeline | ensemble.HistGradientBoostingRegressor | None,
  features: np.ndarray,
  target: np.ndarray,
) -> Predictor:
  if model is None:
    middle = np.median(target)
    return lambda maps: np.full(len(maps), middle)
  model.fit(features, target)
  return lambda maps: model.predict(_features(maps))
