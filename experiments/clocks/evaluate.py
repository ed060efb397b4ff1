r"""Scores the clocks on untouched, planted and retimed clips of a split.

  python -m experiments.clocks.evaluate --split test \
    --out experiments/clocks/results/test.json

For each clock: how often it speaks, and how often it is right when it does, by
itself (one of its modes is true) and with the picture (`estimate.joint`
decides, and is right). Figures have 95 % intervals by scene group.
"""

import argparse
import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.clocks import planting, protocol, retiming
from speedflow.clocks import cadence, flicker, hum, reading, usual, witnesses
from speedflow.data.records import RecordSource, split_shards
from speedflow.estimate import answer, estimator, joint
from speedflow.evaluation import report
from speedflow.pictures import shots
from speedflow.training import run_record

NEAR = math.log2(1.02)
"""Octaves: a speed so near to the true one is right."""

CLOCKS: tuple[reading.Name, ...] = ("hum", "flicker", "cadence")


@dataclasses.dataclass(frozen=True, eq=False)
class Heard:
  """What was found of one file.

  Attributes:
    case: what is true of it.
    readings: of the clocks that speak.
    picture: what the picture says, where it was asked.
  """

  case: protocol.Case
  readings: tuple[reading.Reading, ...]
  picture: answer.Estimate | None

  def says(self, clock: reading.Name) -> reading.Reading | None:
    """What one clock says, or None."""
    return next((r for r in self.readings if r.clock == clock), None)

  def means(self, clock: reading.Name) -> bool:
    """Whether the true speed is among what a clock may mean."""
    found = self.says(clock)
    return found is not None and any(
      abs(math.log2(mode.speed / self.case.speed)) < NEAR
      for mode in found.modes
    )

  def decided(self, clock: reading.Name) -> answer.Estimate | None:
    """The joint answer, where this clock by itself decides it."""
    found = self.says(clock)
    if found is None or self.picture is None:
      return None
    weighed = joint.weigh(self.picture, [found])
    return weighed if weighed.clock == clock else None


def examine(
  paths: Sequence[pathlib.Path],
  folder: pathlib.Path,
  seed: int,
  every: int,
) -> Iterator[Heard]:
  """Writes the files of every so many-th shot, and reads their clocks."""
  sees = estimator.load_estimator()
  for number, shot in enumerate(protocol.shots(paths)):
    if number % every:
      continue
    for case, path in protocol.cases(shot, folder, seed):
      video = shots.Picture(path)
      readings = (
        *witnesses.of_picture(video.frames()),
        *witnesses.of_sound(path),
      )
      exact = any(r.clock != "cadence" for r in readings)
      yield Heard(case, readings, sees.estimate(path) if exact else None)


def evaluate(heard: Sequence[Heard]) -> dict[str, Any]:
  """All figures, as JSON."""
  results: dict[str, Any] = {}
  for clock in CLOCKS:
    members = [h for h in heard if h.case.what == "untouched"]
    if clock == "hum":
      members = [h for h in members if h.case.speed == 1]
    results[clock] = {
      "untouched": _figures(members, clock),
      "who": [
        {
          "clip": h.case.clip,
          "speed": h.case.speed,
          "words": h.says(clock).in_words(),  # type: ignore[union-attr]
          "right": h.means(clock),
        }
        for h in members
        if h.says(clock)
      ],
    }
  for clock in ("hum", "flicker"):
    members = [
      h for h in heard if h.case.what == "planted" and getattr(h.case, clock)
    ]
    results[clock]["planted"] = _figures(members, clock)
    results[clock]["planted_by_speed"] = {
      f"{speed:g}": _figures(
        [h for h in members if h.case.speed == speed], clock
      )
      for speed in sorted({h.case.speed for h in members})
    }
  results["cadence"]["retimed"] = {
    name: _cadence([h for h in heard if h.case.what == name], recipe)
    for name, recipe in retiming.RECIPES.items()
  }
  return results


