r"""The figure that guides: whole files of repositories never seen.

  python -m experiments.speed_estimator.unseen --files=runs/files \
    --folds=runs/folds/trial \
    --out=experiments/speed_estimator/results/unseen.json

Every file of `whole_files` is read by the network of the fold that has not
seen its repository, and answered as `speedflow estimate` does. What is
calibrated (`Calibration`) is fitted to the other folds' repositories.
"""

import argparse
import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.speed_estimator import by_repository, folds, whole_files
from speedflow.data.records import RecordSource, split_shards
from speedflow.estimate import network, segments, strides
from speedflow.evaluation import report
from speedflow.evaluation.speed import Z80
from speedflow.training import run_record

SCALES = tuple(
  network.Scale(slope, offset)
  for slope in (1.0, 1.05, 1.1, 1.15, 1.2, 1.3)
  for offset in (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
)
"""From which the scale of a network's readings is chosen."""

_AS_READ = SCALES.index(network.Scale())
_COVERAGE = 0.8


class Read(NamedTuple):
  """A file as a network reads it that has not seen its repository.

  Attributes:
    file: which.
    fold: number of the network.
    windows: by number of the scale, estimates of the windows.
  """

  file: whole_files.File
  fold: int
  windows: tuple[tuple[strides.WindowEstimate, ...], ...]

  def answer(self, scale: int, widths: segments.Widths) -> by_repository.Answer:
    """The answer of `speedflow estimate`.

    Args:
      scale: its number.
      widths: of the intervals.
    """
    found = segments.summarise(
      "",
      self.windows[scale],
      self.file.duration_s,
      self.file.fps,
      widths,
    )
    assert found.speed and found.speed_low and found.speed_high
    low, middle, high = np.log2(
      [found.speed_low, found.speed, found.speed_high]
    )
    return by_repository.Answer(
      self.file, float(middle), float(high - low) / 2, found.status == "ok"
    )


def main(argv: Sequence[str] | None = None) -> int:
  """Scores the folds; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--files", type=pathlib.Path, required=True)
  parser.add_argument("--folds", type=pathlib.Path, required=True)
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  reads = read(args.files, folds.load(args.folds))
  results = {
    **run_record.circumstances(),
    "data_fingerprint": RecordSource(
      [p for s in folds.SPLITS for p in split_shards(args.records, s)]
    ).fingerprint(),
    "runs": [
      run_record.in_short(path)
      for path in sorted(args.folds.glob("*/run.json"))
    ],
    "as_read": as_read(reads),
    **nested(reads),
  }
  run_record.write_results(args.out, results, table(results))
  return 0


def read(files: pathlib.Path, trained: Sequence[folds.Fold]) -> list[Read]:
  """Reads all files of repositories that were left out.

  Args:
    files: folder of `whole_files`.
    trained: the folds.
  """
  readers = [network.of_weights(fold.weights) for fold in trained]
  nets = [
    network.WindowNetwork(reader, fold.label_frequency)
    for reader, fold in zip(readers, trained, strict=True)
  ]
  reads = []
  for file, pieces in whole_files.load(files):
    for number, fold in enumerate(trained):
      if file.source in fold.left_out:
        centres = readers[number].centres
        reads.append(_read(file, number, nets[number], centres, pieces))
  return reads


def _read(
  file: whole_files.File,
  number: int,
  net: network.WindowNetwork,
  centres: np.ndarray,
  pieces: Sequence[Sequence[strides.Look]],
) -> Read:
  seen = [
    (looks, net.likelihood([w for look in looks for w in look.windows]))
    for looks in pieces
  ]
  windows = []
  for scale in SCALES:
    steps = scale.true_step(centres)
    windows.append(
      tuple(
        itertools.chain.from_iterable(
          strides.fuse(strides.readings(looks, rows, steps.__add__))
          for looks, rows in seen
        )
      )
    )
  return Read(file, number, tuple(windows))


def as_read(reads: Sequence[Read]) -> dict[str, Any]:
  """Scores of what networks say, with nothing calibrated.

  Args:
    reads: of files.
  """
  widths = segments.Widths(Z80, Z80)
  return by_repository.scores([r.answer(_AS_READ, widths) for r in reads])


class Fitted(NamedTuple):
  """What is calibrated: number of the scale, and widths of intervals."""

  scale: int
  widths: segments.Widths


def fit(reads: Sequence[Read]) -> Fitted:
  """Chooses the scale, then the widths, by repositories that count alike.

  Real-time clips at 1, 2 and 4 times their speed are what is asked for. Slow
  motion, from a handful of repositories, is only scored.

  Args:
    reads: of files.
  """
  bare = segments.Widths(1.0, 1.0)
  real = [r for r in reads if r.file.category == "realtime"]
  scale = min(
    range(len(SCALES)),
    key=lambda n: _badness([r.answer(n, bare) for r in real]),
  )
  moving = [r for r in real if r.windows[scale]]
  of_windows = [
    by_repository.Answer(r.file, window.log2_speed, window.spread, True)
    for r in moving
    for window in r.windows[scale]
  ]
  return Fitted(
    scale,
    segments.Widths(
      window=_width(of_windows),
      file=_width([r.answer(scale, bare) for r in moving]),
    ),
  )


def answers(
  reads: Sequence[Read],
) -> tuple[list[Fitted], list[by_repository.Answer]]:
  """Answers with what is calibrated on other folds' repositories.

  Args:
    reads: of files.

  Returns:
    What was fitted for each fold, and the answers.
  """
  told: list[by_repository.Answer] = []
  fitted = []
  for number in sorted({r.fold for r in reads}):
    found = fit([r for r in reads if r.fold != number])
    fitted.append(found)
    told += [r.answer(*found) for r in reads if r.fold == number]
  return fitted, told


def nested(reads: Sequence[Read]) -> dict[str, Any]:
  """Scores of `answers`.

  Args:
    reads: of files.
  """
  fitted, told = answers(reads)
  return {
    "calibrations": [
      {**SCALES[f.scale]._asdict(), **f.widths._asdict()} for f in fitted
    ],
    "calibrated": by_repository.scores(told),
  }


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  columns = {name: results[name] for name in ("as_read", "calibrated")}
  names = list(results["calibrated"]["figures"])
  rows = [
    [name.replace("_", " ")]
    + [report.Figure(*c["figures"][name]).cell() for c in columns.values()]
    for name in names
  ]
  rows.append(
    ["median width", *(f"{c['median_width']:.2f}" for c in columns.values())]
  )
  largest = results["calibrated"]["coverage_of_largest"]
  return "\n".join(
    [
      f"{results['calibrated']['files']} files of "
      f"{results['calibrated']['repositories']} repositories:",
      "",
      report.markdown(["", "as read", "calibrated"], rows),
      "",
      report.markdown(
        ["coverage of the largest repositories", ""],
        [[name, f"{share:.2f}"] for name, share in largest.items()],
      ),
      "",
    ]
  )


def _badness(answers: Sequence[by_repository.Answer]) -> float:
  """What is asked for, in octaves: the error at any speed, at 1x, the slope."""
  figures = by_repository.guide(answers)
  return (
    figures["mae"]
    + abs(figures["bias_1x"]) / 2
    + abs(1.0 - figures["slope"]) / 2
  )


def _width(answers: Sequence[by_repository.Answer]) -> float:
  """The 80 % quantile of |error| / spread (split conformal prediction).

  Args:
    answers: whose intervals are one predicted standard deviation.
  """
  ratios = np.array([abs(a.error) / a.half for a in answers])
  order = np.argsort(ratios)
  share = np.cumsum(_weights(answers)[order])
  return float(ratios[order][np.searchsorted(share, _COVERAGE)])


def _weights(answers: Sequence[by_repository.Answer]) -> np.ndarray:
  """By which every repository counts alike, sum 1."""
  names = [a.file.source for a in answers]
  _, member, count = np.unique(names, return_inverse=True, return_counts=True)
  return 1 / count[member] / len(count)


if __name__ == "__main__":
  sys.exit(report.run(main))
