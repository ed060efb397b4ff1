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

from experiments.speed_estimator import experiment, protocol
from speedflow.data.motion import MotionRecord
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
    "--config", default="configs/speed_estimator.py:tiny-finish"
  )
  parser.add_argument("--run", type=pathlib.Path, help="run.json of the run")
  args = parser.parse_args(argv)
  model, _ = weights.load(args.weights)
  records = list(protocol.read_records(protocol.shards(args.records, "val")))
  frequency = experiment.Experiment(
    config_lib.load_config(args.config)
  ).label_frequency
  extra: dict[str, Any] = {"calibration": calibrate(model, records, frequency)}
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
  frequency: np.ndarray,
) -> dict[str, Any]:
  """Half widths of 80 % intervals, in predicted standard deviations."""
  centres = np.asarray(model.config.centres)
  of_windows, of_clips = [], []
  for frames in _FRAMES:
    data = protocol.windows(records, frames, strides=_STRIDES)
    estimate, spread = protocol.everyday(
      protocol.predict(model, data.maps), frequency, centres, data
    )
    error = estimate - data.log2_speed
    of_windows.append(np.abs(error) / spread)
    _, clip = np.unique(data.shot, return_inverse=True)
    share = 1 / spread**2
    pooled = np.bincount(clip, error * share) / np.bincount(clip, share)
    typical = np.sqrt(np.bincount(clip, spread**2) / np.bincount(clip))
    of_clips.append(np.abs(pooled) / typical)
  return {
    "window": float(np.quantile(np.concatenate(of_windows), _COVERAGE)),
    "file": float(np.quantile(np.concatenate(of_clips), _COVERAGE)),
    "label_frequency": [float(f"{share:.3g}") for share in frequency],
  }


if __name__ == "__main__":
  sys.exit(main())
