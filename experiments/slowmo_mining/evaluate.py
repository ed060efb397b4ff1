r"""Finds planted slow motion, and counts what should not have been found.

  python -m experiments.slowmo_mining.evaluate \
    --haystack runs/haystack --out experiments/slowmo_mining/results/test.json

It writes the haystack where it is missing, mines it as `speedflow mine` does,
once with the sparse scan and once densely, and writes figures for several
false-positive rates, with 95 % intervals by Clopper and Pearson, and the tables
of the README beside them.
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

from experiments.slowmo_mining import fakes, haystack
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate.weights import SPEED
from speedflow.evaluation import real_clips, report
from speedflow.mine import examine, scan, threshold
from speedflow.output.atomic import atomic_path
from speedflow.training import run_record

_RATES = (0.01, 0.03, 0.05)
# Files on which the scans are timed.
_TIMED = 4
_HAY = ("real time", "fast action")


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--haystack", type=pathlib.Path, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="test")
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--files", type=int, help="no more than these")
  args = parser.parse_args(argv)
  planted = plant(args.haystack, args.split, args.seed, args.files)
  results = evaluate(planted, args.split)
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
  data = real_clips.folder()
  planted = []
  plans = haystack.plan(real_clips.rows(data), data, split, seed)
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


def evaluate(planted: Sequence[Planted], split: str) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    planted: files, and what is where in them.
    split: that they come from.
  """
  calibration = threshold.load()
  limits = {str(fpr): calibration.threshold(fpr) for fpr in _RATES}
  # With no threshold, so that each can be laid on afterwards.
  settings = examine.Settings(doubt=calibration.doubt)
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
    "clips_csv_sha256": real_clips.fingerprint(real_clips.folder()),
    "weights_sha256": calibration.weights_sha256,
    "calibration_fits": calibration.fits(
      SPEED.digest(calibration.weights),
      settings.min_seconds,
      settings.max_speed,
    ),
    "statements": {
      fpr: limit.in_words(calibration.footage) for fpr, limit in limits.items()
    },
    "settings": dataclasses.asdict(settings),
    "files": len(planted),
    "minutes": round(sum(s[-1].end_s for _, s in planted) / 60, 2),
    "sparse_scan_cpu_s": round(sparse_s, 1),
    "dense_scan_cpu_s": round(dense_s, 1),
    "sparse_share_of_cost": round(sparse_s / dense_s, 4),
    "by_fpr": {
      fpr: {
        name: figures(found, limit.evidence) for name, found in ways.items()
      }
      for fpr, limit in limits.items()
    },
    **never_seen(ways["sparse"], limits),
    "segments": ways,
  }


def never_seen(
  rows: Sequence[dict[str, Any]], limits: dict[str, threshold.Threshold]
) -> dict[str, Any]:
  """The figures of the sparse scan on sources of which nothing was trained on.

  Args:
    rows: one a segment.
    limits: the thresholds, by false-positive rate.
  """
  data = real_clips.folder()
  new = real_clips.never_seen(data)
  chosen = [row for row in rows if row["clip"] in new]
  return {
    "never_seen": {
      "sources": len(
        {row["source"] for row in real_clips.rows(data) if row["file"] in new}
      ),
      **{fpr: figures(chosen, at.evidence) for fpr, at in limits.items()},
    }
  }


def _whole(
  path: pathlib.Path, estimator: estimator_lib.SpeedEstimator
) -> Iterable[scan.Piece]:
  return scan.pieces(
    path,
    scan.Span(-math.inf, math.inf),
    estimator,
    examine.Settings().max_speed,
  )


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
      rows.append(
        {
          **dataclasses.asdict(segment),
          "file": path.name,
          "reasons": [v.reason for v in of_it],
          "speeds": [float(f"{v.piece.speed:.3g}") for v in of_it],
          "evidence": [v.to_json()["evidence"] for v in of_it],
        }
      )
  return rows


def _within(piece: scan.Piece, segment: haystack.Segment) -> bool:
  """Whether the middle of a piece lies in a segment."""
  return segment.start_s <= (piece.start_s + piece.end_s) / 2 < segment.end_s


