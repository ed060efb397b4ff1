r"""What more sources are worth: the yardstick against how many were seen.

  python -m experiments.speed_estimator.source_curve \
    --config=configs/speed_estimator.py:trial --config.num_steps=800 \
    --files=runs/files --folds=runs/folds/trial --workdir=runs/curve \
    --out=experiments/speed_estimator/results/source_curve.json

Of the repositories that a fold was trained on, a half and a quarter, one
inside the other, train networks of the same size for as many steps. All are
asked about the files of the same repositories, which none has seen, and scored
as they are read: nothing is calibrated.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import folds, unseen
from speedflow.evaluation import report
from speedflow.training import config as config_lib
from speedflow.training import run_record

SHARES = (0.25, 0.5, 1.0)
"""Of the sources that are trained on."""

_FIGURES = (
  "mae",
  "mae_clipped",
  "accuracy_3way",
  "accuracy_1x_2x",
  "spearman",
  "slope",
  "slow_octaves",
)


def main(argv: Sequence[str] | None = None) -> int:
  """Trains what is missing, and scores it; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--config", required=True, help="FILE.py or FILE.py:ARG")
  for name, text in (
    ("--files", "of `whole_files`"),
    ("--folds", "of `folds`, trained with all the other sources"),
    ("--workdir", "for the networks that see fewer"),
    ("--out", "JSON file of the figures"),
  ):
    parser.add_argument(name, type=pathlib.Path, required=True, help=text)
  parser.add_argument(
    "--which", type=int, nargs="+", default=[0, 1], help="numbers of folds"
  )
  parser.add_argument(
    "--shares",
    type=float,
    nargs="+",
    default=SHARES,
    help="of the sources that are trained on",
  )
  args, overrides = parser.parse_known_args(argv)
  config = config_lib.load_config(args.config, overrides)
  # Of validation alone, nothing is learnt.
  shots = folds.repositories(pathlib.Path(config.data.records), ["train"])
  whole = [folds.load_one(args.folds / str(number)) for number in args.which]
  rows: list[dict[str, Any]] = []
  for share in args.shares:
    trained, seen = [], []
    for number, fold in zip(args.which, whole, strict=True):
      kept = chosen(shots, fold.left_out, share, seed=number)
      seen.append(len(kept))
      if share == 1.0:
        trained.append(fold)
        continue
      folder = args.workdir / f"{number}-{share:g}"
      if not (folder / folds.FACTS).exists():
        unseen_ones = set(fold.left_out) | (set(shots) - set(kept))
        folds.train(config, folder, sorted(unseen_ones))
      # Those that this one alone has not seen are no part of the comparison.
      smaller = folds.load_one(folder)
      trained.append(smaller._replace(left_out=fold.left_out))
    found = unseen.as_read(unseen.read(args.files, trained))
    rows.append({"share": share, "sources": float(np.mean(seen)), **found})
  results = {
    **run_record.circumstances(),
    "folds": args.which,
    "left_out": [list(fold.left_out) for fold in whole],
    "runs": [
      run_record.in_short(path)
      for folder in (args.folds, args.workdir)
      for path in sorted(folder.glob("*/run.json"))
    ],
    "rows": rows,
    "per_doubling": {
      name: _per_doubling(rows, name) for name in ("mae", "mae_clipped")
    },
  }
  run_record.write_results(args.out, results, table(results))
  return 0


def chosen(
  shots: dict[str, int], left_out: Sequence[str], share: float, seed: int
) -> list[str]:
  """Draws the sources that are seen; a smaller share is part of a larger one.

  Args:
    shots: of each repository that is trained on.
    left_out: names of those that nobody sees.
    share: of the others, 0..1.
    seed: of the order.

  Returns:
    Their names, one at least.
  """
  others = sorted(set(shots) - set(left_out))
  order = np.random.default_rng(seed).permutation(len(others))
  return [others[k] for k in order[: max(1, round(share * len(others)))]]


def _per_doubling(rows: Sequence[dict[str, Any]], name: str) -> float:
  """Change of a figure for twice the sources, least squares over the rows."""
  seen = np.log2([row["sources"] for row in rows])
  values = [row["figures"][name][0] for row in rows]
  return float(np.polyfit(seen, values, 1)[0])


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  rows = [
    [
      f"{row['sources']:.0f}",
      *(report.Figure(*row["figures"][name]).cell() for name in _FIGURES),
    ]
    for row in results["rows"]
  ]
  first = results["rows"][0]
  doubling = ", ".join(
    f"{name.replace('_', ' ')} {value:+.3f}"
    for name, value in results["per_doubling"].items()
  )
  return "\n".join(
    [
      f"{first['files']} files of {first['repositories']} repositories:",
      "",
      report.markdown(
        ["sources seen", *(name.replace("_", " ") for name in _FIGURES)], rows
      ),
      "",
      f"For twice the sources: {doubling}.",
      "",
    ]
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