def _figures(members: Sequence[Heard], clock: reading.Name) -> dict[str, Any]:
  """How often a clock speaks, and is right when it does."""
  groups = np.array([h.case.scene_group for h in members])
  speaks = np.array([h.says(clock) is not None for h in members], bool)
  means = np.array([h.means(clock) for h in members], bool)
  decided = [h.decided(clock) for h in members]
  decides = np.array([d is not None for d in decided], bool)
  right = np.array(
    [
      d is not None and abs(math.log2((d.speed or 1) / h.case.speed)) < NEAR
      for d, h in zip(decided, members, strict=True)
    ],
    bool,
  )
  everyone = np.ones(len(members), bool)
  return {
    "files": len(members),
    "speaks": _rate(speaks, everyone, groups),
    "a_mode_is_true_where_it_speaks": _rate(means, speaks, groups),
    "false_witness": _rate(speaks & ~means, everyone, groups),
    "decides": _rate(decides, everyone, groups),
    "right_where_it_decides": _rate(right, decides, groups),
    "decides_wrongly": _rate(decides & ~right, everyone, groups),
  }


def _cadence(
  members: Sequence[Heard], recipe: retiming.Recipe
) -> dict[str, Any]:
  """How often the pattern of a recipe is found, and means its speed."""
  groups = np.array([h.case.scene_group for h in members])
  speaks = np.array([h.says("cadence") is not None for h in members], bool)
  means = np.array([h.means("cadence") for h in members], bool)
  return {
    "files": len(members),
    "speed": recipe.speed,
    "speaks": _rate(speaks, np.ones(len(members), bool), groups),
    "a_mode_is_true_where_it_speaks": _rate(means, speaks, groups),
  }


def _rate(
  right: np.ndarray, members: np.ndarray, groups: np.ndarray
) -> tuple[float, float, float] | None:
  if not members.any():
    return None
  chosen, of = right[members], groups[members]
  return report.interval(
    lambda index: float(chosen[index].mean()), of
  ).to_json()


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  rows = []
  for clock in CLOCKS:
    for kind in ("untouched", "planted"):
      if kind in results[clock]:
        rows.append([f"{clock}, {kind}", *_cells(results[clock][kind])])
  for speed, figures in results["flicker"]["planted_by_speed"].items():
    rows.append([f"flicker, planted, {speed}x", *_cells(figures)])
  for speed, figures in results["hum"]["planted_by_speed"].items():
    rows.append([f"hum, planted, {speed}x", *_cells(figures)])
  first = report.markdown(
    [
      "clock and files",
      "files",
      "speaks",
      "a mode is true, of those",
      "false witness, of all",
      "decides with the picture",
      "right, of those",
    ],
    rows,
  )
  second = report.markdown(
    ["retimed by FFmpeg", "speed", "files", "speaks", "a mode is true"],
    [
      [
        name,
        f"{f['speed']:g}",
        str(f["files"]),
        _cell(f["speaks"]),
        _cell(f["a_mode_is_true_where_it_speaks"]),
      ]
      for name, f in results["cadence"]["retimed"].items()
    ],
  )
  return f"{first}\n\n{second}\n"


def _cells(figures: dict[str, Any]) -> list[str]:
  return [
    str(figures["files"]),
    *(
      _cell(figures[name])
      for name in (
        "speaks",
        "a_mode_is_true_where_it_speaks",
        "false_witness",
        "decides",
        "right_where_it_decides",
      )
    ),
  ]


def _cell(figure: tuple[float, float, float] | None) -> str:
  return "-" if figure is None else report.Figure(*figure).cell(".0%")


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="val")
  parser.add_argument(
    "--files",
    type=pathlib.Path,
    default=pathlib.Path("runs/clocks"),
    help="folder for the files, which are kept",
  )
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument(
    "--every", type=int, default=1, help="take every so many-th shot"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  args.files.mkdir(parents=True, exist_ok=True)
  paths = split_shards(
    args.records, args.split, "records", "`make clips` writes them"
  )
  begun = time.monotonic()
  heard = list(examine(paths, args.files, args.seed, args.every))
  results = {
    **run_record.circumstances(),
    "config": {
      "split": args.split,
      "seed": args.seed,
      "every": args.every,
      "profiles_db": list(planting.PROFILES),
      "flicker_depths": planting.DEPTHS,
      "usual_factors": {f"{f:.4g}": w for f, w in usual.FACTORS.items()},
      "false_alarms": {
        "hum": hum.FALSE_ALARMS,
        "flicker": flicker.FALSE_ALARMS,
        "cadence": cadence.FALSE_ALARMS,
      },
      "decides": joint.DECIDES,
    },
    "data_fingerprint": RecordSource(paths).fingerprint(),
    **evaluate(heard),
    "wall_seconds": round(time.monotonic() - begun, 1),
  }
  run_record.write_results(args.out, results, tables(results))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
