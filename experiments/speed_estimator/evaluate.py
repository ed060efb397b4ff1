r"""Scores the shipped estimator and the baselines on the same windows.

  python -m experiments.speed_estimator.evaluate \\
    --out experiments/speed_estimator/results/test.json

It reads motion records (`make records`), fits the baselines on the training
split, and writes figures with 95 % intervals by scene group, and the tables
of the README beside them.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import baselines, protocol
from speedflow import errors
from speedflow.atomic import atomic_path
from speedflow.data.motion import MotionRecord
from speedflow.data.records import RecordSource
from speedflow.evaluation import speed
from speedflow.inference import estimator as estimator_lib
from speedflow.inference import weights
from speedflow.models import motion_net
from speedflow.training import run_record

_FRAMES = (16, 32, 48)
_ALL_STRIDES = (1, 2, 4, 8)
_CATEGORIES = ("realtime", "slowmo", "highfps")
_OURS = "speedflow"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  try:
    results = evaluate(args.records, args.split, args.weights)
  except errors.SpeedflowError as error:
    print(f"evaluate: {error}", file=sys.stderr)
    return 2
  with atomic_path(args.out) as path:
    path.write_text(json.dumps(results, indent=2) + "\n")
  table = tables(results)
  with atomic_path(args.out.with_suffix(".md")) as path:
    path.write_text(table)
  print(table)
  return 0


def evaluate(
  records: pathlib.Path, split: str, weights_name: str
) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    records: folder of motion records.
    split: which to score.
    weights_name: as for `load_estimator`.
  """
  started = time.time()
  path = weights.find(
    weights_name if ".npz" in weights_name else f"speed_{weights_name}"
  )
  model, extra = weights.load(path)
  calibration = estimator_lib.Calibration(**extra.get("calibration", {}))
  paths = protocol.shards(records, split)
  scored = list(protocol.read_records(paths))
  training = list(protocol.read_records(protocol.shards(records, "train")))
  realtime = {}
  for frames in _FRAMES:
    data = protocol.windows(scored, frames)
    systems = baselines.fit(training, frames)
    steps = {name: system(data.maps) for name, system in systems.items()}
    steps[_OURS], _ = protocol.predict(model, data.maps)
    realtime[str(frames)] = {
      "windows": len(data),
      "scene_groups": len(np.unique(data.group)),
      "systems": {
        name: protocol.realtime_scores(step + data.offset, data)
        for name, step in steps.items()
      },
    }
  return {
    **run_record.circumstances(),
    "split": split,
    "weights": path.name,
    "training": extra,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "seconds": round(time.time() - started, 1),
    "realtime": realtime,
    "all_speeds": _all_speeds(model, calibration, scored),
    "clips_of_known_slow_speed": _slow_clips(model, scored),
  }


def _all_speeds(
  model: motion_net.MotionNet,
  calibration: estimator_lib.Calibration,
  records: Sequence[MotionRecord],
) -> dict[str, Any]:
  """Everything with a label, from the slowest clip to 8x."""
  data = protocol.windows(
    records, 16, strides=_ALL_STRIDES, categories=_CATEGORIES
  )
  step, spread = protocol.predict(model, data.maps)
  estimate, truth = step + data.offset, data.log2_speed
  half = calibration.window * spread

  def pearson(index: np.ndarray) -> float:
    return speed.score(estimate[index], truth[index]).pearson

  def factor_error(index: np.ndarray) -> float:
    return speed.score(estimate[index], truth[index]).factor_error

  def coverage(index: np.ndarray) -> float:
    low, high = estimate[index] - half[index], estimate[index] + half[index]
    return speed.coverage(low, high, truth[index])

  everything = np.arange(len(data))
  figures = {
    measure.__name__: (
      measure(everything),
      *speed.bootstrap(measure, data.group),
    )
    for measure in (pearson, factor_error, coverage)
  }
  return {"windows": len(data), **figures}


def _slow_clips(
  model: motion_net.MotionNet, records: Sequence[MotionRecord]
) -> list[dict[str, Any]]:
  """Genuine slow clips one by one: there are too few for an average."""
  rows = []
  for record in records:
    if not 0 < record.speed < 0.9:
      continue
    maps = record.maps[1]
    data = protocol.windows(
      [record],
      min(48, len(maps) + 1),
      strides=(1,),
      categories=(record.category,),
      anchored=False,
    )
    step, _ = protocol.predict(model, data.maps)
    rows.append(
      {
        "clip": record.id,
        "label": record.label,
        "speed": record.speed,
        "estimate": float(2.0 ** np.mean(step + data.offset)),
      }
    )
  return rows


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = []
  for frames, part in results["realtime"].items():
    lines += [
      f"Windows of {frames} frames: {part['windows']} windows, "
      f"{part['scene_groups']} scene groups of `{results['split']}`.",
      "",
      "| system | log2 MAE | 3-way accuracy | Spearman | 1x against 2x |",
      "|---|---|---|---|---|",
    ]
    for name, scores in part["systems"].items():
      cells = " | ".join(_cell(*figures) for figures in scores.values())
      lines.append(f"| {name} | {cells} |")
    lines.append("")
  everything = results["all_speeds"]
  lines += [
    f"All labelled clips at 1, 2, 4 and 8 times their speed, windows of 16 "
    f"frames, {everything['windows']} windows:",
    "",
    "| Pearson | typical factor error | coverage of the 80 % interval |",
    "|---|---|---|",
    "| "
    + " | ".join(
      _cell(*everything[name])
      for name in ("pearson", "factor_error", "coverage")
    )
    + " |",
    "",
    "| slow clip | how the speed is known | speed | estimate |",
    "|---|---|---|---|",
  ]
  lines += [
    f"| {row['clip']} | {row['label']} | {row['speed']:.3g} | "
    f"{row['estimate']:.3g} |"
    for row in results["clips_of_known_slow_speed"]
  ]
  return "\n".join(lines) + "\n"


def _cell(figure: float, low: float = np.nan, high: float = np.nan) -> str:
  if np.isnan(figure):
    return "-"
  if np.isnan(low):
    return f"{figure:.2f}"
  return f"{figure:.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
  sys.exit(main())
