r"""Networks that have not seen some of the repositories.

  python -m experiments.speed_estimator.folds \
    --config=configs/speed_estimator.py:trial --workdir=runs/folds/trial

Clips of one repository share cameras, places and subjects, so that new scenes
of a known repository are easier than the world is. All repositories of the
training and validation splits are dealt into a few folds; each fold is one
training run without its repositories. A fold that was trained already is not
trained again; `--fold` trains one alone.

A run that goes on from weights (`config.start_from`) may leave out only what
those have not seen: `--parts` names it, one line a fold.

Where a command may run for minutes only, `--minutes` stops the run in time, and
the same command goes on with it.
"""

import argparse
import collections
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import ml_collections
import numpy as np

from experiments.speed_estimator import experiment
from speedflow.data.motion import MotionRecord
from speedflow.data.records import RecordSource, split_shards
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.training import config as config_lib
from speedflow.training import loop

FOLDS = 4

SPLITS = ("train", "val")
"""What is left out and estimated; the test split is not touched."""

FACTS = "fold.json"
"""Written when a run is done: what it left out, and how often labels were."""

_WEIGHTS = "speed.safetensors"

# Of the minutes of a command, those of training; then it evaluates and exports.
_TRAINING = 0.85


class Fold(NamedTuple):
  """A training run, and what it did not see.

  Attributes:
    left_out: names of repositories.
    weights: file of the network.
    label_frequency: of each bin among its labels in training, float64 [bins].
  """

  left_out: tuple[str, ...]
  weights: pathlib.Path
  label_frequency: np.ndarray


def main(argv: Sequence[str] | None = None) -> int:
  """Trains the folds that are missing; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--config", required=True, help="FILE.py or FILE.py:ARG")
  parser.add_argument("--workdir", type=pathlib.Path, required=True)
  parser.add_argument("--fold", type=int, help="train this one alone")
  parser.add_argument(
    "--parts",
    type=pathlib.Path,
    help="file with the names of repositories of each fold, instead of all",
  )
  parser.add_argument(
    "--nothing-left-out",
    action="store_true",
    help="one run that sees all: the weights that the folds tell of",
  )
  parser.add_argument(
    "--minutes",
    type=float,
    help="that this command may take; the same command goes on",
  )
  parser.add_argument(
    "--best",
    action="store_true",
    help="keep the checkpoint that validation finds best, not the last",
  )
  args, overrides = parser.parse_known_args(argv)
  config = config_lib.load_config(args.config, overrides)
  if args.minutes:
    config.stop_after_minutes = _TRAINING * args.minutes
  if args.nothing_left_out:
    parts: list[tuple[str, ...]] = [()]
  elif args.parts:
    lines = args.parts.read_text().splitlines()
    parts = [tuple(line.split()) for line in lines]
  else:
    parts = deal(repositories(pathlib.Path(config.data.records)))
  wanted = range(len(parts)) if args.fold is None else [args.fold]
  for number in wanted:
    if not (args.workdir / str(number) / FACTS).exists():
      train(config, args.workdir / str(number), parts[number], best=args.best)
  return 0


def repositories(
  records: pathlib.Path, splits: Sequence[str] = SPLITS
) -> dict[str, int]:
  """How many shots each repository has.

  Args:
    records: folder of motion records.
    splits: in which they are counted.
  """
  paths = [p for split in splits for p in split_shards(records, split)]
  heads = map(MotionRecord.decode, RecordSource(paths))
  return collections.Counter(h.source for h in heads if not h.appearance)


def deal(shots: dict[str, int]) -> list[tuple[str, ...]]:
  """Deals repositories into folds, large and small ones alternating.

  Args:
    shots: of each repository.

  Returns:
    The names that each fold leaves out.
  """
  names = sorted(shots, key=lambda name: (-shots[name], name))
  return [tuple(names[number::FOLDS]) for number in range(FOLDS)]


def train(
  config: ml_collections.ConfigDict,
  folder: pathlib.Path,
  left_out: Iterable[str],
  *,
  best: bool = False,
) -> None:
  """Trains without some repositories.

  Args:
    config: of the network.
    folder: of the run.
    left_out: names of repositories.
    best: whether the checkpoint that is best by validation is kept, in which
      those repositories take no part; else the last.

  Raises:
    PreemptedError: as of `loop.train`; call it again.
  """
  config = config.copy_and_resolve_references()
  config.data.leave_out = tuple(left_out)
  loop.train(config, folder)
  loop.evaluate(
    config,
    folder,
    config.eval_split,
    best=best,
    export=folder / _WEIGHTS,
    overwrite=True,
  )
  frequency = experiment.Experiment(config).label_frequency
  facts = {
    "left_out": list(left_out),
    "label_frequency": [float(f"{share:.4g}") for share in frequency],
  }
  with atomic.atomic_path(folder / FACTS) as path:
    path.write_text(json.dumps(facts) + "\n")


def load(workdir: pathlib.Path) -> list[Fold]:
  """The folds that were trained in a folder, by their numbers."""
  return [load_one(path.parent) for path in sorted(workdir.glob(f"*/{FACTS}"))]


def load_one(folder: pathlib.Path) -> Fold:
  """A run that `train` has left in a folder."""
  facts = json.loads((folder / FACTS).read_text())
  return Fold(
    tuple(facts["left_out"]),
    folder / _WEIGHTS,
    np.array(facts["label_frequency"]),
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
