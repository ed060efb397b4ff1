r"""Measures how slow real-time footage looks, for a stated false-positive rate.

  python -m experiments.slowmo_mining.calibrate --out \
    speedflow/weights/mining_tiny.json --log runs/mining_calibration.jsonl

Of each scene group of the training and validation splits that is taken to play
in real time, that piece counts which a dense `speedflow mine` without a
threshold keeps with the most evidence. The doubt of the sparse scan is the
least that passes nearly all samples of slow clips of the same splits. The test
split is not touched. Files are logged one by one: killed and run again, it goes
on, and with --minutes it makes do with the files that it got to: validation
first, then one clip of each scene after the other. Where a change of the
filters concerns some scenes alone, --scenes examines these anew and keeps what
--out says of the others.

The estimator has learnt from the training split, so its errors there may be
smaller than elsewhere; the scores of both splits are compared in the README.
"""

import argparse
import collections
import dataclasses
import hashlib
import json
import math
import pathlib
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from speedflow import errors
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate.weights import SPEED
from speedflow.evaluation import real_clips, report
from speedflow.mine import examine, scan, threshold
from speedflow.output.atomic import atomic_path
from speedflow.training import run_record

FOOTAGE = (
  "the project's training and validation clips: surveillance, sport, broadcast "
  "and telephone video, talking and signing people, animals, dashcams"
)
SETTINGS = examine.Settings(sparse=False)
"""Those of `speedflow mine --dense`, but nothing is too little evidence."""

_SPLITS = ("train", "val")
# Of the samples of slow clips that the dense scan finds, the sparse scan passes
# so many on.
_PASSED_ON = 0.95
_DOUBTS = tuple(np.arange(0.0, 3.01, 0.25).tolist())


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--log", type=pathlib.Path, required=True)
  parser.add_argument("--minutes", type=float, default=math.inf)
  parser.add_argument(
    "--scenes",
    type=pathlib.Path,
    help="file that names scene groups of real time, one a line",
  )
  args = parser.parse_args(argv)
  scenes = args.scenes and set(args.scenes.read_text().splitlines())
  calibration = calibrate(
    args.weights, real_clips.folder(), args.log, 60 * args.minutes, scenes
  )
  if scenes:
    calibration = renewed(threshold.load(str(args.out)), calibration, scenes)
  with atomic_path(args.out) as path:
    calibration.write(path)
  for fpr in (0.01, 0.02, 0.05):
    print(calibration.threshold(fpr).in_words(calibration.footage))
  return 0


def is_real_time(row: dict[str, str]) -> bool:
  """Whether a clip is taken to play in real time."""
  return row["category"] == "realtime"


def is_slow(row: dict[str, str]) -> bool:
  """Whether a clip is said to play at half speed or slower."""
  slow = row["category"] in ("slowmo", "highfps")
  return slow and 0 < float(row["speed"] or 0) <= SETTINGS.max_speed


def calibrate(
  weights: str,
  folder: pathlib.Path,
  log: pathlib.Path,
  seconds: float,
  scenes: Collection[str] | None = None,
) -> threshold.Calibration:
  """Scores the negatives and chooses the doubt of the sparse scan.

  Args:
    weights: name of the estimator's.
    folder: of real clips.
    log: where the answers about single files are kept.
    seconds: after which no further file is examined.
    scenes: only these; None: all of real time, and slow ones.
  """
  sha256 = SPEED.digest(weights)
  wanted = _in_order(
    row
    for row in real_clips.rows(folder)
    if row["split"] in _SPLITS
    and (is_real_time(row) or is_slow(row))
    and (scenes is None or row["scene_group"] in scenes)
  )
  answers = _examine(wanted, folder, weights, sha256, log, seconds)
  rows = [row for row in wanted if row["file"] in answers]
  scores: dict[str, float] = {}
  for row in filter(is_real_time, rows):
    pieces = answers[row["file"]]["pieces"]
    # Where all is too short to be kept, there is no negative either.
    if any(piece["reason"] != "too_short" for piece in pieces):
      group = row["scene_group"]
      told = [piece["evidence"] for piece in pieces if not piece["reason"]]
      scores[group] = max(scores.get(group, -math.inf), *told, -math.inf)
  return threshold.Calibration(
    scores=scores,
    footage=FOOTAGE,
    min_seconds=SETTINGS.min_seconds,
    max_speed=SETTINGS.max_speed,
    weights=weights,
    weights_sha256=sha256,
    doubt=least_doubt(
      sample
      for row in filter(is_slow, rows)
      if _found(answers[row["file"]])
      for sample in answers[row["file"]]["glances"]
    ),
    circumstances={
      **run_record.circumstances(),
      "clips_csv_sha256": real_clips.fingerprint(folder),
      "clips_left_out": len(wanted) - len(rows),
      "negative_clips": sum(map(is_real_time, rows)),
      "slow_clips": sum(map(is_slow, rows)),
      "of_validation": sorted(
        {r["scene_group"] for r in rows if r["split"] == "val"} & set(scores)
      ),
    },
  )


