r"""Measures how wide 80 % intervals must be, on validation clips.

  python -m experiments.speed_estimator.calibrate runs/tiny/speed.npz \
    speedflow/weights/speed_tiny.npz --run runs/tiny/run.json

The half width is the 80 % quantile of |error| / predicted spread (split
conformal prediction), once for windows and once for whole clips. It is kept
in the weights file, with where the weights come from.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import evaluate, experiment, protocol
from experiments.speed_estimator.dataset import ANCHORS
from speedflow.data.motion import MotionRecord
from speedflow.inference import estimator as estimator_lib
from speedflow.inference import weights
from speedflow.models import motion_net
from speedflow.training import config as config_lib

_FRAMES = (16, 32, 48)
_STRIDES = (1, 2, 4, 8)
_COVERAGE = 0.8


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("weights", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument(
    "--config", default="configs/speed_estimator.py:tiny-robust"
  )
  parser.add_argument("--run", type=pathlib.Path, help="run.json of the run")
  args = parser.parse_args(argv)
  model, _ = weights.load(args.weights)
  records = list(protocol.read_records(protocol.shards(args.records, "val")))
  clips = protocol.shards(args.clips, "val")
  frequency = experiment.Experiment(
    config_lib.load_config(args.config)
  ).label_frequency
  extra: dict[str, Any] = {
    "calibration": calibrate(model, records, clips, frequency)
  }
  if args.run:
    run = json.loads(args.run.read_text())
    kept = ("data_fingerprint", "git", "versions", "devices", "last_step")
    extra["run"] = {name: run[name] for name in kept}
    extra["run"]["seed"] = run["config"]["seed"]
    parts = [*run["earlier"], run]
    extra["run"]["wall_seconds"] = sum(p["wall_seconds"] for p in parts)
  weights.save(args.out, model, model.config, extra)
  print(json.dumps(extra["calibration"]))
  return 0


def calibrate(
  model: motion_net.MotionNet,
  records: Sequence[MotionRecord],
  clips: Sequence[pathlib.Path],
  frequency: np.ndarray,
) -> dict[str, Any]:
  """Half widths of 80 % intervals, in predicted standard deviations.

  Args:
    model: in evaluation mode.
    records: undressed motion records of validation shots.
    clips: shards of the shots themselves, which are estimated as a user would
      have it, at every speed at which they are long enough.
    frequency: of each bin among the labels in training.
  """
  centres = np.asarray(model.config.centres)
  of_windows, groups = [], []
  for frames in _FRAMES:
    data = protocol.windows(records, frames, strides=_STRIDES)
    estimate, spread = protocol.everyday(
      protocol.predict(model, data.maps), frequency, centres, data
    )
    of_windows.append(np.abs(estimate - data.log2_speed) / spread)
    groups.append(data.group)
  bare = estimator_lib.Calibration(
    file=1.0,
    label_frequency=tuple(float(f"{share:.3g}") for share in frequency),
  )
  answers = [
    clip
    for clip in evaluate.whole_clips(
      estimator_lib.SpeedEstimator(model, bare), clips
    )
    if clip["speed"] and clip["label"] in ANCHORS and clip["status"] == "ok"
  ]
  of_clips = [
    abs(np.log2(clip["estimate"] / clip["speed"]))
    / (np.log2(clip["high"] / clip["low"]) / 2)
    for clip in answers
  ]
  return {
    "window": _conformal(np.concatenate(of_windows), np.concatenate(groups)),
    "file": _conformal(
      np.array(of_clips), np.array([clip["scene_group"] for clip in answers])
    ),
    "label_frequency": list(bare.label_frequency),
  }


def _conformal(scores: np.ndarray, groups: np.ndarray) -> float:
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
  sys.exit(main())
