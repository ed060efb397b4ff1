r"""Shortcuts that fool a speed model, tried on the shipped one.

  python -m experiments.speed_estimator.shortcuts \
    --out experiments/speed_estimator/results/shortcuts.json

A network that reads speed from compression, size or repeated frames scores
well at home and fails elsewhere (SpeedNet, Benaim et al., CVPR 2020, section
5). So every real-time clip of the split is changed in a way that leaves its
speed alone, and the same windows are scored again: no score should move by
more than three points. Then videos that show no speed at all, which must be
called uncertain.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from experiments.speed_estimator import protocol
from speedflow.data import motion
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord, encode_jpeg
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import network, weights
from speedflow.evaluation import report
from speedflow.models import motion_net
from speedflow.timewarp.augment import Appearance, Codec, augment
from speedflow.training import run_record

FRAMES = 32
"""Length of the windows."""

# Of JPEGs: that of the encoder shall not show.
_QUALITY = 95
_STILL_SECONDS = 4
_FPS = 30


def dress(shot: ShotRecord, appearance: Appearance) -> ShotRecord:
  """The shot with another appearance."""
  clip = np.stack([shot.image(i) for i in range(shot.num_frames)])
  return dataclasses.replace(
    shot, frames=[encode_jpeg(x, _QUALITY) for x in augment(clip, appearance)]
  )


def repeat_frames(shot: ShotRecord) -> ShotRecord:
  """Every frame twice, at twice the frame rate: the same playback."""
  ticks = np.repeat(shot.ticks * 2, 2)
  ticks[1::2] += np.diff(shot.ticks, append=2 * shot.ticks[-1] - shot.ticks[-2])
  return dataclasses.replace(
    shot,
    frames=[frame for frame in shot.frames for _ in range(2)],
    ticks=ticks,
    time_base=shot.time_base / 2,
    fps=shot.fps * 2,
  )


def reverse(shot: ShotRecord) -> ShotRecord:
  """The shot, backwards."""
  return dataclasses.replace(
    shot,
    frames=list(shot.frames)[::-1],
    ticks=shot.ticks[-1] - shot.ticks[::-1],
  )


CHANGES: dict[str, Callable[[ShotRecord], ShotRecord]] = {
  "as it is": lambda shot: shot,
  "H.264 at crf 35, one keyframe": functools.partial(
    dress, appearance=Appearance(codec=Codec(crf=35, gop=600))
  ),
  "H.264 at crf 16, keyframes every 8": functools.partial(
    dress, appearance=Appearance(codec=Codec(crf=16, gop=8, phase=3))
  ),
  "to half the size and back": functools.partial(
    dress, appearance=Appearance(resize=0.5)
  ),
  "middle 85 % of the picture": functools.partial(
    dress, appearance=Appearance(crop=(0.075, 0.075, 0.85, 0.85))
  ),
  "darker, with noise": functools.partial(
    dress,
    appearance=Appearance(gains=(0.6, 0.6, 0.6), read_noise=4.0),
  ),
  "every frame twice": repeat_frames,
  "backwards": reverse,
}
"""What is done to the clips; none of it changes how fast they play."""


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the battery; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument(
    "--no-changes",
    action="store_true",
    help="only the videos that show no speed",
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  paths = split_shards(args.clips, args.split)
  model, extra = weights.SPEED.load(args.weights)
  calibration = estimator_lib.Calibration(**extra.get("calibration", {}))
  shots = [ShotRecord.decode(encoded) for encoded in RecordSource(paths)]
  results = {
    **run_record.circumstances(),
    "split": args.split,
    "weights": args.weights,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "frames": FRAMES,
    "changes": {} if args.no_changes else battery(model, calibration, shots),
    "no_speed": no_speed(
      estimator_lib.SpeedEstimator(
        network.of_model(model, extra["window"]), calibration
      ),
      shots,
    ),
  }
  run_record.write_results(args.out, results, tables(results))
  return 0


def battery(
  model: motion_net.MotionNet,
  calibration: estimator_lib.Calibration,
  shots: Iterable[ShotRecord],
) -> dict[str, dict[str, float]]:
  """Scores of the 1x / 2x / 4x task after each change.

  Args:
    model: in evaluation mode.
    calibration: of it.
    shots: of the split; real-time ones of known speed are taken.

  Returns:
    For each of `CHANGES` the figures of `protocol.realtime_scores`, and
    "moved", octaves: the mean distance of the estimates from those of the
    same windows unchanged.
  """
  records: dict[str, list[motion.MotionRecord]] = {name: [] for name in CHANGES}
  for shot in shots:
    if shot.category != "realtime" or shot.num_frames < FRAMES:
      continue
    described = {
      name: motion.describe(change(shot), appearance=0, seed=0)
      for name, change in CHANGES.items()
    }
    # The same windows for all: a clip that has lost too many frames is left
    # out of every row.
    if all(described.values()):
      for name, record in described.items():
        assert record is not None
        records[name].append(record)
  centres = calibration.scale.true_step(np.asarray(model.config.centres))
  frequency = calibration.frequency(len(centres))
  figures: dict[str, dict[str, float]] = {}
  reference: dict[str, float] = {}
  for name, changed in records.items():
    data = protocol.windows(changed, FRAMES)
    answers = protocol.answers_of_distribution(
      protocol.predict(model, data.maps), frequency, centres, data
    )
    scores = protocol.realtime_scores(answers, data, intervals=False)
    of_shot = {
      shot: float(answers.log2_speed[data.shot == shot].mean())
      for shot in np.unique(data.shot)
    }
    reference = reference or of_shot
    moved = [abs(of_shot[s] - reference[s]) for s in of_shot if s in reference]
    figures[name] = {
      **{measure: figure[0] for measure, figure in scores.items()},
      "moved": float(np.mean(moved)),
      "windows": len(data),
    }
  return figures


def no_speed(
  estimator: estimator_lib.SpeedEstimator, shots: Sequence[ShotRecord]
) -> dict[str, dict[str, int]]:
  """How many videos without any speed are called uncertain.

  Args:
    estimator: to be tried.
    shots: whose first frames make stills.

  Returns:
    By kind of video, "videos" and "uncertain".
  """
  frames = _STILL_SECONDS * _FPS
  rng = np.random.default_rng(0)
  stills = [np.stack([shot.image(0, reduce=2)] * frames) for shot in shots]
  grain = [
    np.clip(still[:1] + rng.normal(0, 3, still.shape), 0, 255).astype(np.uint8)
    for still in stills[:10]
  ]
  kinds = {
    "black": [np.zeros((frames, 96, 128, 3), np.uint8)],
    "a still photograph": stills,
    "a still photograph with film grain": grain,
    "white noise": [
      rng.integers(0, 256, (frames, 96, 128, 3), np.uint8) for _ in range(5)
    ],
    "flicker": [
      np.repeat(rng.integers(60, 200, (frames, 1, 1, 1), np.uint8), 96, 1)
      .repeat(128, 2)
      .repeat(3, 3)
      for _ in range(5)
    ],
    "drifting plaid": [drifting_plaid(frames, angle) for angle in range(5)],
    "a drawn animation of flat shapes": [
      drawn_animation(frames, seed) for seed in range(5)
    ],
    "cells under a microscope, calculated": [
      microscope_cells(frames, seed) for seed in range(5)
    ],
  }
  return {
    kind: {
      "videos": len(videos),
      "uncertain": sum(
        estimator.estimate(video, _FPS).status == "uncertain"
        for video in videos
      ),
    }
    for kind, videos in kinds.items()
  }


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown."""
  names = {
    "mae": "log2 MAE",
    "accuracy_3way": "3-way accuracy",
    "spearman": "Spearman",
    "accuracy_1x_2x": "1x against 2x",
    "moved": "estimates moved by, octaves",
  }
  first = results["changes"].get("as it is", {})
  lines = [
    "| change | " + " | ".join(names.values()) + " |",
    "|---" * (len(names) + 1) + "|",
  ]
  for change, figures in results["changes"].items():
    cells = [
      f"{figures[name]:.3f}"
      + (f" ({figures[name] - first[name]:+.3f})" if name != "moved" else "")
      for name in names
    ]
    lines.append(f"| {change} | " + " | ".join(cells) + " |")
  lines += ["", "| video without speed | videos | uncertain |", "|---|---|---|"]
  lines += [
    f"| {kind} | {counts['videos']} | {counts['uncertain']} |"
    for kind, counts in results["no_speed"].items()
  ]
  return "\n".join(lines) + "\n"


