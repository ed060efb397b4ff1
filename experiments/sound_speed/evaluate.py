r"""Scores the ear, a baseline and the sound speed network on real sound.

  python -m experiments.sound_speed.evaluate \
    --out experiments/sound_speed/results/test.json

Sounds of the split in SPEEDFLOW_DATA are resampled from random times on, by
1/4 to 4, go through a real AAC encoder, and are judged as any file is. The
baseline's threshold is the least that keeps its false alarms on the untouched
sounds of the other splits below the goal. Figures have 95 % intervals by scene
group.
"""

import argparse
import collections
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.sound_speed import baselines, protocol
from speedflow import media
from speedflow.estimate import sound_speed
from speedflow.evaluation import real_clips, report, speed
from speedflow.sound import changes, spectra
from speedflow.timewarp import audio as audio_speed
from speedflow.training import run_record

_NEAR_S = 0.1
_LARGE = np.log2(1.5)
_FALSE_ALARMS_PER_MINUTE = 0.2
_CHANGES_PER_SOUND = 8
_SPEEDS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
_SEED = 7

Detector = Callable[[media.Audio], Sequence[changes.SoundChange]]


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--split", default="test")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  results = evaluate(args.split)
  run_record.write_results(args.out, results, tables(results))
  return 0


def evaluate(split: str) -> dict[str, Any]:
  """All figures, as JSON."""
  started = time.time()
  sounds = protocol.sounds(split)
  others = [
    sound
    for name in sorted({"train", "val"} - {split})
    for sound in protocol.sounds(name)
  ]
  threshold = _baseline_threshold(others)
  systems: dict[str, Detector] = {
    "spectral centroid": lambda audio: _centroid(audio, threshold),
    "speedflow": lambda audio: changes.find_changes([audio]).changes,
  }
  changed = changed_cases(sounds)
  unchanged = list(unchanged_cases(sounds))
  return {
    **run_record.circumstances(),
    "split": split,
    "seed": _SEED,
    "clips_sha256": real_clips.fingerprint(real_clips.folder()),
    "sounds": len(sounds),
    "scene_groups": len({sound.scene_group for sound in sounds}),
    "too_short": len(sounds) - len({case.sound.name for case in changed}),
    "baseline_threshold_octaves": threshold,
    "changes": {
      name: score_changes(find, changed) for name, find in systems.items()
    },
    "false_alarms": {
      name: score_unchanged(find, unchanged) for name, find in systems.items()
    },
    "absolute": score_speeds(sounds),
    "seconds": round(time.time() - started, 1),
  }


def changed_cases(sounds: Sequence[protocol.Sound]) -> list[protocol.Case]:
  """Several changes of each sound."""
  rng = np.random.default_rng(_SEED)
  return [
    case for s in sounds for case in changes_of(s, rng, _CHANGES_PER_SOUND)
  ]


def changes_of(
  sound: protocol.Sound, rng: np.random.Generator, count: int
) -> Iterator[protocol.Case]:
  """So many changes of a sound, of ratios spread evenly in log.

  Those by less than 1.2 are left out, and those that a sound is too short for.
  """
  for number in range(count):
    place = (number + rng.random()) / count
    octaves = protocol.LARGEST_LOG2_RATIO * (2 * place - 1)
    case = protocol.with_change(sound, rng, log2_ratio=octaves)
    if case is not None and abs(octaves) >= np.log2(1.2):
      yield case


def unchanged_cases(
  sounds: Sequence[protocol.Sound],
) -> Iterable[protocol.Case]:
  """Each sound as it is in its file, and with what is no change of speed."""
  rng = np.random.default_rng(_SEED)
  for sound in sounds:
    yield protocol.Case(
      sound, media.Audio(sound.samples, sound.rate), "untouched"
    )
    other = sounds[int(rng.integers(len(sounds)))]
    cases = [
      protocol.with_cut(sound, other, rng),
      protocol.with_low_pass(sound, rng),
      protocol.with_gain(sound, rng),
      protocol.with_music(sound, rng),
      protocol.with_stretch(sound, rng),
    ]
    yield from (case for case in cases if case is not None)


