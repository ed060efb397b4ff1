r"""Leave-repository-out: does an idea hold where nobody has filmed for us?

  python -m experiments.speed_estimator.leave_out \
    --config=configs/speed_estimator.py:trial --workdir=runs/leave_out/trial \
    --out experiments/speed_estimator/results/leave_out/trial.json

Clips of one repository share cameras, places and subjects, so that new scenes
of a known repository are easier than the world is. Here every repository of
more than five clips is estimated by a network that has seen none of it. The
repositories are dealt into a few folds; each fold is one training run without
its repositories. Validation and training clips are used; test clips never.

Ideas are chosen by these figures. Folds that were trained already are not
trained again; `--fold` trains one alone, so that several may run at a time.
"""

import argparse
import collections
import json
import pathlib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np
from scipy import stats

from experiments.speed_estimator import (
  baselines,
  evaluate,
  experiment,
  protocol,
)
from speedflow.data.motion import MotionRecord
from speedflow.data.records import split_shards
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import network, weights
from speedflow.estimate import strides as strides_lib
from speedflow.evaluation import report, speed
from speedflow.output.atomic import atomic_path
from speedflow.training import config as config_lib
from speedflow.training import loop, run_record

MIN_CLIPS = 6
"""Repositories of fewer clips say too little by themselves."""

FRAMES = (16, 32, 48)

EXPORTED = "speed.safetensors"
"""The weights of a fold, in its folder."""

# Whole clips are played so many times as fast.
_STRIDES = (1, 2, 4)
_SPLITS = ("train", "val")
_OURS = "speedflow"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the comparison; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--config", required=True, help="FILE.py or FILE.py:ARG")
  parser.add_argument("--workdir", type=pathlib.Path, required=True)
  parser.add_argument("--folds", type=int, default=4)
  parser.add_argument("--fold", type=int, help="train this one, and stop")
  parser.add_argument(
    "--clips",
    type=pathlib.Path,
    help="folder of shot records: estimate whole clips, too",
  )
  parser.add_argument("--out", type=pathlib.Path, help="where figures go")
  args, overrides = parser.parse_known_args(argv)
  config = config_lib.load_config(args.config, overrides)
  if args.fold is not None:
    train_fold(config, args.workdir, args.fold, args.folds)
    return 0
  results = compare(config, args.workdir, args.folds, args.clips)
  if args.out:
    with atomic_path(args.out) as path:
      path.write_text(json.dumps(results, indent=2) + "\n")
  print(table(results))
  return 0


def deal(records: Iterable[MotionRecord], folds: int) -> list[list[str]]:
  """Deals the repositories of more than five real-time clips into folds.

  Large and small ones alternate, so that no fold lacks training clips.

  Args:
    records: undressed ones.
    folds: how many; at most one for each repository.

  Returns:
    The names of the repositories that each fold leaves out.
  """
  clips = collections.defaultdict(set)
  for record in records:
    if record.category == "realtime":
      clips[record.source].add(record.id.partition("/")[0])
  large = [name for name in clips if len(clips[name]) >= MIN_CLIPS]
  large.sort(key=lambda name: (-len(clips[name]), name))
  return [large[i::folds] for i in range(min(folds, len(large)))]


def train_fold(
  config: ml_collections.ConfigDict,
  workdir: pathlib.Path,
  number: int,
  folds: int,
) -> None:
  """Trains without the repositories of one fold, then estimates their clips.

  Args:
    config: of the network.
    workdir: of the comparison; the fold has a folder of its own in it.
    number: of the fold.
    folds: how many there are.
  """
  records = _records(config)
  left_out = deal(records, folds)[number]
  config = config.copy_and_resolve_references()
  config.data.leave_out = tuple(left_out)
  folder = _folder(workdir, number, folds)
  loop.train(config, folder)
  exported = folder / EXPORTED
  loop.evaluate(config, folder, config.eval_split, export=exported)
  model, _ = weights.SPEED.load(exported)
  answers = {
    "label_frequency": experiment.Experiment(config).label_frequency,
  }
  held_out = _only(records, left_out)
  for frames in FRAMES:
    data = protocol.windows(held_out, frames)
    answers[f"probability_{frames}"] = protocol.predict(model, data.maps)
  with atomic_path(_answers(workdir, number, folds)) as path:
    np.savez(path, allow_pickle=False, **answers)


