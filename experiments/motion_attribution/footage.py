"""Real footage: which clips does the shipped generator owe which motion to?

  python -m experiments.motion_attribution.footage --tracks=records/tracks \
    --workdir=runs/attribution-footage \
    --out=experiments/motion_attribution/results/footage.json

No truth is known here. What can be asked is whether clips from the repository
of the queries, filmed alike, are those that matter: for (taught it), or either
way (by the size of the influence).
"""

import argparse
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.speed_generator import dataset
from speedflow.attribute import scores
from speedflow.attribute.store import FeatureStore
from speedflow.attribute.track_features import FeatureMaker, Settings
from speedflow.data.records import RecordSource
from speedflow.data.tracks import TrackRecord
from speedflow.evaluation import detection, report
from speedflow.generate import weights as generator_weights
from speedflow.training import run_record

TOP = 0.1
# Repositories with fewer clips on either side say nothing.
_FEWEST = 5


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes the results and their table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--tracks", type=pathlib.Path, default=pathlib.Path("records/tracks")
  )
  parser.add_argument("--workdir", type=pathlib.Path, required=True)
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  results = measure(args.tracks, args.workdir, args.weights)
  run_record.write_results(args.out, results, table(results))
  return 0


def measure(
  folder: pathlib.Path, workdir: pathlib.Path, weights: str
) -> dict[str, Any]:
  """Ranks training clips for the validation clips of each repository.

  Args:
    folder: of records of tracks.
    workdir: keeps the features of the training clips.
    weights: see `generator_weights.load_generator`.
  """
  maker = generator_weights.load_generator(weights)
  features = FeatureMaker(maker, Settings.of(maker))
  train = dataset.shards(folder, "train")
  val = RecordSource(dataset.shards(folder, "val"))
  store = FeatureStore(workdir, train, features.made_by())
  store.build(features)
  taught = store.load().features
  teachers = _repositories(map(TrackRecord.decode, RecordSource(train)))
  queries = [TrackRecord.decode(record) for record in val]
  asked = features.features(queries).unit
  askers = _repositories(queries)
  repositories = {
    name: compare(taught.unit, teachers == name, asked[askers == name])
    for name in np.unique(askers)
    if min((teachers == name).sum(), (askers == name).sum()) >= _FEWEST
  }
  return {
    **run_record.circumstances(),
    "weights": weights,
    "data_fingerprint": RecordSource(train).fingerprint(),
    "clips": len(teachers),
    "top": TOP,
    "repositories": repositories,
  }


def compare(
  clips: np.ndarray, own: np.ndarray, queries: np.ndarray
) -> dict[str, float]:
  """Are clips of the queries' own repository the ones that matter?

  Args:
    clips: [n, d], features.
    own: bool [n], those of the repository.
    queries: [q, d], features.

  Returns:
    Numbers of queries and own clips; the share of own clips among all, among
    the best and among the worst; and the chance that an own clip has the higher
    influence than another, and the larger one of either sign.
  """
  ranking = scores.rank(clips, queries, TOP)
  count = scores.share(TOP, len(clips))
  return {
    "queries": len(queries),
    "own_clips": int(own.sum()),
    "share": float(own.mean()),
    "share_of_best": float(own[ranking.order[:count]].mean()),
    "share_of_worst": float(own[ranking.order[-count:]].mean()),
    "higher": detection.area_under_roc(ranking.mean, own),
    "larger": detection.area_under_roc(np.abs(ranking.mean), own),
  }


def table(results: Mapping[str, Any]) -> str:
  """The figures as Markdown."""
  lines = [
    "| repository | queries | own clips | of all | of the best 10 % "
    "| of the worst 10 % | influence higher | larger |",
    "|---" * 8 + "|",
  ]
  for name, row in results["repositories"].items():
    shares = (row["share"], row["share_of_best"], row["share_of_worst"])
    cells = [str(row["queries"]), str(row["own_clips"])]
    cells += [f"{100 * share:.0f} %" for share in shares]
    cells += [f"{row['higher']:.2f}", f"{row['larger']:.2f}"]
    lines.append(f"| {name} | " + " | ".join(cells) + " |")
  return "\n".join(lines) + "\n"


def _repositories(records: Iterable[TrackRecord]) -> np.ndarray:
  """Of each record, str [n]; what stands before the colon of a scene group."""
  return np.array([record.scene_group.split(":")[0] for record in records])


if __name__ == "__main__":
  sys.exit(report.run(main))
