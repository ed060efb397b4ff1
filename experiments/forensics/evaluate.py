r"""Scores verdicts on forgeries, by picture and sound together and alone.

  python -m experiments.forensics.evaluate runs/forensics/test.jsonl \
    --csv $SPEEDFLOW_DATA/clips.csv \
    --out experiments/forensics/results/test.json

Reads what `witness` wrote; writes figures with 95 % intervals by scene group,
and the tables of the README beside them.
"""

import argparse
import collections
import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from experiments.forensics import forgeries, witness
from speedflow.detect import verdict
from speedflow.detect.answer import Modality, Verdict
from speedflow.errors import SpeedflowError
from speedflow.evaluation import real_clips, report
from speedflow.training import run_record

SYSTEMS: dict[str, tuple[Modality, ...]] = {
  "picture and sound": ("picture", "sound"),
  "without clocks": ("picture", "sound"),
  "picture alone": ("picture",),
  "sound alone": ("sound",),
}


def only(
  evidence: verdict.Evidence,
  modalities: Sequence[Modality],
  clocks: bool = True,
) -> verdict.Evidence:
  """The evidence as it is without the other modalities, or without clocks."""
  has_sound = "sound" in modalities
  return verdict.Evidence(
    tuple(
      {
        modality: change
        for modality, change in found.items()
        if modality in modalities
      }
      for found in evidence.changes
    ),
    tuple(
      dataclasses.replace(
        stretch,
        speeds={k: v for k, v in stretch.speeds.items() if k in modalities},
      )
      for stretch in evidence.stretches
    ),
    audible=evidence.audible and has_sound,
    stretched=evidence.stretched if has_sound else None,
    clocks=tuple(
      clock
      for clock in evidence.clocks
      if clocks and clock.modality in modalities
    ),
  )


def right_verdict(kind: str, modalities: Sequence[Modality]) -> Verdict | None:
  """What can be asked of some modalities; None where they get nothing to judge.

  By the picture alone there is no conflict: a file is as fast as its picture.
  """
  if modalities == ("sound",) and forgeries.KINDS[kind].sound == "removed":
    return None
  if modalities == ("picture",) and forgeries.KINDS[kind].verdict == "conflict":
    return "sped_up"
  return forgeries.KINDS[kind].verdict


def evaluate(
  testimonies: Sequence[witness.Testimony],
  belief: verdict.Belief = verdict.BELIEF,
) -> dict[str, Any]:
  """All figures, as JSON."""
  kinds = [t.forgery.kind for t in testimonies]
  groups = np.array([t.forgery.scene_group for t in testimonies])
  spliced = np.array([t.forgery.spliced for t in testimonies])
  systems = {}
  for name, modalities in SYSTEMS.items():
    truth = [right_verdict(kind, modalities) for kind in kinds]
    asked = np.array([t is not None for t in truth])
    task = np.isin(kinds, forgeries.TASK) & asked
    found = [
      verdict.judge(
        only(t.evidence, modalities, clocks=name != "without clocks"), belief
      )
      for t in testimonies
    ]
    right = np.array(
      [f.verdict == t for f, t in zip(found, truth, strict=True)]
    )
    sure = np.array([max(f.probabilities.values()) for f in found])
    systems[name] = {
      "accuracy": rate(right, task, groups),
      "accuracy_whole": rate(right, task & ~spliced, groups),
      "accuracy_spliced": rate(right, task & spliced, groups),
      "accuracy_where_decided": rate(
        right,
        task & np.array([f.verdict != "uncertain" for f in found]),
        groups,
      ),
      # Of the untouched ones, with sound and without.
      "accused": rate(
        np.array([f.verdict not in ("untouched", "uncertain") for f in found]),
        task & np.array([t == "untouched" for t in truth]),
        groups,
      ),
      "decided": rate(
        np.array([f.verdict != "uncertain" for f in found]), task, groups
      ),
      "by_kind": {
        kind: rate(right, asked & (np.array(kinds) == kind), groups)
        for kind in forgeries.KINDS
      },
      "mean_probability_of_the_likeliest": float(sure[task].mean()),
      "confusion": {
        kind: dict(
          collections.Counter(
            f.verdict for f, k in zip(found, kinds, strict=True) if k == kind
          )
        )
        for kind in forgeries.KINDS
      },
      "failures": [
        {
          "clip": t.forgery.clip,
          "kind": t.forgery.kind,
          "spliced": t.forgery.spliced,
          "stretcher": t.forgery.stretcher,
          "sound": t.sound,
          "verdict": f.verdict,
          "why": f.why,
        }
        for t, f, good in zip(testimonies, found, right | ~asked, strict=True)
        if not good
      ],
    }
  return {
    "files": len(testimonies),
    "clips": len({t.forgery.clip for t in testimonies}),
    "scene_groups": len(set(groups)),
    "sound": dict(collections.Counter(t.sound for t in testimonies)),
    "belief": dataclasses.asdict(belief),
    "systems": systems,
  }


