r"""How often verdicts are right, by how long the clips are.

  python -m experiments.forensics.lengths \
    experiments/forensics/results/test.json --split test \
    --out experiments/forensics/results/test_lengths.json

Needs no more than what `evaluate` wrote, which names every failure, and the
clips, which say how many files there are. A file counts by how long its clip
is untouched, so that each kind is as frequent at every length.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from experiments.forensics import evaluate, forgeries
from speedflow import errors
from speedflow.data.records import split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report
from speedflow.training import run_record

SECONDS = (0.0, 2.0, 3.0, 4.0, float("inf"))
"""Bounds of the lengths that are told apart."""


class File(NamedTuple):
  """One forged file of the task.

  Attributes:
    clip: id of its shot.
    kind: one of `forgeries.TASK`.
    spliced: whether only its second half is changed.
    scene_group: of the shot.
    seconds: length of the clip as it is.
  """

  clip: str
  kind: str
  spliced: bool
  scene_group: str
  seconds: float


def files(shots: Iterable[ShotRecord]) -> list[File]:
  """All files of the task that are made of some clips."""
  return [
    File(
      shot.id,
      kind,
      spliced,
      shot.scene_group,
      forgeries.seconds(shot, "untouched", spliced),
    )
    for shot in shots
    for spliced in forgeries.spliced_too(
      min(shot.num_frames, forgeries.MAX_FRAMES)
    )
    for kind in forgeries.TASK
  ]


def by_length(
  results: dict[str, Any], made: list[File]
) -> dict[str, list[dict[str, Any]]]:
  """Accuracy of each system at each length, with 95 % intervals by scene.

  Args:
    results: what `evaluate` wrote.
    made: the files that it is about.
  """
  seconds = np.array([file.seconds for file in made])
  groups = np.array([file.scene_group for file in made])
  found = {}
  for name, senses in evaluate.SYSTEMS.items():
    wrong = {
      (failure["clip"], failure["kind"], failure["spliced"])
      for failure in results["systems"][name]["failures"]
    }
    right = np.array([file[:3] not in wrong for file in made])
    asked = np.array(
      [evaluate.right_verdict(file.kind, senses) is not None for file in made]
    )
    rows = []
    for low, high in itertools.pairwise(SECONDS):
      members = asked & (seconds >= low) & (seconds < high)
      if not members.any():
        continue
      rows.append(
        {
          "from_s": low,
          "to_s": None if np.isinf(high) else high,
          "files": int(members.sum()),
          "accuracy": evaluate.rate(right, members, groups),
        }
      )
    found[name] = rows
  return found


def table(found: dict[str, list[dict[str, Any]]]) -> str:
  """The accuracies as Markdown."""
  lines = [
    "| " + " | ".join(["seconds", "files", *found]) + " |",
    "|---" * (2 + len(found)) + "|",
  ]
  for rows in zip(*found.values(), strict=True):
    first = rows[0]
    end = f"to {first['to_s']:g}" if first["to_s"] else "and more"
    span = f"{first['from_s']:g} {end}"
    cells = ["{:.0%} ({:.0%}-{:.0%})".format(*row["accuracy"]) for row in rows]
    lines.append("| " + " | ".join([span, str(first["files"]), *cells]) + " |")
  return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
  """Computes and writes the accuracies; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("results", type=pathlib.Path)
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="test")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  try:
    paths = split_shards(
      args.records, args.split, "records", "`make clips` writes them"
    )
    results = json.loads(args.results.read_text())
    made = files(forgeries.clips(paths))
  except OSError as error:
    raise errors.SpeedflowError(str(error)) from error
  clips = len({file.clip for file in made})
  if clips != results["clips"]:
    raise errors.SpeedflowError(
      f"{args.results} is about {results['clips']} clips, and there are "
      f"{clips} in {args.split}; choose its split"
    )
  found = by_length(results, made)
  written = {
    **run_record.circumstances(),
    "of": results["git"],
    "split": args.split,
    "by_length": found,
  }
  run_record.write_results(args.out, written, table(found))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
