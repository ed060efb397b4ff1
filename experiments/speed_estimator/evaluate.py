r"""Scores the shipped estimator and the baselines on the same windows.

  python -m experiments.speed_estimator.evaluate \
    --out experiments/speed_estimator/results/test.json

It reads motion records (`make records`), fits the baselines on the training
split, and writes figures with 95 % intervals by scene group, and the tables
of the README beside them.
"""

import argparse
import itertools
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import baselines, protocol
from experiments.speed_estimator.dataset import ANCHORS
from speedflow.data.motion import CHANNELS, MotionRecord
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import network, weights
from speedflow.estimate.answer import Estimate
from speedflow.evaluation import report, speed
from speedflow.models import motion_net
from speedflow.timewarp import labels
from speedflow.training import run_record

_FRAMES = (16, 32, 48, 64)
_MOTION_FRAMES = 32
_ALL_STRIDES = (1, 2, 4, 8, 16, 32)
# The speeds that are asked for, log2.
_SLOWEST, _FASTEST = -4.5, 3.0
# Frames of a clip that is played faster.
_SHORTEST = 24
_WORST = 12
_CATEGORIES = ("realtime", "slowmo", "highfps")
_OURS = "speedflow"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the evaluation; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
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
  records: pathlib.Path,
  clips: pathlib.Path,
  split: str,
  weights_name: str,
) -> dict[str, Any]:
  """All figures, as JSON.

  Args:
    records: folder of motion records.
    clips: folder of the shot records that they were made from.
    split: which to score.
    weights_name: as for `load_estimator`.
  """
  started = time.time()
  path = weights.SPEED.find(weights_name)
  model, extra = weights.SPEED.load(path)
  calibration = estimator_lib.Calibration(**extra.get("calibration", {}))
  centres = calibration.scale.true_step(np.asarray(model.config.centres))
  frequency = calibration.frequency(len(centres))
  paths = split_shards(records, split)
  scored = list(protocol.read_records(paths))
  training = list(protocol.read_records(split_shards(records, "train")))
  realtime = {}
  for frames in _FRAMES:
    data = protocol.windows(scored, frames)
    systems = baselines.fit(training, frames)
    steps = {name: system(data.maps) for name, system in systems.items()}
    answers = {
      name: protocol.answers_of_estimate(step + data.offset)
      for name, step in steps.items()
    }
    answers[_OURS] = protocol.answers_of_distribution(
      protocol.predict(model, data.maps), frequency, centres, data
    )
    realtime[str(frames)] = {
      "windows": len(data),
      "scene_groups": len(np.unique(data.group)),
      "systems": {
        name: protocol.realtime_scores(answer, data)
        for name, answer in answers.items()
      },
    }
  estimator = estimator_lib.SpeedEstimator(
    network.of_model(model, extra["window"]), calibration
  )
  shots = read_shots(split_shards(clips, split))
  answers_of_clips = whole_clips(estimator, shots)
  return {
    **run_record.circumstances(),
    "split": split,
    "weights": path.name,
    "training": extra,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "seconds": round(time.time() - started, 1),
    "realtime": realtime,
    "by_motion": _by_motion(model, frequency, centres, scored),
    "all_speeds": all_speeds(answers_of_clips),
    "clips": answers_of_clips,
  }


def _by_motion(
  model: motion_net.MotionNet,
  frequency: np.ndarray,
  centres: np.ndarray,
  records: Sequence[MotionRecord],
) -> list[dict[str, Any]]:
  """The 1x / 2x / 4x task for little, middling and much motion."""
  data = protocol.windows(records, _MOTION_FRAMES)
  answers = protocol.answers_of_distribution(
    protocol.predict(model, data.maps),
    frequency,
    centres,
    data,
  )
  # Motion in world time: the speed of playback must not pick the third.
  amount = np.log2(
    data.maps[..., CHANNELS.index("flow_rms")].astype(float).mean((1, 2, 3))
    + 1e-3
  )
  amount -= data.log2_speed - data.offset
  edges = np.quantile(amount, [0, 1 / 3, 2 / 3, 1])
  parts = []
  for low, high in itertools.pairwise(edges):
    chosen = (amount >= low) & (amount <= high)
    miss = np.abs(answers.log2_speed - data.log2_speed)

    def mae(index: np.ndarray, miss: np.ndarray = miss[chosen]) -> float:
      return float(miss[index].mean())

    parts.append(
      {
        # Pixels a frame at a log2 step of 0 become pixels a second.
        "pixels_per_second": (
          labels.REFERENCE_FPS * 2.0**low,
          labels.REFERENCE_FPS * 2.0**high,
        ),
        "windows": int(chosen.sum()),
        "mae": report.interval(mae, data.group[chosen]).to_json(),
      }
    )
  return parts