def drifting_plaid(frames: int, angle: int) -> np.ndarray:
  """An abstract pattern that moves evenly, uint8 [frames, 96, 128, 3]."""
  y, x = np.mgrid[:96, :128] / 12.0
  along = x * np.cos(angle) + y * np.sin(angle)
  across = y * np.cos(angle) - x * np.sin(angle)
  phase = np.arange(frames)[:, None, None] * 0.15
  pattern = np.sin(along - phase) + np.sin(across - phase)
  grey = (127 + 60 * pattern).astype(np.uint8)
  return np.repeat(grey[..., None], 3, axis=3)


def drawn_animation(frames: int, seed: int) -> np.ndarray:
  """Flat shapes with outlines that bounce, uint8 [frames, 96, 128, 3]."""
  rng = np.random.default_rng(seed)
  sky, ground, ball, box = rng.integers(0, 256, (4, 3)).tolist()
  rates = rng.uniform(1, 5, 3)
  made = []
  for number in range(frames):
    bounce, swing, shake = np.sin(rates * number / _FPS)
    image = np.full((192, 256, 3), sky, np.uint8)
    cv2.rectangle(image, (0, 144), (256, 192), ground, -1)
    centre = (round(125 + 95 * swing), 120 - round(80 * abs(bounce)))
    cv2.circle(image, centre, 24, ball, -1, cv2.LINE_AA)
    cv2.circle(image, centre, 24, (0, 0, 0), 2, cv2.LINE_AA)
    cv2.rectangle(image, (160, 80 + round(20 * shake)), (200, 144), box, -1)
    made.append(cv2.resize(image, (128, 96), interpolation=cv2.INTER_AREA))
  return np.stack(made)


def microscope_cells(frames: int, seed: int) -> np.ndarray:
  """Discs that jitter and drift, blurred and noisy, like `drawn_animation`."""
  rng = np.random.default_rng(seed)
  places = rng.uniform(0, 1, (40, 2)) * (256, 192)
  radii = rng.uniform(4, 12, 40)
  drift = rng.normal(0, 0.3, 2)
  velocity = np.zeros_like(places)
  made = []
  for _ in range(frames):
    velocity = 0.8 * velocity + rng.normal(0, 0.5, places.shape)
    places = (places + velocity + drift) % (256, 192)
    image = np.full((192, 256), 170, np.uint8)
    for place, radius in zip(places.astype(int).tolist(), radii, strict=True):
      cv2.circle(image, place, int(radius), 120, -1, cv2.LINE_AA)
      cv2.circle(image, place, int(radius), 70, 2, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
    noisy = np.clip(blurred + rng.normal(0, 3, image.shape), 0, 255)
    small = motion.to_flow_size(noisy.astype(np.uint8))
    made.append(np.repeat(small[..., None], 3, axis=2))
  return np.stack(made)


if __name__ == "__main__":
  sys.exit(report.run(main))
