r"""Places the ear's threshold by sounds that its scorer has not seen.

  python -m experiments.sound_speed.cross_fit \
    --out experiments/sound_speed/results/cross_fit.json

The untouched sound of the validation split is too short to prove that false
alarms are rare, and the scorer has been fitted on that of the training split.
So both are divided by scene group into parts, and each part is judged by a
scorer that was fitted on the others and calibrated on one of them. The
threshold is the least at which so few alarms are left that their true rate is
below the goal with so much confidence; what it costs in changes that are
missed is measured on the same parts.
"""

import argparse
import dataclasses
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.sound_speed import evaluate, fit_scorer, protocol
from speedflow import media
from speedflow.evaluation import real_clips, report
from speedflow.sound import changes, scorer
from speedflow.training import run_record

GOAL_PER_MINUTE = 0.2
"""False alarms on untouched sound."""

_CONFIDENCE = 0.9
_PARTS = 5
_NEAR_S = 0.1
_LARGE = 1.5
_CHANGES_PER_SOUND = 3
# Share of the moments without a change that are learnt from.
_KEPT = 0.2
# Less likely changes need not be looked at: no threshold is so low.
_LEAST = 0.02
_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclasses.dataclass(frozen=True, eq=False)
class Heard:
  """What scorers say of sounds that they have not seen.

  Attributes:
    minutes: of untouched sound.
    alarms: probabilities of the changes that are told in it; float [a].
    found: probability of each real change within 100 ms; 0: none; float [c].
    large: whether its ratio is 1.5 or more; bool [c].
  """

  minutes: float
  alarms: np.ndarray
  found: np.ndarray
  large: np.ndarray


def parts(
  sounds: Sequence[protocol.Sound], count: int
) -> list[list[protocol.Sound]]:
  """Divides sounds by scene group, so that all parts are about as long."""
  groups: dict[str, list[protocol.Sound]] = {}
  for sound in sounds:
    groups.setdefault(sound.scene_group, []).append(sound)
  divided: list[list[protocol.Sound]] = [[] for _ in range(count)]
  lengths = np.zeros(count)
  for group in sorted(groups.values(), key=_seconds, reverse=True):
    shortest = int(lengths.argmin())
    divided[shortest] += group
    lengths[shortest] += _seconds(group)
  return divided


def bound(alarms: int, minutes: float, confidence: float) -> float:
  """Upper bound of a Poisson rate per minute, one-sided, exact (Garwood)."""
  return float(stats.chi2.ppf(confidence, 2 * alarms + 2) / 2 / minutes)


def threshold(heard: Heard) -> tuple[float, bool]:
  """The least threshold whose false alarms are few, and if that is proven.

  Where there is too little sound for a proof, no alarm is left.
  """
  allowed = 0
  proven = bound(0, heard.minutes, _CONFIDENCE) <= GOAL_PER_MINUTE
  while bound(allowed + 1, heard.minutes, _CONFIDENCE) <= GOAL_PER_MINUTE:
    allowed += 1
  highest = np.sort(heard.alarms)[::-1]
  # Just above the first alarm that is one too many.
  least = highest[allowed] + 1e-4 if len(highest) > allowed else _LEAST
  return float(least), proven


def listen(
  own: Sequence[protocol.Sound], parameters: scorer.Parameters, seed: int
) -> Heard:
  """Judges untouched sounds, as they are in their files, and changed ones."""
  rng = np.random.default_rng(seed)
  alarms: list[float] = []
  found, large = [], []
  for sound in own:
    audio = media.Audio(sound.samples, sound.rate)
    told = changes.find_changes([audio], _LEAST, parameters).changes
    alarms += [change.probability for change in told]
    for case in evaluate.changes_of(sound, rng, _CHANGES_PER_SOUND):
      told = changes.find_changes([case.audio], _LEAST, parameters).changes
      near = [c for c in told if abs(c.time_s - case.time_s) <= _NEAR_S]
      found.append(max((c.probability for c in near), default=0.0))
      large.append(max(case.ratio, 1 / case.ratio) >= _LARGE)
  return Heard(
    _seconds(own) / 60, np.array(alarms), np.array(found), np.array(large, bool)
  )


