r"""The model card of weights that `make gpu-base` trains, from its figures.

  python -m experiments.speed_estimator.card runs/gpu-base/all/0 \
    --weights=runs/gpu-base/speed_base.safetensors \
    --unseen=runs/gpu-base/unseen.json --pack=runs/gpu-base/pack \
    --beside=experiments/speed_estimator/results/unseen.json

The card goes beside the weights, as .md. Nothing in it is written by hand.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed_estimator import pack
from speedflow.errors import SpeedflowError
from speedflow.estimate import weights
from speedflow.evaluation import report
from speedflow.output import atomic

_FIGURES = {
  "mae": "log2 MAE at 1x, 2x, 4x",
  "mae_clipped": "the same, told that speeds are 1 to 4",
  "accuracy_3way": "1x, 2x or 4x?",
  "accuracy_1x_2x": "1x against 2x",
  "spearman": "Spearman",
  "slope": "slope within clips",
  "bias_1x": "bias at 1x, octaves",
  "coverage": "coverage of the 80 % interval",
  "uncertain": "called uncertain",
  "slow_octaves": "slow clips, octaves",
  "coverage_slow": "slow clips, coverage",
}
_COUNTS = ("files", "repositories")


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the card; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "trained", type=pathlib.Path, help="folder of `folds.train`"
  )
  for name, text in (
    ("--weights", "that `calibrate` wrote"),
    ("--unseen", "figures of the folds, by `unseen`"),
    ("--pack", "that was trained on"),
    ("--beside", "figures of the shipped weights, by `unseen`"),
  ):
    parser.add_argument(name, type=pathlib.Path, required=True, help=text)
  args = parser.parse_args(argv)
  written = card(
    args.weights,
    trained=args.trained,
    unseen=json.loads(args.unseen.read_text()),
    packed=pack.read_facts(args.pack),
    beside=json.loads(args.beside.read_text()),
  )
  out = args.weights.with_suffix(".md")
  with atomic.atomic_path(out) as path:
    path.write_text(written)
  print(written)
  return 0


def card(
  path: pathlib.Path,
  *,
  trained: pathlib.Path,
  unseen: Mapping[str, Any],
  packed: Mapping[str, Any],
  beside: Mapping[str, Any],
) -> str:
  """The card as Markdown.

  Args:
    path: the weights, calibrated.
    trained: folder of the run that they are from.
    unseen: of networks trained alike but for some repositories.
    packed: facts of the pack.
    beside: of the shipped weights.

  Raises:
    SpeedflowError: these do not belong together.
  """
  run = json.loads((trained / "run.json").read_text())
  config = run["config"]
  # The folds and what they tell of: the same data, and as many steps.
  alike = {
    (one["data_fingerprint"], one["last_step"])
    for one in [run, *unseen["runs"]]
  }
  if len(alike) > 1:
    raise SpeedflowError(
      f"{trained}: of other data or another length than the folds of the "
      "figures; train all pieces on one pack, and evaluate again"
    )
  calibration = weights.SPEED.header(path)["extra"]["calibration"]
  files = packed["files"]
  seconds = sum(part["wall_seconds"] for part in [*run["earlier"], run])
  flops, model = run["flops_per_step"], config["model"]
  calibrated = unseen["calibrated"]
  commit = run["git"]["commit"]
  rows = {
    "What it does": "Says how fast a video plays: a distribution over the "
    "world time between frames, from motion maps.",
    "Network": f"`MotionNet`, {run['params'] / 1e6:.2f} million parameters "
    f"(width {model['width']}, dropout {model['dropout']:g}), float16",
    "Trained by": f"`make gpu-base`, seed {run['seed']}, commit "
    f"{commit[:12] if commit else 'unknown'}",
    "Data": f"{files['train.xz']['records']} looks at training shots "
    f"({files['train.xz']['maps']} motion maps), rounded in steps of "
    f"{packed['step']:g}; {files['val.xz']['records']} shots of validation. "
    "The clips are not part of this project: their licences do not allow it.",
    "Steps, time, hardware": f"{run['last_step']} of {config['batch_size']} "
    f"groups of two windows, {flops / 1e12:.2g} TFLOP each; "
    f"{seconds / 60:.1f} minutes on {run['devices']['count']} x "
    f"{run['devices']['kind']} ({run['devices']['host_cpus']} CPU cores)",
    "Chosen": _chosen(trained, config),
    "Intervals": "80 %, calibrated, like offset "
    f"({calibration['offset']:g}) and slope ({calibration['slope']:g}) of the "
    f"readings, on {calibrated['realtime_files']} files of repositories that "
    f"{len(unseen['runs'])} networks trained alike had not seen",
  }
  columns = [calibrated, beside["calibrated"]]
  figures = [
    [text, *(report.Figure(*c["figures"][name]).cell() for c in columns)]
    for name, text in _FIGURES.items()
  ]
  counts = [[name, *(str(c[name]) for c in columns)] for name in _COUNTS]
  return "\n".join(
    [
      f"# Model card: `{path.name}`",
      "",
      report.markdown(["", ""], rows.items()),
      "",
      "On sources never seen, calibrated on other repositories; 95 % intervals",
      "resample repositories:",
      "",
      report.markdown(
        ["", "these weights", "the shipped ones"], [*counts, *figures]
      ),
      "",
      "Limits: those of the shipped weights, see their card.",
      "",
    ]
  )


def _chosen(trained: pathlib.Path, config: Mapping[str, Any]) -> str:
  """Which checkpoint was kept, among which."""
  lines = (trained / "metrics.jsonl").read_text().splitlines()
  name = f"{config['eval_split']}/{config['checkpoint']['best_metric']}"
  scores = {
    line["step"]: line[name] for line in map(json.loads, lines) if name in line
  }
  best = min(scores, key=scores.__getitem__)
  return (
    f"the average of the weights at step {best}, the best by validation of "
    f"{len(scores)} that were looked at"
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