def all_speeds(clips: Sequence[dict[str, Any]]) -> dict[str, Any]:
  """Every labelled clip at every speed that it can be played at."""
  chosen = [c for c in clips if c["speed"] and c["label"] in ANCHORS]
  truth = np.log2([c["speed"] for c in chosen])
  estimate = np.log2([c["estimate"] for c in chosen])
  low = np.log2([c["low"] for c in chosen])
  high = np.log2([c["high"] for c in chosen])
  group = np.array([c["scene_group"] for c in chosen])
  category = np.array([c["category"] for c in chosen])

  def pearson(index: np.ndarray) -> float:
    return speed.score(estimate[index], truth[index]).pearson

  def factor_error(index: np.ndarray) -> float:
    return speed.score(estimate[index], truth[index]).factor_error

  def coverage(index: np.ndarray) -> float:
    return speed.coverage(low[index], high[index], truth[index])

  measures = (pearson, factor_error, coverage)
  figures: dict[str, Any] = {"clips": len(chosen)}
  for measure in measures:
    figures[measure.__name__] = report.interval(measure, group).to_json()
  figures["by_category"] = {
    name: {
      "clips": int((category == name).sum()),
      **{m.__name__: m(np.flatnonzero(category == name)) for m in measures},
    }
    for name in np.unique(category)
  }
  figures["by_speed"] = {
    f"{2.0**octave:g}": {
      "clips": int((np.round(truth) == octave).sum()),
      **{
        m.__name__: m(np.flatnonzero(np.round(truth) == octave))
        for m in (factor_error, coverage)
      },
    }
    for octave in np.unique(np.round(truth))
  }
  return figures


def read_shots(paths: Sequence[pathlib.Path]) -> Iterator[ShotRecord]:
  """The shots of some shards, one after the other."""
  yield from map(ShotRecord.decode, RecordSource(paths))


def estimates(
  estimator: estimator_lib.SpeedEstimator,
  shots: Iterable[ShotRecord],
  strides: Sequence[int] = _ALL_STRIDES,
) -> Iterator[tuple[ShotRecord, int, Estimate]]:
  """Every shot, at every speed, as a user would have it estimated.

  Args:
    estimator: to be tried.
    shots: to be estimated.
    strides: each plays a shot so many times as fast.

  Yields:
    The shot; its stride; the answer.
  """
  for shot in shots:
    frames = [shot.image(i, reduce=2) for i in range(shot.num_frames)]
    for stride in strides:
      respeeded = shot.speed * stride
      wanted = shot.speed and _SLOWEST <= np.log2(respeeded) <= _FASTEST
      enough = len(frames) >= _SHORTEST * stride
      if stride == 1 or (wanted and enough):
        yield shot, stride, estimator.estimate(frames[::stride], shot.fps)


def whole_clips(
  estimator: estimator_lib.SpeedEstimator, shots: Iterable[ShotRecord]
) -> list[dict[str, Any]]:
  """`estimates`, as JSON."""
  return [
    {
      "clip": shot.id,
      "source": shot.source,
      "scene_group": shot.scene_group,
      "category": shot.category,
      "content": shot.content,
      "label": shot.label,
      "stride": stride,
      "speed": shot.speed * stride or None,
      "status": answer.status,
      "estimate": answer.speed,
      "low": answer.speed_low,
      "high": answer.speed_high,
      "rounds": answer.rounds,
    }
    for shot, stride, answer in estimates(estimator, shots)
  ]


