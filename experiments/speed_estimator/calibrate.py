r"""Measures what answers about new places need, on repositories left out.

  python -m experiments.speed_estimator.calibrate runs/more/all \
    speedflow/weights/speed_tiny.safetensors --files=runs/files \
    --folds=runs/more/folds

The scale of the readings, and the half width of 80 % intervals: the 80 %
quantile of |error| / predicted spread (split conformal prediction), once for
windows and once for whole files. Networks trained alike but for some
repositories read the files of those, see `unseen`. All is kept in the weights
file, with where the weights come from.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from experiments.speed_estimator import folds, unseen
from speedflow.estimate import weights
from speedflow.evaluation import report
from speedflow.training import run_record


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "trained", type=pathlib.Path, help="folder of `folds.train`"
  )
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--files", type=pathlib.Path, required=True)
  parser.add_argument("--folds", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  trained = folds.load_one(args.trained)
  model, known = weights.SPEED.load(trained.weights)
  fitted = unseen.fit(unseen.read(args.files, folds.load(args.folds)))
  extra: dict[str, Any] = {
    "window": known["window"],
    "calibration": {
      **{
        name: float(f"{value:.4g}")
        for name, value in {
          **unseen.SCALES[fitted.scale]._asdict(),
          **fitted.widths._asdict(),
        }.items()
      },
      "label_frequency": trained.label_frequency.tolist(),
    },
    "run": run_record.in_short(args.trained / "run.json"),
  }
  weights.SPEED.save(args.out, model, extra)
  print(json.dumps(extra["calibration"]))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
