r"""The figure that guides: changes found in files of repositories never seen.

  python -m experiments.speed_change.unseen --files=runs/edited \
    --weights=tiny --out=experiments/speed_change/results/unseen.json

Every file of `edited_files` is judged as `speedflow detect` does, by the
network that has not seen its repository: the n-th of `--weights` has not seen
the n-th line of `--parts`, a single one none of them. A change counts as found
when one is reported within 200 ms of it; whatever else is reported is a false
alarm.
"""

import argparse
import collections
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.speed_change import edited_files
from speedflow.detect import change_detector, network, weights
from speedflow.evaluation import report
from speedflow.training import run_record

PARTS = pathlib.Path("experiments/speed_estimator/second_edition.txt")

ALLOWED = 0.5
"""False alarms a minute."""

THRESHOLDS = tuple(
  round(float(p), 4) for p in 1 / (1 + np.exp(-np.arange(-3.0, 5.01, 0.25)))
)
"""Probabilities from which on a change is reported, on the curve."""

_NEAR_S = 0.2
_LARGE = 1.99
# Alarms below this probability are on no curve.
_LEAST = 0.02
_RESAMPLED = 1_000


class Heard(NamedTuple):
  """What was reported of a file.

  Attributes:
    file: which.
    found: of each true change, the highest probability reported near it; 0:
      none.
    false: probabilities of all else that was reported.
  """

  file: edited_files.Edited
  found: tuple[float, ...]
  false: tuple[float, ...]