def renewed(
  before: threshold.Calibration,
  again: threshold.Calibration,
  scenes: Collection[str],
) -> threshold.Calibration:
  """A calibration, some scenes of which were examined anew.

  Args:
    before: of all scenes; the doubt is its own.
    again: of the scenes that were examined anew.
    scenes: their names.

  Raises:
    SpeedflowError: they are of different weights.
  """
  if before.weights_sha256 != again.weights_sha256:
    raise errors.SpeedflowError(
      f"--scenes: the calibration is of other weights than {again.weights}; "
      "leave --scenes out"
    )
  kept = {s: v for s, v in before.scores.items() if s not in scenes}
  return dataclasses.replace(
    before,
    scores=kept | again.scores,
    circumstances={
      **before.circumstances,
      "examined_again": {
        "scenes": sorted(scenes),
        **run_record.circumstances(),
      },
    },
  )


def _found(answer: dict[str, Any]) -> bool:
  """Whether the dense scan finds any slow motion, filtered or not."""
  return any(
    piece["evidence"] > SETTINGS.evidence for piece in answer["pieces"]
  )


def least_doubt(samples: Iterable[Sequence[float]]) -> float:
  """The least doubt that passes nearly all samples of slow clips on.

  Args:
    samples: log2 speed and spread of each; those where nothing moves are
      left out before.
  """
  glances = [scan.Glance(0.0, *sample) for sample in samples]
  if not glances:
    return _DOUBTS[-1]
  for doubt in _DOUBTS:
    passed = [
      glance.may_be_slow(SETTINGS.max_speed, doubt) for glance in glances
    ]
    if np.mean(passed) >= _PASSED_ON:
      return doubt
  return _DOUBTS[-1]


def _in_order(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
  """Validation clips, slow ones, then the first, second ... of each scene."""
  seen: collections.Counter = collections.Counter()
  ranked = []
  for row in rows:
    rank = (row["split"] != "val", is_real_time(row), seen[row["scene_group"]])
    seen[row["scene_group"]] += 1
    # Of any part of the list, an even choice.
    digest = hashlib.sha256(row["file"].encode()).digest()
    ranked.append((rank, digest, row))
  return [row for *_, row in sorted(ranked, key=lambda item: item[:2])]


def _examine(
  rows: Sequence[dict[str, str]],
  folder: pathlib.Path,
  weights: str,
  sha256: str,
  log: pathlib.Path,
  seconds: float,
) -> dict[str, dict[str, Any]]:
  """By file, what the scans say; those of the log are not scanned again."""
  answers: dict[str, dict[str, Any]] = {}
  if log.exists():
    for line in log.read_text().splitlines():
      answer = json.loads(line)
      if answer["weights_sha256"] == sha256:
        answers[answer["file"]] = answer
  estimator = estimator_lib.load_estimator(weights)
  log.parent.mkdir(parents=True, exist_ok=True)
  started = time.monotonic()
  with log.open("a") as lines:
    for row in rows:
      if row["file"] in answers or time.monotonic() - started > seconds:
        continue
      path = str(folder / row["file"])
      examination = examine.Examination(path, SETTINGS, estimator)
      answer = {
        "file": row["file"],
        "weights_sha256": sha256,
        "pieces": [
          {"reason": verdict.reason, **verdict.to_json()}
          for verdict in examination
        ],
        "glances": [
          [glance.log2_speed, glance.spread]
          for glance in scan.glances(path, estimator)
          if not math.isnan(glance.log2_speed)
        ]
        if is_slow(row)
        else [],
      }
      lines.write(json.dumps(answer) + "\n")
      lines.flush()
      answers[row["file"]] = answer
  return answers


if __name__ == "__main__":
  sys.exit(report.run(main))