def score_changes(
  find: Detector, cases: Sequence[protocol.Case]
) -> dict[str, Any]:
  """How many changes are found, where, and with which ratio."""
  rows = []
  for case in cases:
    answers = find(case.audio)
    near = [c for c in answers if abs(c.time_s - case.time_s) <= _NEAR_S]
    truth = float(np.log2(case.ratio))
    end = case.audio.start_s + case.audio.duration_s
    row: dict[str, Any] = {
      "sound": case.sound.name,
      "group": case.sound.scene_group,
      "log2_ratio": truth,
      "shorter_side_s": min(case.time_s, end - case.time_s),
      "found": bool(near),
      "extra": len(answers) - len(near[:1]),
    }
    if near:
      best = max(near, key=lambda c: c.probability)
      row |= {
        "off_s": abs(best.time_s - case.time_s),
        "off_octaves": abs(np.log2(best.ratio) - truth),
        "covered": best.ratio_low <= case.ratio <= best.ratio_high,
      }
    rows.append(row)
  group = np.array([row["group"] for row in rows])
  size = np.array([abs(row["log2_ratio"]) for row in rows])
  slower = np.array([row["log2_ratio"] < 0 for row in rows])
  side = np.array([row["shorter_side_s"] for row in rows])
  large = size >= _LARGE
  subsets = {
    "ratio >= 1.5": large,
    "ratio >= 1.5, from fast to slow": large & slower,
    "ratio >= 1.5, from slow to fast": large & ~slower,
    "ratio >= 1.5, shorter side >= 1 s": large & (side >= 1.0),
    "ratio 1.2 to 1.5": ~large,
  }
  return {
    name: _score_subset([rows[i] for i in np.flatnonzero(of)], group[of])
    for name, of in subsets.items()
    if of.any()
  }


def _score_subset(
  rows: Sequence[dict[str, Any]], group: np.ndarray
) -> dict[str, Any]:
  found = np.array([row["found"] for row in rows])
  hits = [row for row in rows if row["found"]]
  scores = {
    "changes": len(rows),
    "scene_groups": len(np.unique(group)),
    "found": report.interval(lambda i: float(found[i].mean()), group).to_json(),
    "extra": sum(row["extra"] for row in rows),
  }
  if hits:
    off = np.array([row["off_octaves"] for row in hits])
    scores |= {
      "median_time_error_ms": 1e3
      * float(np.median([r["off_s"] for r in hits])),
      "median_ratio_error": float(2.0 ** np.median(off) - 1),
      "ratio_within_5_percent": float((off <= np.log2(1.05)).mean()),
      "interval_coverage": float(np.mean([r["covered"] for r in hits])),
    }
  return scores


def score_unchanged(
  find: Detector, cases: Sequence[protocol.Case]
) -> dict[str, Any]:
  """False alarms per minute of each kind, with exact Poisson intervals."""
  alarms: collections.Counter[str] = collections.Counter()
  minutes: dict[str, float] = collections.defaultdict(float)
  for case in cases:
    alarms[case.kind] += len(find(case.audio))
    minutes[case.kind] += case.audio.duration_s / 60
  return {
    kind: {
      "alarms": alarms[kind],
      "minutes": float(minutes[kind]),
      "per_minute": (
        alarms[kind] / minutes[kind],
        *(end / minutes[kind] for end in _poisson_interval(alarms[kind])),
      ),
    }
    for kind in minutes
  }


def _poisson_interval(count: int) -> tuple[float, float]:
  """Garwood's exact 95 % interval of a Poisson mean."""
  low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
  return float(low), float(stats.chi2.ppf(0.975, 2 * count + 2) / 2)