def compare(
  config: ml_collections.ConfigDict,
  workdir: pathlib.Path,
  folds: int,
  clips: pathlib.Path | None = None,
) -> dict[str, Any]:
  """Trains the folds that are missing, and scores all systems.

  Args:
    config: of the network.
    workdir: of the comparison.
    folds: how many training runs.
    clips: folder of the shot records of the same shots.

  Returns:
    The figures, as JSON.
  """
  records = _records(config)
  parts = deal(records, folds)
  for number in range(len(parts)):
    if not _answers(workdir, number, folds).exists():
      train_fold(config, workdir, number, folds)
  started = time.time()
  centres = np.linspace(config.model.low, config.model.high, config.model.bins)
  figures = {}
  for frames in FRAMES:
    collected = collections.defaultdict(list)
    known = []
    for number, left_out in enumerate(parts):
      fold = dict(np.load(_answers(workdir, number, folds)))
      data = protocol.windows(_only(records, left_out), frames)
      known.append((data.log2_speed, data.source))
      collected[_OURS].append(
        protocol.answers_of_distribution(
          fold[f"probability_{frames}"],
          fold["label_frequency"],
          centres,
          data,
        )
      )
      others = [r for r in records if r.source not in left_out]
      for name, system in baselines.fit(others, frames).items():
        step = system(data.maps)
        collected[name].append(protocol.answers_of_estimate(step + data.offset))
    truth, source = map(np.concatenate, zip(*known, strict=True))
    figures[str(frames)] = {
      "windows": len(truth),
      "systems": {
        name: scores(_joined(answers), truth, source)
        for name, answers in collected.items()
      },
    }
  results = {"frames": figures}
  if clips:
    paths = [p for split in _SPLITS for p in split_shards(clips, split)]
    results["clips"] = _whole_clips(workdir, parts, paths)
  return {
    **run_record.circumstances(),
    "config": config.to_dict(),
    "folds": parts,
    "seconds": round(time.time() - started, 1),
    **results,
  }


def _whole_clips(
  workdir: pathlib.Path,
  parts: Sequence[Sequence[str]],
  paths: Sequence[pathlib.Path],
) -> dict[str, dict[str, Any]]:
  """Errors of the real estimator on clips of repositories left out.

  Args:
    workdir: of the comparison.
    parts: the repositories that each fold leaves out.
    paths: shards of shot records.

  Returns:
    By speed: how many "clips"; "mae", octaves, each repository counted alike,
    by how many of the strides were looked at.
  """
  errors_of: dict[int, dict[str, list[np.ndarray]]] = {
    stride: collections.defaultdict(list) for stride in _STRIDES
  }
  for number, left_out in enumerate(parts):
    model, extra = weights.SPEED.load(
      _folder(workdir, number, len(parts)) / EXPORTED
    )
    fold = np.load(_answers(workdir, number, len(parts)))
    estimator = estimator_lib.SpeedEstimator(
      network.of_model(model, extra["window"]),
      estimator_lib.Calibration(label_frequency=tuple(fold["label_frequency"])),
    )
    shots = (
      shot
      for shot in evaluate.read_shots(paths)
      if shot.source in left_out and shot.category == "realtime" and shot.speed
    )
    for shot, stride, answer in evaluate.estimates(estimator, shots, _STRIDES):
      if answer.rounds:
        errors_of[stride][shot.source].append(
          errors_by_look(answer.rounds, shot.speed * stride)
        )
  return {
    f"{stride}x": {
      "clips": sum(map(len, by_source.values())),
      "mae": np.mean(
        [np.mean(errors, axis=0) for errors in by_source.values()], axis=0
      ).tolist(),
    }
    for stride, by_source in errors_of.items()
    if by_source
  }


def errors_by_look(rounds: Sequence[float], truth: float) -> np.ndarray:
  """|error| in octaves with one stride, two, ...: float64 [strides].

  A clip too short for a stride keeps the answer that it has.
  """
  reached = np.minimum(np.arange(len(strides_lib.STRIDES)), len(rounds) - 1)
  return np.abs(np.log2(np.divide(rounds, truth)))[reached]


