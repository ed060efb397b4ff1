r"""Measures how wide 80 % intervals must be, on validation clips.

  python -m experiments.speed_estimator.calibrate runs/tiny/speed.safetensors \
    speedflow/weights/speed_tiny.safetensors --run runs/tiny/run.json

The half width is the 80 % quantile of |error| / predicted spread (split
conformal prediction), once for windows and once for whole clips. It is kept
in the weights file, with where the weights come from.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import evaluate, experiment
from experiments.speed_estimator.dataset import ANCHORS
from speedflow.data.records import split_shards
from speedflow.data.schema import ShotRecord
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import network, weights
from speedflow.estimate.answer import Estimate, SpeedCurve
from speedflow.evaluation import report
from speedflow.models import motion_net
from speedflow.training import config as config_lib
from speedflow.training import run_record

_COVERAGE = 0.8


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("weights", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument(
    "--config", default="configs/speed_estimator.py:tiny-looks"
  )
  parser.add_argument("--run", type=pathlib.Path, help="run.json of the run")
  args = parser.parse_args(argv)
  model, known = weights.SPEED.load(args.weights)
  shots = evaluate.read_shots(split_shards(args.clips, "val"))
  frequency = experiment.Experiment(
    config_lib.load_config(args.config)
  ).label_frequency
  extra: dict[str, Any] = {
    "window": known["window"],
    "calibration": calibrate(model, known["window"], shots, frequency),
  }
  if args.run:
    extra["run"] = run_record.in_short(args.run)
  weights.SPEED.save(args.out, model, extra)
  print(json.dumps(extra["calibration"]))
  return 0


def calibrate(
  model: motion_net.MotionNet,
  window: int,
  shots: Iterable[ShotRecord],
  frequency: np.ndarray,
) -> dict[str, Any]:
  """Half widths of 80 % intervals, in predicted standard deviations.

  Args:
    model: in evaluation mode.
    window: motion maps in a window, as in training.
    shots: of validation clips. They are estimated as a user would have it, at
      every speed at which they are long enough.
    frequency: of each bin among the labels in training.
  """
  bare = estimator_lib.Calibration(
    window=1.0,
    file=1.0,
    label_frequency=tuple(float(f"{share:.3g}") for share in frequency),
  )
  of_windows, of_clips, groups = [], [], []
  for shot, stride, answer in evaluate.estimates(
    estimator_lib.SpeedEstimator(network.of_model(model, window), bare), shots
  ):
    if not shot.speed or shot.label not in ANCHORS or answer.status != "ok":
      continue
    truth = shot.speed * stride
    assert answer.curve is not None
    of_windows.append(_scores(truth, answer.curve))
    of_clips.append(_scores(truth, answer))
    groups.append(shot.scene_group)
  return {
    "window": conformal_width(
      np.concatenate(of_windows),
      np.repeat(groups, [len(scores) for scores in of_windows]),
    ),
    "file": conformal_width(np.array(of_clips), np.array(groups)),
    "label_frequency": list(bare.label_frequency),
  }


def _scores(truth: float, answer: Estimate | SpeedCurve) -> np.ndarray:
  """|error| of one or many speeds, in units of half the interval, octaves."""
  speed, low, high = (
    np.log2(np.asarray(value, np.float64))
    for value in (answer.speed, answer.speed_low, answer.speed_high)
  )
  return np.abs(speed - np.log2(truth)) / ((high - low) / 2)


def conformal_width(scores: np.ndarray, groups: np.ndarray) -> float:
  """The 80 % quantile of scores, for which scene groups count alike.

  Estimates of one scene err alike: a scene of many clips must not decide.

  Args:
    scores: |error| in units of the predicted spread, float [n].
    groups: scene group of each, [n].
  """
  _, member, count = np.unique(groups, return_inverse=True, return_counts=True)
  weight = 1 / count[member]
  order = np.argsort(scores)
  share = np.cumsum(weight[order]) / weight.sum()
  return float(scores[order][np.searchsorted(share, _COVERAGE)])


if __name__ == "__main__":
  sys.exit(report.run(main))
