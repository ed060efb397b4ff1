r"""Scores the shipped estimator and the baselines on the same windows.

  python -m experiments.speed_estimator.evaluate \
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
from speedflow.data.schema import ShotRecord
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
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  try:
    results = evaluate(args.records, args.clips, args.split, args.weights)
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
  records: pathlib.Path,
  clips: pathlib.Path,
  split: str,
  weights_name: str,
) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    records: folder of motion records.
    clips: folder of the shot records that they were made from.
    split: which to score.
    weights_name: as for `load_estimator`.
  """
  started = time.time()
  path = weights.find(
    weights_name if ".npz" in weights_name else f"speed_{weights_name}"
  )
  model, extra = weights.load(path)
  calibration = estimator_lib.Calibration(**extra.get("calibration", {}))
  centres = np.asarray(model.config.centres)
  frequency = calibration.frequency(len(centres))
  paths = protocol.shards(records, split)
  scored = list(protocol.read_records(paths))
  training = list(protocol.read_records(protocol.shards(records, "train")))
  realtime = {}
  for frames in _FRAMES:
    data = protocol.windows(scored, frames)
    systems = baselines.fit(training, frames)
    steps = {name: system(data.maps) for name, system in systems.items()}
    answers = {
      name: protocol.answers_of_estimate(step + data.offset)
      for name, step in steps.items()
    }
    answers[_OURS] = protocol.answers_of_distribution(
      protocol.predict(model, data.maps), frequency, centres, data
    )
    realtime[str(frames)] = {
      "windows": len(data),
      "scene_groups": len(np.unique(data.group)),
      "systems": {
        name: protocol.realtime_scores(answer, data)
        for name, answer in answers.items()
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
    "clips": _whole_clips(
      estimator_lib.SpeedEstimator(model, calibration),
      protocol.shards(clips, split),
    ),
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
  centres = np.asarray(model.config.centres)
  frequency = calibration.frequency(len(centres))
  estimate, spread = protocol.everyday(
    protocol.predict(model, data.maps), frequency, centres, data
  )
  truth = data.log2_speed
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


def _whole_clips(
  estimator: estimator_lib.SpeedEstimator, paths: Sequence[pathlib.Path]
) -> list[dict[str, Any]]:
  """Every shot as a user would have it estimated, with all rounds."""
  rows = []
  for encoded in RecordSource(paths):
    shot = ShotRecord.decode(encoded)
    frames = [shot.image(i, reduce=2) for i in range(shot.num_frames)]
    answer = estimator.estimate(frames, shot.fps)
    rows.append(
      {
        "clip": shot.id,
        "scene_group": shot.scene_group,
        "category": shot.category,
        "label": shot.label,
        "speed": shot.speed or None,
        "status": answer.status,
        "estimate": answer.speed,
        "low": answer.speed_low,
        "high": answer.speed_high,
        "rounds": answer.rounds,
      }
    )
  return rows


def errors_by_round(clips: Sequence[dict[str, Any]]) -> list[float]:
  """Typical factor error of slow clips after each round of inference."""
  slow = [c for c in clips if c["rounds"] and c["speed"] and c["speed"] < 0.9]
  longest = max((len(c["rounds"]) for c in slow), default=0)
  figures = []
  for number in range(longest):
    misses = [
      abs(np.log2(c["rounds"][min(number, len(c["rounds"]) - 1)] / c["speed"]))
      for c in slow
    ]
    figures.append(float(2.0 ** np.mean(misses)))
  return figures


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
    *_clip_tables(results["clips"]),
  ]
  return "\n".join(lines) + "\n"


def _clip_tables(clips: Sequence[dict[str, Any]]) -> list[str]:
  lines = [
    "Whole clips at their own speed, by the `speedflow estimate` of them:",
    "",
    "| category | clips | of known speed | typical factor error | "
    "in the 80 % interval | uncertain |",
    "|---|---|---|---|---|---|",
  ]
  for category in _CATEGORIES:
    members = [c for c in clips if c["category"] == category]
    known = [c for c in members if c["speed"] and c["status"] == "ok"]
    miss = [abs(np.log2(c["estimate"] / c["speed"])) for c in known]
    inside = [c["low"] <= c["speed"] <= c["high"] for c in known]
    figures = "- | -"
    if known:
      figures = f"{2.0 ** np.mean(miss):.2f} | {np.mean(inside):.2f}"
    uncertain = sum(c["status"] == "uncertain" for c in members)
    lines.append(
      f"| {category} | {len(members)} | {len(known)} | {figures} | "
      f"{uncertain} |"
    )
  by_round = ", ".join(f"{error:.2f}" for error in errors_by_round(clips))
  lines += [
    "",
    f"Typical factor error of the slow clips after each round: {by_round}.",
    "",
    "| slow clip | how the speed is known | speed | estimate | interval |",
    "|---|---|---|---|---|",
  ]
  return lines + [
    f"| {c['clip']} | {c['label']} | {c['speed']:.3g} | {c['estimate']:.3g} | "
    f"{c['low']:.2g}-{c['high']:.2g} |"
    for c in clips
    if c["speed"] and c["speed"] < 0.9
  ]


def _cell(figure: float, low: float = np.nan, high: float = np.nan) -> str:
  if np.isnan(figure):
    return "-"
  if np.isnan(low):
    return f"{figure:.2f}"
  return f"{figure:.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
  sys.exit(main())