def cross_fit(
  sounds: Sequence[protocol.Sound],
  calculated: Sequence[protocol.Sound],
  *,
  rounds: int,
  epochs: int,
  seed: int,
  count: int = _PARTS,
) -> Heard:
  """Judges every sound by a scorer that has seen none of its scene.

  Args:
    sounds: to be judged.
    calculated: sounds that every scorer learns from, beside others of these.
    rounds: how often each sound is changed to learn from it.
    epochs: of each fit.
    seed: of all that is random.
    count: parts into which the sounds are divided.
  """
  divided = parts(sounds, count)
  moments = [
    fit_scorer.examples(
      protocol.training_cases(own, seed + k, rounds), 1.0, 1.0
    )
    for k, own in enumerate([*divided, calculated])
  ]
  heard = []
  for k, own in enumerate(divided):
    held_out = (k + 1) % count
    others = [x for i, x in enumerate(moments) if i not in (k, held_out)]
    tree = fit_scorer.fit(_thinned(others, seed), epochs, seed)
    parameters = fit_scorer.calibrated(tree, moments[held_out])
    heard.append(listen(own, parameters, seed))
    print(f"part {k + 1} of {count}", file=sys.stderr, flush=True)
  return Heard(
    sum(h.minutes for h in heard),
    *(
      np.concatenate([getattr(h, name) for h in heard])
      for name in ("alarms", "found", "large")
    ),
  )


def scores(heard: Heard) -> dict[str, Any]:
  """False alarms and changes found by threshold, as JSON."""
  chosen, proven = threshold(heard)
  rows = []
  for least in sorted({*_THRESHOLDS, chosen}):
    alarms = int((heard.alarms >= least).sum())
    rows.append(
      {
        "threshold": least,
        "alarms": alarms,
        "per_minute": alarms / heard.minutes,
        "bound_per_minute": bound(alarms, heard.minutes, _CONFIDENCE),
        "found_large": float((heard.found[heard.large] >= least).mean()),
        "found_small": float((heard.found[~heard.large] >= least).mean()),
      }
    )
  return {
    "minutes": heard.minutes,
    "confidence": _CONFIDENCE,
    "threshold": chosen,
    "proven": proven,
    "highest_alarms": np.sort(heard.alarms)[::-1][:10].tolist(),
    "changes": len(heard.found),
    "large_changes": int(heard.large.sum()),
    "by_threshold": rows,
  }


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = [
    f"{results['minutes']:.1f} minutes of untouched sound, "
    f"{results['large_changes']} changes by 1.5 and more and "
    f"{results['changes'] - results['large_changes']} smaller ones.",
    "",
    "| threshold | alarms | a minute | at most, with confidence "
    f"{results['confidence']:g} | 1.5 and more found | smaller ones found |",
    "|---|---|---|---|---|---|",
  ]
  lines += [
    f"| {row['threshold']:.2f} | {row['alarms']} | {row['per_minute']:.2f} | "
    f"{row['bound_per_minute']:.2f} | {row['found_large']:.2f} | "
    f"{row['found_small']:.2f} |"
    for row in results["by_threshold"]
  ]
  return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the fits; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--rounds", type=int, default=2)
  parser.add_argument("--epochs", type=int, default=5)
  parser.add_argument("--seed", type=int, default=0)
  args = parser.parse_args(argv)
  started = time.time()
  sounds = protocol.sounds("train") + protocol.sounds("val")
  heard = cross_fit(
    sounds,
    protocol.scenes(fit_scorer.CALCULATED, args.seed),
    rounds=args.rounds,
    epochs=args.epochs,
    seed=args.seed,
  )
  results = {
    **run_record.circumstances(),
    "clips_sha256": real_clips.fingerprint(real_clips.folder()),
    "sounds": len(sounds),
    "parts": _PARTS,
    "rounds": args.rounds,
    "epochs": args.epochs,
    "seed": args.seed,
    **scores(heard),
    "seconds": round(time.time() - started, 1),
  }
  run_record.write_results(args.out, results, tables(results))
  return 0


def _seconds(sounds: Sequence[protocol.Sound]) -> float:
  return sum(sound.duration_s for sound in sounds)


def _thinned(
  parts_of: Sequence[fit_scorer.Examples], seed: int
) -> fit_scorer.Examples:
  """All changes of some parts, and some of the moments without one."""
  features = np.concatenate([part.features for part in parts_of])
  lag = np.concatenate([part.lag for part in parts_of])
  rng = np.random.default_rng(seed)
  kept = ~np.isnan(lag) | (rng.random(len(lag)) < _KEPT)
  return fit_scorer.Examples(features[kept], lag[kept])


if __name__ == "__main__":
  sys.exit(report.run(main))
