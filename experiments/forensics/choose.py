r"""Chooses what is believed before seeing a file, on validation clips.

  python -m experiments.forensics.choose runs/forensics/val.jsonl

Bias and gain of readings are measured, and kept where right verdicts are
likelier by them than as they stand. For the rest, beliefs are drawn about the
best so far. Prints it; it goes into `speedflow.detect.verdict`. What
verdicts are then worth at several costs of an accusation and of no verdict is
printed, too: which to pay is for people to say.
"""

import argparse
import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import get_args

import numpy as np

from experiments.forensics import forgeries, witness
from speedflow.detect import verdict
from speedflow.detect.answer import Modality
from speedflow.evaluation import report

_ACCUSATION = (1.0, 2.0, 3.0, 5.0)
_SILENCE = (0.5, 0.6, 0.7, 1.0)
_ACQUITTED = ("untouched", "uncertain")


def surprise(
  testimonies: Sequence[witness.Testimony], belief: verdict.Belief
) -> float:
  """Mean negative log probability of the right verdict, each kind alike."""
  by_kind: dict[str, list[float]] = {}
  for testimony in testimonies:
    kind = testimony.forgery.kind
    right = verdict.posterior(testimony.evidence, belief)[
      forgeries.KINDS[kind].verdict
    ]
    by_kind.setdefault(kind, []).append(-np.log(max(right, 1e-4)))
  return float(np.mean([np.mean(losses) for losses in by_kind.values()]))


def calibrated(
  testimonies: Sequence[witness.Testimony], belief: verdict.Belief
) -> verdict.Belief:
  """The belief with bias and gain of files that were changed as a whole."""
  bias: dict[Modality, float] = {}
  gain: dict[Modality, float] = {}
  for modality in get_args(Modality):
    read, true = [], []
    for testimony in testimonies:
      kind = forgeries.KINDS[testimony.forgery.kind]
      speeds = testimony.evidence.stretches[0].speeds
      moved = modality == "picture" or kind.sound == "resampled"
      if moved and modality in speeds and not testimony.forgery.spliced:
        read.append(speeds[modality].log2)
        true.append(np.log2(kind.factor))
    slope, bias[modality] = map(float, np.polyfit(true, read, 1))
    gain[modality] = 1 / slope
  return dataclasses.replace(belief, bias=bias, gain=gain)


def neighbour(
  belief: verdict.Belief, rng: np.random.Generator, size: float
) -> verdict.Belief:
  """A belief near another one: logits and logarithms moved at random.

  What these forgeries cannot tell stays: how far off 1 speeds are, and which
  kinds of conflict there are.
  """

  def share(value: float) -> float:
    odds = np.log(value / (1 - value)) + size * rng.normal()
    return float(1 / (1 + np.exp(-odds)))

  def scale(value: float) -> float:
    return float(value * np.exp(0.5 * size * rng.normal()))

  return dataclasses.replace(
    belief,
    untouched=share(belief.untouched),
    change=share(belief.change),
    conflict=share(belief.conflict),
    wrong=share(belief.wrong),
    shared=share(belief.shared),
    width={modality: scale(width) for modality, width in belief.width.items()},
    recall={
      modality: share(value) for modality, value in belief.recall.items()
    },
  )


def choose(
  testimonies: Sequence[witness.Testimony],
  belief: verdict.Belief,
  draws: int,
  seed: int = 0,
) -> tuple[verdict.Belief, float]:
  """The best of so many beliefs, each drawn about the best before it."""
  rng = np.random.default_rng(seed)
  least, belief = min(
    (
      (surprise(testimonies, b), b)
      for b in (belief, calibrated(testimonies, belief))
    ),
    key=lambda pair: pair[0],
  )
  for number in range(draws):
    tried = neighbour(belief, rng, size=0.3 * (1 - number / draws) + 0.05)
    if (found := surprise(testimonies, tried)) < least:
      belief, least = tried, found
  return belief, least


def at_costs(
  testimonies: Sequence[witness.Testimony], belief: verdict.Belief
) -> str:
  """A table of accuracy and false accusations by what errors cost."""
  lines = [
    "| accusation | no verdict | right | untouched accused | decided |",
    "|---|---|---|---|---|",
  ]
  asked = [t for t in testimonies if t.forgery.kind in forgeries.TASK]
  known = [verdict.posterior(t.evidence, belief) for t in asked]
  truth = [forgeries.KINDS[t.forgery.kind].verdict for t in asked]
  for accusation, silence in itertools.product(_ACCUSATION, _SILENCE):
    priced = dataclasses.replace(belief, accusation=accusation, silence=silence)
    found = [verdict.cheapest(probabilities, priced) for probabilities in known]
    right = np.mean([f == t for f, t in zip(found, truth, strict=True)])
    of_untouched = [
      f for f, t in zip(found, truth, strict=True) if t == "untouched"
    ]
    accused = np.mean([f not in _ACQUITTED for f in of_untouched])
    decided = np.mean([f != "uncertain" for f in found])
    lines.append(
      f"| {accusation:g} | {silence:g} | {right:.0%} | {accused:.0%} | "
      f"{decided:.0%} |"
    )
  return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the choice; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("testimonies", type=pathlib.Path)
  parser.add_argument("--draws", type=int, default=300)
  args = parser.parse_args(argv)
  testimonies = witness.read(args.testimonies)
  before = surprise(testimonies, verdict.BELIEF)
  belief, after = choose(testimonies, verdict.BELIEF, args.draws)
  print(f"{before:.3f} -> {after:.3f} nats a file")
  print(belief)
  print(at_costs(testimonies, belief))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