def of_unseen_sources(
  testimonies: Sequence[witness.Testimony], data: pathlib.Path
) -> list[witness.Testimony]:
  """Those about clips of sources of which training and choice saw no clip.

  Args:
    testimonies: about clips of the test split.
    data: folder of `clips.csv`.

  Raises:
    SpeedflowError: there are none.
  """
  names = {pathlib.Path(file).stem for file in real_clips.never_seen(data)}
  unseen = [
    testimony
    for testimony in testimonies
    if testimony.forgery.clip.partition("/")[0] in names
  ]
  if not unseen:
    raise SpeedflowError(
      f"{data}: all sources of these testimonies are trained on; leave --data "
      "out, or take those of the test split"
    )
  return unseen


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown; first those on sources never seen."""
  text = ""
  if "unseen" in results:
    text = f"Sources never seen. {_shares(results['unseen'])}\n\nAll. "
  text += _shares(results)
  for name, modalities in SYSTEMS.items():
    text += f"\n\n{_confusion(name, modalities, results['systems'][name])}"
  return f"{text}\n"


def _shares(results: dict[str, Any]) -> str:
  """Shares of right verdicts, by kind and system."""
  systems = results["systems"]
  lines = [
    f"{results['files']} files made of {results['clips']} clips from "
    f"{results['scene_groups']} scenes. Share of right verdicts (95 % interval "
    "by scene):",
    "",
  ]
  titles = {
    "**all five kinds**": "accuracy",
    "whole file changed": "accuracy_whole",
    "second half changed": "accuracy_spliced",
    "all five, where it decides": "accuracy_where_decided",
    "how often it decides": "decided",
    "untouched files accused": "accused",
  }
  rows = [
    [title, *(_cell(s[key]) for s in systems.values())]
    for title, key in titles.items()
  ]
  rows += [
    [kind, *(_cell(s["by_kind"][kind]) for s in systems.values())]
    for kind in forgeries.KINDS
  ]
  return "\n".join([*lines, report.markdown(["", *systems], rows)])


def _confusion(
  name: str, modalities: Sequence[Modality], system: dict[str, Any]
) -> str:
  """How often which verdict is given on each kind."""
  names = get_args(Verdict)
  rows = []
  for kind, counts in system["confusion"].items():
    right = right_verdict(kind, modalities)
    numbers = [
      f"**{counts.get(n, 0)}**" if n == right else str(counts.get(n, 0))
      for n in names
    ]
    rows.append([kind, *numbers])
  header = ["", *(n.replace("_", " ") for n in names)]
  return f"Verdicts by {name}:\n\n{report.markdown(header, rows)}"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("testimonies", type=pathlib.Path)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument(
    "--data",
    type=pathlib.Path,
    help="folder of clips.csv: sources never seen are scored besides",
  )
  args = parser.parse_args(argv)
  testimonies = witness.read(args.testimonies)
  results = {**run_record.circumstances(), **evaluate(testimonies)}
  if args.data:
    results["unseen"] = evaluate(of_unseen_sources(testimonies, args.data))
  run_record.write_results(args.out, results, tables(results))
  return 0


def rate(
  right: np.ndarray, members: np.ndarray, groups: np.ndarray
) -> tuple[float, float, float] | None:
  """Share of right ones among members, with its interval."""
  if not members.any():
    return None
  right, groups = right[members], groups[members]

  def share(index: np.ndarray) -> float:
    return float(right[index].mean())

  return report.interval(share, groups).to_json()


def _cell(figures: tuple[float, float, float] | None) -> str:
  if figures is None:
    return "-"
  return report.Figure(*figures).cell(".0%")


if __name__ == "__main__":
  sys.exit(report.run(main))
