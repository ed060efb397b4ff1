r"""Scores the shipped detector and the baselines on the same windows.

  python -m experiments.speed_change.evaluate \
    --out experiments/speed_change/results/test.json

It renders the windows from records of shots (`make records`), fits the
baselines on training windows (`make changes`), runs the whole detector over
untouched video, and writes figures with 95 % intervals by scene group, and the
tables of the README beside them.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_change import baselines, protocol, untouched
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.detect import change_detector, network
from speedflow.detect import weights as change_weights
from speedflow.evaluation import report
from speedflow.training import run_record

_OURS = "speedflow"
_SEED = 0


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/changes")
  )
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  results = evaluate(args.records, args.clips, args.split, args.weights)
  run_record.write_results(args.out, results, tables(results))
  return 0


def evaluate(
  records: pathlib.Path, clips: pathlib.Path, split: str, weights: str
) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    records: folder of pair records, on which the baselines are fitted.
    clips: folder of the shot records that they were made from.
    split: which to score.
    weights: as for `load_change_detector`.
  """
  started = time.time()
  model, extra = change_weights.CHANGE.load(weights)
  calibration = change_detector.Calibration(**extra.get("calibration", {}))
  source = RecordSource(
    split_shards(clips, split, "records of shots", "`make records` writes them")
  )
  shots = [ShotRecord.decode(encoded) for encoded in source]
  windows = protocol.render(shots, _SEED)
  training = protocol.look_up(
    split_shards(
      records, "train", "records of pairs", "`make changes` writes them"
    )
  )
  systems = baselines.fit(training)
  answers = {name: system(windows) for name, system in systems.items()}
  answers[_OURS] = protocol.predict(model, windows).calibrated(
    calibration.scale, calibration.shift
  )
  detector = change_detector.ChangeDetector(
    network.of_model(model), calibration
  )
  return {
    **run_record.circumstances(),
    "split": split,
    "weights": weights,
    "training": extra,
    "data_fingerprint": source.fingerprint(),
    "seed": _SEED,
    "windows": {
      name: {
        "windows": len(index),
        "scene_groups": len(np.unique(windows.group[index])),
        "systems": {
          name: _scores(windows, answer, index)
          for name, answer in answers.items()
        },
      }
      for name, index in (
        ("in which something moves", protocol.moving(windows)),
        ("all", np.arange(len(windows))),
      )
    },
    "untouched": {
      name: _alarms(list(untouched.watch(detector, shots, eventful=eventful)))
      for name, eventful in (
        ("as it is", False),
        ("with cuts and flashes", True),
      )
    },
    "seconds": round(time.time() - started, 1),
  }


def _scores(
  windows: protocol.Windows, answers: protocol.Answers, chosen: np.ndarray
) -> dict[str, Any]:
  def with_interval(measure, index: np.ndarray) -> tuple[float, ...]:
    return report.interval(
      lambda drawn: measure(windows, answers, index[drawn]),
      windows.group[index],
    ).to_json()

  scores: dict[str, Any] = {
    name: with_interval(measure, chosen)
    for name, measure in protocol.MEASURES.items()
  }
  scores["by_kind"] = {}
  for kind in protocol.KINDS:
    index = chosen[windows.kind[chosen] == kind]
    changes = windows.change[index] > 0
    scores["by_kind"][kind] = {
      "windows": len(index),
      "accuracy": with_interval(protocol.accuracy, index),
      "found": with_interval(protocol.accuracy, index[changes]),
      "false": 1 - protocol.accuracy(windows, answers, index[~changes]),
    }
  return scores


def _alarms(watched: list[untouched.Watched]) -> dict[str, Any]:
  return {
    "minutes": sum(w.minutes for w in watched),
    "videos": len(watched),
    "false_alarms_per_minute": untouched.per_minute(watched),
    "alarms": [
      {"shot": w.shot, "probability": p, "time_s": t, "ratio": r}
      for w in watched
      for p, t, r in w.alarms
    ],
  }


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = []
  for which, part in results["windows"].items():
    lines += _window_tables(which, part, results["split"])
  lines += [
    "Untouched video, through the whole detector:",
    "",
    report.markdown(
      ["video", "minutes", "false alarms", "a minute"],
      [
        [
          name,
          f"{alarms['minutes']:.1f}",
          str(len(alarms["alarms"])),
          _cell(alarms["false_alarms_per_minute"]),
        ]
        for name, alarms in results["untouched"].items()
      ],
    ),
  ]
  return "\n".join(lines) + "\n"


def _window_tables(which: str, part: dict[str, Any], split: str) -> list[str]:
  lines = [
    f"Windows of {protocol.MAPS + 1} frames, {which}: {part['windows']}, of "
    f"{part['scene_groups']} scene groups of `{split}`, half of them with a "
    "change.",
    "",
    "| system | accuracy at 0.5 | average precision | from ratio 2 on | "
    "time off, ms | ratio off |",
    "|---|---|---|---|---|---|",
  ]
  for name, scores in part["systems"].items():
    cells = [
      _cell(scores["accuracy"], ".3f"),
      _cell(scores["average_precision"], ".3f"),
      _cell(scores["average_precision_from_2"], ".3f"),
      _cell(scores["localisation_ms"], ".0f"),
      _cell(scores["ratio_error"]),
    ]
    lines.append(f"| {name} | {' | '.join(cells)} |")
  lines += [
    "",
    f"{_OURS} on them, by ratio:",
    "",
    "| ratio | windows | accuracy at 0.5 | changes found | found where there "
    "is none |",
    "|---|---|---|---|---|",
  ]
  for kind, scores in part["systems"][_OURS]["by_kind"].items():
    lines.append(
      f"| {kind} | {scores['windows']} | {_cell(scores['accuracy'], '.3f')} | "
      f"{_cell(scores['found'])} | {scores['false']:.3f} |"
    )
  return [*lines, ""]


def _cell(figures: Sequence[float], form: str = ".2f") -> str:
  return report.Figure(*figures).cell(form)


if __name__ == "__main__":
  sys.exit(report.run(main))