def scores(
  answers: protocol.Answers, truth: np.ndarray, source: np.ndarray
) -> dict[str, Any]:
  """Figures in which every repository counts alike.

  Args:
    answers: one for each window.
    truth: log2 speed, float64 [n].
    source: repository of each window, [n].

  Returns:
    "mae", "accuracy_3way", "accuracy_1x_2x" (means over repositories) and
    "spearman" (over all windows, weighted), each with the ends of its 95 %
    interval, resampling repositories; "repositories": the MAE of each.
  """
  slow = truth < 1.5
  measures = {
    "mae": lambda i: np.abs(answers.log2_speed[i] - truth[i]).mean(),
    "accuracy_3way": lambda i: speed.accuracy(answers.of_three[i], truth[i]),
    "accuracy_1x_2x": lambda i: speed.accuracy(
      answers.of_two[i][slow[i]], truth[i][slow[i]]
    ),
  }
  members = {name: np.flatnonzero(source == name) for name in np.unique(source)}
  rng = np.random.default_rng(0)
  drawn = rng.integers(len(members), size=(1000, len(members)))
  result: dict[str, Any] = {}
  for name, measure in measures.items():
    each = np.array([measure(index) for index in members.values()])
    spread = np.percentile(each[drawn].mean(1), [2.5, 97.5])
    result[name] = (float(each.mean()), *map(float, spread))

  def ranking(names: Sequence[str]) -> float:
    index = np.concatenate([members[name] for name in names])
    weight = np.concatenate(
      [np.full(len(members[name]), 1 / len(members[name])) for name in names]
    )
    ranks = [
      stats.rankdata(values[index]) for values in (answers.log2_speed, truth)
    ]
    covariance = np.cov(np.stack(ranks), aweights=weight)
    scale = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / scale) if scale else 0.0

  names = list(members)
  resampled = [ranking([names[i] for i in row]) for row in drawn[:300]]
  result["spearman"] = (
    ranking(names),
    *map(float, np.percentile(resampled, [2.5, 97.5])),
  )
  result["repositories"] = {
    name: round(float(measures["mae"](index)), 3)
    for name, index in members.items()
  }
  return result


def table(results: Mapping[str, Any]) -> str:
  """The figures as Markdown."""
  lines = []
  for frames, part in results["frames"].items():
    lines += [
      f"Windows of {frames} frames: {part['windows']} windows of "
      f"{sum(map(len, results['folds']))} repositories, each left out.",
      "",
      "| system | log2 MAE | 3-way accuracy | Spearman | 1x against 2x |",
      "|---|---|---|---|---|",
    ]
    for name, figures in part["systems"].items():
      cells = " | ".join(
        "{:.2f} ({:.2f}-{:.2f})".format(*figures[measure])
        for measure in ("mae", "accuracy_3way", "spearman", "accuracy_1x_2x")
      )
      lines.append(f"| {name} | {cells} |")
    lines.append("")
  if "clips" in results:
    lines += [
      "Whole clips, log2 MAE, by the strides that are looked at:",
      "",
      "| speed | clips | " + " | ".join(_looks()) + " |",
      "|---" * (2 + len(_looks())) + "|",
    ]
    for played, part in results["clips"].items():
      cells = " | ".join(f"{error:.2f}" for error in part["mae"])
      lines.append(f"| {played} | {part['clips']} | {cells} |")
    lines.append("")
  return "\n".join(lines)


def _looks() -> list[str]:
  """The strides that are looked at, one after the other joining in."""
  strides = list(map(str, strides_lib.STRIDES))
  return [", ".join(strides[: n + 1]) for n in range(len(strides))]


def _records(config: ml_collections.ConfigDict) -> list[MotionRecord]:
  folder = pathlib.Path(config.data.records)
  paths = [p for split in _SPLITS for p in split_shards(folder, split)]
  return list(protocol.read_records(paths))


def _only(
  records: Iterable[MotionRecord], sources: Sequence[str]
) -> list[MotionRecord]:
  return [record for record in records if record.source in sources]


def _folder(workdir: pathlib.Path, number: int, folds: int) -> pathlib.Path:
  return workdir / f"fold_{number}_of_{folds}"


def _answers(workdir: pathlib.Path, number: int, folds: int) -> pathlib.Path:
  return _folder(workdir, number, folds).with_suffix(".npz")


def _joined(answers: Sequence[protocol.Answers]) -> protocol.Answers:
  return protocol.Answers(
    *(
      np.concatenate([getattr(part, name) for part in answers])
      for name in ("log2_speed", "of_three", "of_two")
    )
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