def main(argv: Sequence[str] | None = None) -> int:
  """Scores networks; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--files", type=pathlib.Path, required=True)
  parser.add_argument("--weights", nargs="+", default=["tiny"])
  parser.add_argument(
    "--calibration",
    default="tiny",
    help="weights whose calibration holds for all",
  )
  parser.add_argument("--parts", type=pathlib.Path, default=PARTS)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  extra = weights.CHANGE.header(args.calibration)["extra"]
  calibration = change_detector.Calibration(**extra["calibration"])
  heard = listen_all(args.weights, args.files, args.parts, calibration)
  results = {
    **run_record.circumstances(),
    "weights": args.weights,
    "calibration": extra["calibration"],
    "near_s": _NEAR_S,
    **scores(heard, calibration.alarm),
  }
  run_record.write_results(args.out, results, table(results))
  return 0


def listen_all(
  names: Sequence[str],
  files: pathlib.Path,
  parts: pathlib.Path,
  calibration: change_detector.Calibration,
) -> list[Heard]:
  """What networks report of the files that they have not seen.

  Args:
    names: of the weights.
    files: folder of `edited_files`.
    parts: file with the names of repositories that each has not seen, a line
      each; a single network has seen none of them.
    calibration: of their answers.
  """
  unseen = [line.split() for line in parts.read_text().splitlines()]
  if len(names) == 1:
    unseen = [[name for part in unseen for name in part]]
  return [
    heard
    for name, part in zip(names, unseen, strict=True)
    for heard in listen(name, files, part, calibration)
  ]


def listen(
  name: str,
  files: pathlib.Path,
  repositories: Sequence[str],
  calibration: change_detector.Calibration,
) -> list[Heard]:
  """What a network reports of the files of some repositories.

  Args:
    name: of the weights.
    files: folder of `edited_files`.
    repositories: whose files.
    calibration: of its answers; its alarm does not matter.
  """
  detector = change_detector.ChangeDetector(
    network.of_weights(name), dataclasses.replace(calibration, alarm=_LEAST)
  )
  return [
    hear(seen.file, detector.of_looks(seen.looks).changes)
    for seen in edited_files.load(files)
    if seen.file.source in repositories
  ]


def hear(
  file: edited_files.Edited,
  reported: Iterable[change_detector.PictureChange],
) -> Heard:
  """Tells what was found from false alarms."""
  found = [0.0] * len(file.changes)
  false = []
  for change in reported:
    near = [
      number
      for number, (begin_s, end_s, _) in enumerate(file.changes)
      if begin_s - _NEAR_S <= change.time_s <= end_s + _NEAR_S
    ]
    for number in near:
      found[number] = max(found[number], change.probability)
    if not near:
      false.append(change.probability)
  return Heard(file, tuple(found), tuple(false))


def alarms(heard: Iterable[Heard], threshold: float) -> float:
  """False alarms a minute, all files together."""
  heard = list(heard)
  count = sum(p >= threshold for h in heard for p in h.false)
  minutes = sum(h.file.duration_s for h in heard) / 60
  return count / minutes if minutes else float("nan")


def recall(heard: Iterable[Heard], threshold: float) -> float:
  """Share of the changes of 2x and more found; repositories count alike."""
  found = collections.defaultdict(list)
  for h in heard:
    for (*_, ratio), probability in zip(h.file.changes, h.found, strict=True):
      if ratio > _LARGE:
        found[h.file.source].append(probability >= threshold)
  if not found:
    return float("nan")
  return float(np.mean([np.mean(of_one) for of_one in found.values()]))


def least(heard: Sequence[Heard], allowed: float = ALLOWED) -> float:
  """The least threshold with so few false alarms in all files together.

  Video as it is alone would be too few minutes: one alarm more or less would
  decide.

  Args:
    heard: of files.
    allowed: false alarms a minute.
  """
  minutes = sum(h.file.duration_s for h in heard) / 60
  highest = sorted((p for h in heard for p in h.false), reverse=True)
  count = int(allowed * minutes)
  # Just above the first alarm that is one too many.
  return min(highest[count] + 1e-4, 0.999) if len(highest) > count else _LEAST


def of_kinds(heard: Sequence[Heard], kinds: Sequence[str]) -> list[Heard]:
  """Those of files of some kinds."""
  return [h for h in heard if h.file.kind in kinds]


def with_interval(
  measure: Callable[[Iterable[Heard]], float], heard: Sequence[Heard]
) -> tuple[float, ...]:
  """A figure with its 95 % interval, resampling repositories."""
  members = collections.defaultdict(list)
  for h in heard:
    members[h.file.source].append(h)
  each = list(members.values())
  if not each:
    return (float("nan"),)
  rng = np.random.default_rng(0)
  drawn = []
  for row in rng.integers(len(each), size=(_RESAMPLED, len(each))):
    # A repository drawn twice is two.
    drawn.append(
      measure(
        h._replace(
          file=dataclasses.replace(h.file, source=f"{h.file.source} {place}")
        )
        for place, number in enumerate(row)
        for h in each[number]
      )
    )
  known = np.array(drawn)[np.isfinite(drawn)]
  if not len(known):
    return (float("nan"),)
  low, high = np.percentile(known, [2.5, 97.5])
  return measure(heard), float(low), float(high)


def nested_thresholds(heard: Sequence[Heard]) -> dict[str, float]:
  """For every repository, the threshold that all others set."""
  names = sorted({h.file.source for h in heard})
  return {
    name: least([h for h in heard if h.file.source != name]) for name in names
  }


def scores(heard: Sequence[Heard], shipped: float) -> dict[str, Any]:
  """All figures.

  Args:
    heard: of all files.
    shipped: the threshold that users have.
  """
  nested = nested_thresholds(heard)
  # As if each file's probabilities were shifted so that 0.5 is the threshold.
  apart = [
    h._replace(
      found=tuple(float(p >= nested[h.file.source]) for p in h.found),
      false=tuple(float(p >= nested[h.file.source]) for p in h.false),
    )
    for h in heard
  ]
  return {
    "files": len(heard),
    "repositories": len(nested),
    "minutes": sum(h.file.duration_s for h in heard) / 60,
    "changes_from_2": sum(
      ratio > _LARGE for h in heard for *_, ratio in h.file.changes
    ),
    "threshold": least(heard),
    "at_allowed": _figures(apart, 0.5),
    "as_shipped": _figures(heard, shipped),
    "curve": [
      {
        "threshold": t,
        "recall": recall(heard, t),
        "alarms": alarms(heard, t),
      }
      for t in THRESHOLDS
    ],
  }


def _figures(heard: Sequence[Heard], threshold: float) -> dict[str, Any]:
  steady = edited_files.STEADY
  changed = [k for k in edited_files.KINDS if k not in steady]
  return {
    "threshold": threshold,
    "recall": with_interval(lambda some: recall(some, threshold), heard),
    "alarms": {
      name: with_interval(
        lambda some: alarms(some, threshold), of_kinds(heard, kinds)
      )
      for name, kinds in {
        "all files": edited_files.KINDS,
        **{kind: [kind] for kind in steady},
        "beside changes": changed,
      }.items()
    },
    "found_of_kind": {
      kind: [
        sum(p >= threshold for h in of_kinds(heard, [kind]) for p in h.found),
        sum(len(h.found) for h in of_kinds(heard, [kind])),
      ]
      for kind in changed
    },
  }


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  columns = {
    f"at {ALLOWED:g} a minute": results["at_allowed"],
    "as shipped": results["as_shipped"],
  }
  rows = [
    ["changes of 2x and more found"]
    + [report.Figure(*c["recall"]).cell() for c in columns.values()]
  ]
  for name in results["at_allowed"]["alarms"]:
    rows.append(
      [f"false alarms a minute, {name}"]
      + [report.Figure(*c["alarms"][name]).cell() for c in columns.values()]
    )
  for kind in results["at_allowed"]["found_of_kind"]:
    rows.append(
      [f"{kind}: found"]
      + ["{} of {}".format(*c["found_of_kind"][kind]) for c in columns.values()]
    )
  curve = [
    [f"{p['threshold']:.2f}", f"{p['recall']:.2f}", f"{p['alarms']:.2f}"]
    for p in results["curve"][::2]
  ]
  return "\n".join(
    [
      f"{results['files']} files of {results['repositories']} repositories, "
      f"{results['changes_from_2']} changes of 2x and more, "
      f"{results['minutes']:.1f} minutes:",
      "",
      report.markdown(["", *columns], rows),
      "",
      report.markdown(["probability from", "found", "alarms a minute"], curve),
      "",
    ]
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
