r"""Finds planted slow motion, and counts what should not have been found.

  python -m experiments.slowmo_mining.evaluate \
    --haystack runs/haystack --out experiments/slowmo_mining/results/test.json

It writes the haystack where it is missing, mines it as `speedflow mine` does,
once with the sparse scan and once densely, and writes figures, with 95 %
intervals by Clopper and Pearson, and the tables of the README beside them.
"""

import argparse
import collections
import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from scipy import stats

from experiments.slowmo_mining import calibrate, fakes, haystack
from speedflow import errors
from speedflow.atomic import atomic_path
from speedflow.inference import estimator as estimator_lib
from speedflow.mining import examine, scan, threshold
from speedflow.training import run_record

# Files on which the scans are timed.
_TIMED = 4
_HAY = ("real time", "fast action")


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--haystack", type=pathlib.Path, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="test")
  parser.add_argument("--fpr", type=float, default=0.01)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--files", type=int, help="no more than these")
  args = parser.parse_args(argv)
  try:
    planted = plant(args.haystack, args.split, args.seed, args.files)
    results = evaluate(planted, args.fpr, args.split)
  except errors.SpeedflowError as error:
    print(f"evaluate: {error}", file=sys.stderr)
    return 2
  with atomic_path(args.out) as path:
    path.write_text(json.dumps(results, indent=1) + "\n")
  with atomic_path(args.out.with_suffix(".md")) as path:
    path.write_text(tables(results))
  print(tables(results))
  return 0


Planted = tuple[pathlib.Path, list[haystack.Segment]]


def plant(
  folder: pathlib.Path, split: str, seed: int, files: int | None = None
) -> list[Planted]:
  """Writes the haystack, and says what is where; killed, it goes on.

  Args:
    folder: for the files.
    split: whose clips to take.
    seed: of the order.
    files: no more than these, the first ones.
  """
  data = calibrate.data_folder()
  planted = []
  plans = haystack.plan(calibrate.clips(data), data, split, seed)
  for number, parts in enumerate(plans[:files]):
    path = folder / f"{split}-{seed}-{number:03d}.mp4"
    notes = path.with_suffix(".json")
    if not notes.exists():
      segments = haystack.write(parts, path, with_sound=number % 2 == 0)
      with atomic_path(notes) as temporary:
        temporary.write_text(json.dumps(haystack.as_json(segments)))
    stored = json.loads(notes.read_text())
    planted.append((path, [haystack.Segment(**each) for each in stored]))
  return planted