def _kept(row: dict[str, Any], evidence: float) -> int:
  """Pieces of a segment that are kept at a threshold."""
  told = zip(row["reasons"], row["evidence"], strict=True)
  return sum(not reason and nats > evidence for reason, nats in told)


def figures(rows: Sequence[dict[str, Any]], evidence: float) -> dict[str, Any]:
  """Precision and the like, each as (figure, low, high), with counts.

  Args:
    rows: one a segment.
    evidence: the threshold, nats.
  """
  rows = [{**row, "kept": _kept(row, evidence)} for row in rows]
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
        collections.Counter(
          reason for r in rows if r["kind"] == kind for reason in r["reasons"]
        )
      )
      for kind in ("genuine", *kinds)
    },
  }


def _share(hits: int, total: int) -> dict[str, float | int | None]:
  """A share with its 95 % interval, rounded, and what it was made of."""
  if not total:
    return {"of": 0, "hits": 0, "share": None, "low": None, "high": None}
  share, low, high = report.share(hits, total).to_json()
  return {
    "of": total,
    "hits": hits,
    "share": round(share, 4),
    "low": round(low, 4),
    "high": round(high, 4),
  }


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  rates = results["by_fpr"]
  lines = [
    f"{results['files']} files, {results['minutes']} minutes, from the split "
    f"`{results['split']}`.",
    "",
    *(f"- {statement}" for statement in results["statements"].values()),
    "",
    "| " + " | ".join(["", *(f"`--fpr {fpr}`" for fpr in rates), ""]),
    "|---" * (1 + len(rates)) + "|",
  ]
  for name, key in (
    ("precision (clips kept)", "precision"),
    ("recall (slow scenes of 2 s and more)", "recall"),
    ("real-time scenes with a clip kept", "fpr_by_scene"),
  ):
    for way in ("sparse", "dense"):
      cells = " | ".join(_cell(rate[way][key]) for rate in rates.values())
      lines.append(f"| {name}, {way} scan | {cells} |")
  new = results["never_seen"]
  for name, key in (("recall", "recall"), ("real-time scenes", "fpr_by_scene")):
    cells = " | ".join(_cell(new[fpr][key]) for fpr in rates)
    lines.append(f"| {name}, {new['sources']} sources never seen | {cells} |")
  for kind in (*_HAY, *fakes.KINDS):
    cells = " | ".join(
      _cell(rate["sparse"]["passed_by_kind"][kind]) for rate in rates.values()
    )
    lines.append(f"| passed: {kind} | {cells} |")
  lines += [
    "",
    f"On {_TIMED} of the files, the sparse scan takes "
    f"{results['sparse_scan_cpu_s']} s of CPU, a dense one "
    f"{results['dense_scan_cpu_s']} s: "
    f"{100 * results['sparse_share_of_cost']:.1f} %.",
    "",
    "| genuine slow motion | speed | estimates | evidence, nats | rejected |",
    "|---|---|---|---|---|",
  ]
  for row in results["segments"]["sparse"]:
    if row["kind"] == "genuine":
      speed = f"{row['speed']:.3g}" if row["speed"] else "?"
      reasons = ", ".join(reason or "-" for reason in row["reasons"])
      estimates = ", ".join(f"{each:.2g}" for each in row["speeds"])
      nats = ", ".join(
        f"{each:.1f}" if each > -99 else "-" for each in row["evidence"]
      )
      name = pathlib.PurePath(row["clip"]).stem
      lines.append(
        f"| {name} | {speed} | {estimates} | {nats} | "
        f"{reasons or 'not looked at'} |"
      )
  return "\n".join(lines) + "\n"


def _cell(share: dict[str, Any]) -> str:
  if share["share"] is None:
    return "-"
  figure = report.Figure(share["share"], share["low"], share["high"])
  return f"{figure.cell()}, {share['hits']} of {share['of']}"


if __name__ == "__main__":
  sys.exit(report.run(main))
