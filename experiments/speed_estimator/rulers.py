r"""Does the size of people in the picture tell where the estimate errs?

  python -m experiments.speed_estimator.rulers --files=runs/files \
    --folds=runs/more --seen=seen.json \
    --out=experiments/speed_estimator/results/rulers.json

Who is near moves across more of the picture at the same speed. If the network
missed that, its error would grow with the size of people (`rulers_seen`).
Regressions leave the repository out that they are scored on.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.speed_estimator import by_repository, folds, unseen
from speedflow.evaluation import report
from speedflow.training import run_record

_RIDGE = 0.01


def main(argv: Sequence[str] | None = None) -> int:
  """Correlates and regresses; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ("files", "folds", "seen", "out"):
    parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  seen = json.loads(args.seen.read_text())
  reads = unseen.read(args.files, folds.load(args.folds))
  _, answers = unseen.answers(reads)
  answers = [a for a in answers if a.file.category == "realtime"]
  rulers = {}
  for name in ("torso", "face"):
    chosen = [a for a in answers if seen.get(a.file.clip, {}).get(name)]
    lengths = [float(seen[a.file.clip][name]) for a in chosen]
    rulers[name] = against(chosen, np.log2(lengths))
  results = {**run_record.circumstances(), "rulers": rulers}
  run_record.write_results(args.out, results, table(results))
  return 0


def against(
  answers: Sequence[by_repository.Answer], ruler: np.ndarray
) -> dict[str, Any]:
  """How the errors of files go with what was measured of them.

  Args:
    answers: about the files.
    ruler: of each, float [n].
  """
  error = np.array([a.error for a in answers])
  truth = np.array([a.truth for a in answers])
  sources = np.array([a.file.source for a in answers])
  names = np.unique(sources)
  means = np.array(
    [(ruler[sources == n].mean(), error[sources == n].mean()) for n in names]
  )
  ranked = stats.spearmanr(means[:, 0], means[:, 1])
  read = np.array([a.log2_speed for a in answers])
  return {
    "files": len(answers),
    "repositories": len(names),
    "spearman_of_repositories": float(ranked[0]),
    "p": float(ranked[1]),
    "mae_by_estimate": _left_out(read[:, None], truth, sources),
    "mae_with_ruler": _left_out(np.c_[read, ruler], truth, sources),
  }


def _left_out(
  inputs: np.ndarray, truth: np.ndarray, sources: np.ndarray
) -> float:
  """Mean absolute error of ridge regression, each repository left out."""
  design = np.c_[inputs, np.ones(len(inputs))]
  weight = 1 / np.array([(sources == s).sum() for s in sources])
  error = np.zeros(len(truth))
  for source in np.unique(sources):
    others = sources != source
    left = design[others] * weight[others, None]
    fitted = np.linalg.solve(
      left.T @ design[others] + _RIDGE * np.eye(design.shape[1]),
      left.T @ truth[others],
    )
    error[~others] = design[~others] @ fitted - truth[~others]
  return float(np.average(np.abs(error), weights=weight))


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  return report.markdown(
    [
      "ruler",
      "files (repositories)",
      "rank correlation with the error",
      "MAE without",
      "MAE with",
    ],
    [
      [
        name,
        f"{r['files']} ({r['repositories']})",
        f"{r['spearman_of_repositories']:.2f} (p {r['p']:.2f})",
        f"{r['mae_by_estimate']:.2f}",
        f"{r['mae_with_ruler']:.2f}",
      ]
      for name, r in results["rulers"].items()
    ],
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