def errors_by_round(clips: Sequence[dict[str, Any]]) -> list[float]:
  """Typical factor error of slow clips after each round of inference."""
  slow = [
    c
    for c in clips
    if c["rounds"] and c["stride"] == 1 and c["speed"] and c["speed"] < 0.9
  ]
  longest = max((len(c["rounds"]) for c in slow), default=0)
  figures = []
  for number in range(longest):
    misses = [
      abs(np.log2(c["rounds"][min(number, len(c["rounds"]) - 1)] / c["speed"]))
      for c in slow
    ]
    figures.append(float(2.0 ** np.mean(misses)))
  return figures


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  lines = []
  for frames, part in results["realtime"].items():
    lines += [
      f"Windows of {frames} frames: {part['windows']} windows, "
      f"{part['scene_groups']} scene groups of `{results['split']}`.",
      "",
      report.markdown(
        ["system", "log2 MAE", "3-way accuracy", "Spearman", "1x against 2x"],
        [
          [name, *(report.Figure(*figures).cell() for figures in of.values())]
          for name, of in part["systems"].items()
        ],
      ),
      "",
    ]
  lines += [
    f"By amount of motion, windows of {_MOTION_FRAMES} frames:",
    "",
    "| flow, pixels of 128 a second | windows | log2 MAE |",
    "|---|---|---|",
  ]
  for part in results["by_motion"]:
    low, high = part["pixels_per_second"]
    mae = report.Figure(*part["mae"]).cell()
    lines.append(f"| {low:.1f} to {high:.1f} | {part['windows']} | {mae} |")
  everything = results["all_speeds"]
  lines += [
    "",
    f"Whole clips of known speed at 1, 2, 4, ... 32 times their speed, from "
    f"1/16 to 8, by `speedflow estimate` of each: {everything['clips']} "
    "estimates.",
    "",
    "| | estimates | Pearson | typical factor error | "
    "coverage of the 80 % interval |",
    "|---|---|---|---|---|",
    _row("all", everything),
  ]
  lines += [_row(*item) for item in everything["by_category"].items()]
  lines += [_row(f"{k}x", part) for k, part in everything["by_speed"].items()]
  lines += ["", *_clip_tables(results["clips"])]
  return "\n".join(lines) + "\n"


def _row(name: str, figures: dict[str, Any]) -> str:
  cells = []
  for measure in ("pearson", "factor_error", "coverage"):
    figure = figures.get(measure, np.nan)
    parts = figure if isinstance(figure, tuple | list) else (figure,)
    cells.append(report.Figure(*parts).cell())
  return f"| {name} | {figures['clips']} | " + " | ".join(cells) + " |"


def _clip_tables(estimates: Sequence[dict[str, Any]]) -> list[str]:
  clips = [c for c in estimates if c["stride"] == 1]
  lines = [
    "Whole clips at their own speed, by the `speedflow estimate` of them:",
    "",
    "| category | clips | of known speed | typical factor error | "
    "in the 80 % interval | uncertain |",
    "|---|---|---|---|---|---|",
  ]
  for category in _CATEGORIES:
    members = [c for c in clips if c["category"] == category]
    known = [c for c in members if c["speed"] and c["status"] == "ok"]
    miss = [abs(np.log2(c["estimate"] / c["speed"])) for c in known]
    inside = [c["low"] <= c["speed"] <= c["high"] for c in known]
    figures = "- | -"
    if known:
      figures = f"{2.0 ** np.mean(miss):.2f} | {np.mean(inside):.2f}"
    uncertain = sum(c["status"] == "uncertain" for c in members)
    lines.append(
      f"| {category} | {len(members)} | {len(known)} | {figures} | "
      f"{uncertain} |"
    )
  by_round = ", ".join(f"{error:.2f}" for error in errors_by_round(clips))
  lines += [
    "",
    f"Typical factor error of the slow clips after each round: {by_round}.",
    "",
    "| slow clip | how the speed is known | speed | estimate | interval |",
    "|---|---|---|---|---|",
  ]
  lines += [
    f"| {c['clip']} | {c['label']} | {c['speed']:.3g} | {c['estimate']:.3g} | "
    f"{c['low']:.2g}-{c['high']:.2g} |"
    for c in clips
    if c["speed"] and c["speed"] < 0.9
  ]
  lines += [
    "",
    f"The {_WORST} worst of the clips of known speed at their own speed:",
    "",
    "| clip | what it shows | speed | estimate | interval |",
    "|---|---|---|---|---|",
  ]
  return lines + [
    f"| {c['source']}: {c['clip']} | {c['content']} | {c['speed']:.3g} | "
    f"{c['estimate']:.3g} | {c['low']:.2g}-{c['high']:.2g} |"
    for c in worst(clips, _WORST)
  ]


def worst(clips: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
  """The clips of surely known speed that are missed by the largest factors."""
  known = [c for c in clips if c["speed"] and c["label"] in ANCHORS]
  return sorted(known, key=lambda c: -abs(np.log2(c["estimate"] / c["speed"])))[
    :count
  ]


if __name__ == "__main__":
  sys.exit(report.run(main))
