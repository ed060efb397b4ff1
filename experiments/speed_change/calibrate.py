r"""Measures what the detector's numbers mean.

  python -m experiments.speed_change.calibrate runs/all.safetensors \
    speedflow/weights/change_tiny.safetensors --run runs/all/run.json \
    --files runs/edited --folds runs/fold0.safetensors runs/fold1.safetensors

On validation clips, the scale and shift of the log odds make 0.5 the best
threshold for windows (Platt scaling), and the width is the 80 % quantile of
|error| / predicted spread (split conformal prediction). The alarm is the least
probability from which on untouched files of repositories that a network has
not seen give few enough alarms, told by networks trained alike (`--folds`).
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_change import baselines, protocol, unseen
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.detect import change_detector, weights
from speedflow.evaluation import report
from speedflow.models import change_net
from speedflow.training import run_record

_COVERAGE = 0.8
# Other windows than those of any evaluation on this split.
_SEED = 1


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("weights", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--run", type=pathlib.Path, help="run.json of the run")
  parser.add_argument("--files", type=pathlib.Path, required=True)
  parser.add_argument("--folds", nargs="+", required=True)
  parser.add_argument("--parts", type=pathlib.Path, default=unseen.PARTS)
  args = parser.parse_args(argv)
  model, _ = weights.CHANGE.load(args.weights)
  shots = [
    ShotRecord.decode(encoded)
    for encoded in RecordSource(
      split_shards(args.clips, "val", "records of shots", "`make records`")
    )
  ]
  calibration = calibrate(model, shots)
  heard = unseen.listen_all(args.folds, args.files, args.parts, calibration)
  calibration = dataclasses.replace(calibration, alarm=unseen.least(heard))
  extra: dict[str, Any] = {"calibration": dataclasses.asdict(calibration)}
  if args.run:
    extra["run"] = run_record.in_short(args.run)
  weights.CHANGE.save(args.out, model, extra)
  print(json.dumps(extra["calibration"]))
  return 0


def calibrate(
  model: change_net.ChangeNet, shots: Sequence[ShotRecord]
) -> change_detector.Calibration:
  """What validation clips tell: all but the alarm."""
  windows = protocol.render(shots, _SEED)
  answers, spread = protocol.predict_with_spread(model, windows)
  changes = windows.change > 0
  miss = np.abs(answers.log2_ratio - windows.log2_ratio) / spread
  scale, shift = baselines.platt(answers.score, changes)
  width = float(np.quantile(miss[changes], _COVERAGE))
  return change_detector.Calibration(scale, shift, width=width)


if __name__ == "__main__":
  sys.exit(report.run(main))
