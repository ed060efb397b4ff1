r"""Measures on validation clips what the detector's numbers mean.

  python -m experiments.speed_change.calibrate runs/change/change.safetensors \
    speedflow/weights/change_tiny.safetensors --run runs/change/run.json

The scale and shift of the log odds make 0.5 the best threshold for windows
(Platt scaling). The alarm is the least probability from which on untouched
video gives few enough alarms. The width is the 80 % quantile of
|error| / predicted spread (split conformal prediction).
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_change import baselines, protocol, untouched
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.detect import change_detector, network, weights
from speedflow.evaluation import report
from speedflow.models import change_net
from speedflow.training import run_record

_COVERAGE = 0.8
# Per minute of untouched video; half of what is asked for.
_FALSE_ALARMS = 0.25
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
  args = parser.parse_args(argv)
  model, _ = weights.CHANGE.load(args.weights)
  shots = [
    ShotRecord.decode(encoded)
    for encoded in RecordSource(
      split_shards(args.clips, "val", "records of shots", "`make records`")
    )
  ]
  extra: dict[str, Any] = {"calibration": calibrate(model, shots)}
  if args.run:
    extra["run"] = run_record.in_short(args.run)
  weights.CHANGE.save(args.out, model, extra)
  print(json.dumps(extra["calibration"]))
  return 0


def calibrate(
  model: change_net.ChangeNet, shots: Sequence[ShotRecord]
) -> dict[str, float]:
  """The fields of `change_detector.Calibration`."""
  windows = protocol.render(shots, _SEED)
  answers, spread = protocol.predict_with_spread(model, windows)
  changes = windows.change > 0
  miss = np.abs(answers.log2_ratio - windows.log2_ratio) / spread
  scale, shift = baselines.platt(answers.score, changes)
  detector = change_detector.ChangeDetector(
    network.of_model(model),
    change_detector.Calibration(scale, shift, alarm=0.5),
  )
  watched = [
    w
    for eventful in (False, True)
    for w in untouched.watch(detector, shots, eventful=eventful)
  ]
  minutes = sum(w.minutes for w in watched)
  allowed = int(_FALSE_ALARMS * minutes)
  highest = sorted((p for w in watched for p, *_ in w.alarms), reverse=True)
  # Just above the first alarm that is one too many.
  alarm = highest[allowed] + 1e-4 if len(highest) > allowed else 0.5
  return {
    "scale": scale,
    "shift": shift,
    "alarm": min(alarm, 0.999),
    "width": float(np.quantile(miss[changes], _COVERAGE)),
  }


if __name__ == "__main__":
  sys.exit(report.run(main))