def evaluate(
  planted: Sequence[Planted], fpr: float, split: str
) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    planted: files, and what is where in them.
    fpr: as for `speedflow mine`.
    split: that they come from.
  """
  calibration = threshold.load()
  limit = calibration.threshold(fpr)
  settings = examine.Settings(slowness=limit.slowness, doubt=calibration.doubt)
  estimator = estimator_lib.load_estimator(calibration.weights)
  # What is compiled once is no cost of the first file.
  list(scan.glances(planted[0][0], estimator))
  list(_whole(planted[0][0], estimator))
  ways = {
    name: _mined(
      planted, dataclasses.replace(settings, sparse=sparse), estimator
    )
    for name, sparse in (("sparse", True), ("dense", False))
  }
  started = time.process_time()
  for path, _ in planted[:_TIMED]:
    collections.deque(scan.glances(path, estimator), maxlen=0)
  sparse_s = time.process_time() - started
  started = time.process_time()
  for path, _ in planted[:_TIMED]:
    collections.deque(_whole(path, estimator), maxlen=0)
  dense_s = time.process_time() - started
  return {
    **run_record.circumstances(),
    "split": split,
    "clips_csv_sha256": calibrate.data_fingerprint(calibrate.data_folder()),
    "weights_sha256": calibration.weights_sha256,
    "calibration_fits": calibration.fits(
      threshold.digest(calibration.weights), settings.min_seconds
    ),
    "statement": limit.in_words(calibration.footage),
    "settings": dataclasses.asdict(settings),
    "files": len(planted),
    "minutes": round(sum(s[-1].end_s for _, s in planted) / 60, 2),
    "sparse_scan_cpu_s": round(sparse_s, 1),
    "dense_scan_cpu_s": round(dense_s, 1),
    "sparse_share_of_cost": round(sparse_s / dense_s, 4),
    **{name: figures(found) for name, found in ways.items()},
    "segments": ways["sparse"],
  }


def _whole(
  path: pathlib.Path, estimator: estimator_lib.SpeedEstimator
) -> Iterable[scan.Piece]:
  return scan.pieces(path, scan.Span(-math.inf, math.inf), estimator)


def _mined(
  planted: Sequence[Planted],
  settings: examine.Settings,
  estimator: estimator_lib.SpeedEstimator,
) -> list[dict[str, Any]]:
  """What became of each segment."""
  rows = []
  for path, segments in planted:
    examination = examine.Examination(str(path), settings, estimator)
    verdicts = list(examination)
    for segment in segments:
      of_it = [v for v in verdicts if _within(v.piece, segment)]
      kept = [v for v in of_it if not v.reason]
      rows.append(
        {
          **dataclasses.asdict(segment),
          "file": path.name,
          "kept": len(kept),
          "reasons": dict(collections.Counter(v.reason for v in of_it)),
          "speeds": [float(f"{v.piece.speed:.3g}") for v in of_it],
          "slowness": [float(f"{v.piece.slowness:.3g}") for v in of_it],
        }
      )
  return rows


def _within(piece: scan.Piece, segment: haystack.Segment) -> bool:
  """Whether the middle of a piece lies in a segment."""
  return segment.start_s <= (piece.start_s + piece.end_s) / 2 < segment.end_s


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
  """Precision and the like, each as (figure, low, high), with counts.

  Args:
    rows: one a segment.
  """
  genuine = [r for r in rows if r["kind"] == "genuine"]
  long_enough = [r for r in genuine if r["end_s"] - r["start_s"] >= 2]
  kept = sum(r["kept"] for r in rows)
  true = sum(r["kept"] for r in genuine)
  kinds = (*_HAY, *fakes.KINDS)
  by_kind = {}
  for kind in kinds:
    of_kind = [r for r in rows if r["kind"] == kind]
    by_kind[kind] = _share(sum(r["kept"] > 0 for r in of_kind), len(of_kind))
  hay = [r for r in rows if r["kind"] in _HAY]
  groups = {r["group"] for r in hay}
  passed = {r["group"] for r in hay if r["kept"]}
  return {
    "precision": _share(true, kept),
    "recall": _share(sum(r["kept"] > 0 for r in long_enough), len(long_enough)),
    "fpr_by_scene": _share(len(passed), len(groups)),
    "passed_by_kind": by_kind,
    "reasons_by_kind": {
      kind: dict(
        sum(
          (
            collections.Counter(r["reasons"]) for r in rows if r["kind"] == kind
          ),
          collections.Counter(),
        )
      )
      for kind in ("genuine", *kinds)
    },
  }


def _share(hits: int, total: int) -> dict[str, float | int | None]:
  """A share with its 95 % interval (Clopper and Pearson)."""
  if not total:
    return {"of": 0, "hits": 0, "share": None, "low": None, "high": None}
  low = stats.beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
  high = stats.beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
  return {
    "of": total,
    "hits": hits,
    "share": round(hits / total, 4),
    "low": round(float(low), 4),
    "high": round(float(high), 4),
  }


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = [
    f"{results['files']} files, {results['minutes']} minutes, from the split "
    f"`{results['split']}`. {results['statement']}",
    "",
    "| | with the sparse scan | densely |",
    "|---|---|---|",
  ]
  ways = [results["sparse"], results["dense"]]
  for name, key in (
    ("precision (clips kept)", "precision"),
    ("recall (slow scenes of 2 s and more)", "recall"),
    ("real-time scenes with a clip kept", "fpr_by_scene"),
  ):
    cells = " | ".join(_cell(way[key]) for way in ways)
    lines.append(f"| {name} | {cells} |")
  for kind in ways[0]["passed_by_kind"]:
    cells = " | ".join(_cell(way["passed_by_kind"][kind]) for way in ways)
    lines.append(f"| passed: {kind} | {cells} |")
  lines += [
    "",
    f"On {_TIMED} of the files, the sparse scan takes "
    f"{results['sparse_scan_cpu_s']} s of CPU, a dense one "
    f"{results['dense_scan_cpu_s']} s: "
    f"{100 * results['sparse_share_of_cost']:.1f} %.",
    "",
    "| genuine slow motion | speed | estimates | what became of its pieces |",
    "|---|---|---|---|",
  ]
  for row in results["segments"]:
    if row["kind"] == "genuine":
      speed = f"{row['speed']:.3g}" if row["speed"] else "?"
      reasons = ", ".join(
        f"{name or 'kept'} {number}" for name, number in row["reasons"].items()
      )
      estimates = ", ".join(f"{each:g}" for each in row["speeds"])
      name = pathlib.PurePath(row["clip"]).stem
      lines.append(
        f"| {name} | {speed} | {estimates} | {reasons or 'not looked at'} |"
      )
  return "\n".join(lines) + "\n"


def _cell(share: dict[str, Any]) -> str:
  if share["share"] is None:
    return "-"
  return (
    f"{share['share']:.2f} ({share['low']:.2f}-{share['high']:.2f}), "
    f"{share['hits']} of {share['of']}"
  )


if __name__ == "__main__":
  sys.exit(main())
