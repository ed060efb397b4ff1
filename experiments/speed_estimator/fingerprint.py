r"""Is slow motion by interpolation of use, or is it told by its fingerprint?

  python -m experiments.speed_estimator.fingerprint --files=runs/files \
    --interpolated=runs/interpolated_motion \
    --folds before=runs/more with=runs/interpolated_folds \
    --out=experiments/speed_estimator/results/interpolated.json

The yardstick (`unseen`) of networks that were trained with and without, and
what they read in clips of repositories left out, filmed ones and interpolated
ones, at each true speed. A network that has learnt the interpolator would read
its frames as slow where they play in real time, too.
"""

import argparse
import collections
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import dataset, folds, unseen
from speedflow.data.motion import MotionRecord
from speedflow.data.records import RecordSource, split_shards
from speedflow.estimate import belief, network
from speedflow.evaluation import report
from speedflow.training import run_record

OCTAVES = range(-4, 3)
"""Log2 steps, rounded, at which clips are read."""

# Clips of a repository, each unaltered and from its beginning.
_MOST_CLIPS = 4


def main(argv: Sequence[str] | None = None) -> int:
  """Reads files and clips; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ("files", "interpolated", "out"):
    parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument("--folds", nargs="+", required=True, help="NAME=FOLDER")
  args = parser.parse_args(argv)
  results: dict[str, Any] = {**run_record.circumstances(), "networks": {}}
  for named in args.folds:
    name, folder = named.split("=", 1)
    trained = folds.load(pathlib.Path(folder))
    results["networks"][name] = {
      "runs": [
        run_record.in_short(path)
        for path in sorted(pathlib.Path(folder).glob("*/run.json"))
      ],
      **unseen.nested(unseen.read(args.files, trained)),
      "filmed": bias(trained, args.records),
      "interpolated": bias(trained, args.interpolated),
    }
  run_record.write_results(args.out, results, table(results))
  return 0


def bias(
  trained: Sequence[folds.Fold], records: pathlib.Path
) -> dict[str, list[float]]:
  """How much too fast clips of repositories left out are read, uncalibrated.

  Args:
    trained: the folds.
    records: folder of motion records.

  Returns:
    By log2 step, rounded: octaves, the mean of repositories that count alike;
    and the number of these.
  """
  errors: dict[int, dict[str, list[float]]] = {octave: {} for octave in OCTAVES}
  for fold in trained:
    reader = network.of_weights(fold.weights)
    net = network.WindowNetwork(reader, fold.label_frequency)
    told = [
      (record.source, step, maps)
      for record in _clips(records, fold.left_out)
      for step, maps in _windows(record, net.window)
    ]
    values = net.log2_speed(0.0)
    seen = net.likelihood([maps for _, _, maps in told])
    for (source, step, _), row in zip(told, seen, strict=True):
      read, _ = belief.moments(row, values, belief.anything(values))
      of_source = errors[round(step)].setdefault(source, [])
      of_source.append(float(read) - step)
  return {
    str(octave): [
      float(np.mean([np.mean(each) for each in by_source.values()])),
      len(by_source),
    ]
    for octave, by_source in errors.items()
    if by_source
  }


def _clips(
  records: pathlib.Path, sources: Sequence[str]
) -> Iterator[MotionRecord]:
  """Clips of known speed of some repositories, as they are."""
  count: collections.Counter = collections.Counter()
  source = RecordSource(split_shards(records, "train"))
  for record in map(MotionRecord.decode, source):
    known = record.label in dataset.ANCHORS and record.appearance == 0
    if known and record.source in sources:
      count[record.source] += 1
      if count[record.source] <= _MOST_CLIPS:
        yield record


def _windows(
  record: MotionRecord, longest: int
) -> Iterator[tuple[float, np.ndarray]]:
  """By log2 step, one window at each stride that is a power of two."""
  for stride, maps in record.maps.items():
    step = record.log2_step + np.log2(stride)
    if np.log2(stride) % 1 == 0 and round(step) in OCTAVES:
      yield step, maps[:longest]


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  networks = results["networks"]
  names = list(next(iter(networks.values()))["calibrated"]["figures"])
  rows = [
    [name.replace("_", " ")]
    + [
      report.Figure(*found["calibrated"]["figures"][name]).cell()
      for found in networks.values()
    ]
    for name in names
  ]
  rows += [
    [f"{kind}, step of {octave} octaves: read too fast by"]
    + [_bias(found[kind].get(str(octave))) for found in networks.values()]
    for kind in ("filmed", "interpolated")
    for octave in OCTAVES
  ]
  return report.markdown(["", *networks], rows) + "\n"


def _bias(found: list[float] | None) -> str:
  return f"{found[0]:.2f} ({found[1]:.0f})" if found else "-"


if __name__ == "__main__":
  sys.exit(report.run(main))