def score_speeds(sounds: Sequence[protocol.Sound]) -> dict[str, Any]:
  """The absolute speed of whole sounds, resampled by 1/4 to 4."""
  model = sound_speed.load_sound_model()
  rows = []
  for sound in sounds:
    for octaves in _SPEEDS:
      if sound.duration_s * 2.0**-octaves < 2 * protocol.MIN_SIDE_S:
        continue
      played = audio_speed.change_speed(sound.samples, sound.rate, 2.0**octaves)
      answer = model.estimate([protocol.through_aac(played, sound.rate)])
      rows.append((sound.scene_group, octaves, answer))
  known = [row for row in rows if row[2].speed is not None]
  group = np.array([row[0] for row in known])
  truth = np.array([row[1] for row in known])
  answers = np.log2([dataclasses.astuple(row[2]) for row in known])

  def factor_error(index: np.ndarray) -> float:
    return float(2 ** np.abs(answers[index, 0] - truth[index]).mean())

  def covered(index: np.ndarray) -> float:
    low, high = answers[index, 1], answers[index, 2]
    return speed.coverage(low, high, truth[index])

  return {
    "sounds": len(rows),
    "unknown": len(rows) - len(known),
    "factor_error": report.interval(factor_error, group).to_json(),
    "constant_factor_error": float(2 ** np.abs(truth).mean()),
    "spearman": speed.score(answers[:, 0], truth).spearman,
    "coverage": report.interval(covered, group).to_json(),
    "factor_error_by_speed": {
      f"{2**octaves:.3g}": factor_error(np.flatnonzero(truth == octaves))
      for octaves in np.unique(truth)
    },
  }


def _centroid(
  audio: media.Audio, threshold: float
) -> list[changes.SoundChange]:
  parts = list(spectra.columns([audio]))
  if not parts:
    return []
  decibels = np.concatenate([part.decibels for part in parts])
  return baselines.centroid_changes(decibels, parts[0].start_s, threshold)


def _baseline_threshold(sounds: Sequence[protocol.Sound]) -> float:
  """The least jump, octaves, that meets the goal on untouched sounds."""
  jumps = [
    abs(np.log2(change.ratio))
    for sound in sounds
    for change in _centroid(media.Audio(sound.samples, sound.rate), 0.05)
  ]
  minutes = sum(sound.duration_s for sound in sounds) / 60
  allowed = int(_FALSE_ALARMS_PER_MINUTE * minutes)
  return float(np.sort(jumps)[::-1][allowed]) + 1e-6


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = [
    f"{results['sounds']} sounds of {results['scene_groups']} scene groups of "
    f"`{results['split']}`; {results['too_short']} are too short for a change.",
    "",
    "| changes | system | number | found within 100 ms | time error, median "
    "| ratio error, median | ratio in its 80 % interval |",
    "|---|---|---|---|---|---|---|",
  ]
  for name in next(iter(results["changes"].values())):
    for system, scores in results["changes"].items():
      of = scores[name]
      detail = "- | - | -"
      if "median_time_error_ms" in of:
        detail = (
          f"{of['median_time_error_ms']:.0f} ms | "
          f"{of['median_ratio_error']:.1%} | {of['interval_coverage']:.2f}"
        )
      lines.append(
        f"| {name} | {system} | {of['changes']} | "
        f"{report.Figure(*of['found']).cell()} | {detail} |"
      )
  lines += [
    "",
    "| sound without a change | minutes | system | false alarms | per minute |",
    "|---|---|---|---|---|",
  ]
  for kind in next(iter(results["false_alarms"].values())):
    for system, scores in results["false_alarms"].items():
      of = scores[kind]
      lines.append(
        f"| {kind} | {of['minutes']:.1f} | {system} | {of['alarms']} | "
        f"{report.Figure(*of['per_minute']).cell()} |"
      )
  of = results["absolute"]
  by_speed = ", ".join(
    f"{at}x {error:.2f}" for at, error in of["factor_error_by_speed"].items()
  )
  lines += [
    "",
    "| absolute speed | sounds | unknown | typical factor error | always 1x "
    "| Spearman | in the 80 % interval |",
    "|---|---|---|---|---|---|---|",
    f"| speedflow | {of['sounds']} | {of['unknown']} | "
    f"{report.Figure(*of['factor_error']).cell()} | "
    f"{of['constant_factor_error']:.2f} | {of['spearman']:.2f} | "
    f"{report.Figure(*of['coverage']).cell()} |",
    "",
    f"Typical factor error by true speed: {by_speed}.",
  ]
  return "\n".join(lines) + "\n"


if __name__ == "__main__":
  sys.exit(report.run(main))
