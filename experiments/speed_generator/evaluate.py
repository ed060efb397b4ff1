"""Measures a generator, beside a control and a baseline, in one run.

  python -m experiments.speed_generator.evaluate --weights=tiny --out=FILE.json

Nothing here was trained on: mover scenes below seed `dataset.HELD_OUT`, and
real shots of the split that `--split` names.
"""

import argparse
import dataclasses
import hashlib
import itertools
import json
import pathlib
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from rich import progress
from scipy import stats

from experiments.speed_generator import dataset, measure, movers
from speedflow.atomic import atomic_path
from speedflow.inference import generator as inference
from speedflow.inference import generator_weights

SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)

# Side of the pictures that optical flow is computed on, pixels.
_FLOW_SIDE = 96


def flow_magnitude(clip: np.ndarray) -> float:
  """Mean size of the optical flow from frame to frame.

  Args:
    clip: uint8 [t, s, s, 3].

  Returns:
    In sides of the picture per frame.
  """
  algorithm = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  side = (_FLOW_SIDE, _FLOW_SIDE)
  grey = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), side) for f in clip]
  # The first frame is given and sharper than the rest; it has no say.
  flows = [
    algorithm.calc(before, after, np.empty(0, np.float32))
    for before, after in itertools.pairwise(grey[1:])
  ]
  return float(np.linalg.norm(flows, axis=-1).mean()) / _FLOW_SIDE


def psnr(one: np.ndarray, other: np.ndarray) -> float:
  """Peak signal-to-noise ratio of uint8 pictures, dB."""
  error = np.square(one.astype(np.float64) - other).mean()
  return float(10 * np.log10(255**2 / max(error, 1e-9)))


def filmed_movers(scenes: int, frames: int, size: int) -> dict[str, Any]:
  """The control: how well the instrument reads true clips."""
  requested, measured = [], []
  for number in range(scenes):
    scene = dataset.World("mover", number).scene(size, 3.0)
    for speed in SPEEDS:
      clip = dataset.film(scene, np.full(frames, np.log2(speed)), 0.5, 0.0)
      requested.append(np.log2(speed))
      measured.append(movers.measured_log2_speed(scene, clip, measure.FPS))
  return _scores(measure.compare(np.array(requested), np.array(measured)))


def against_truth(
  generator: inference.SpeedGenerator, scenes: int, steps: int
) -> dict[str, Any]:
  """Compares generated movers with what a camera would have seen.

  Returns:
    By speed: PSNR in dB of the generated frames, and of the first frame held
    still, against the filmed ones.
  """
  size, frames = generator.facts.size, generator.facts.frames
  worlds = [dataset.World("mover", n).scene(size, 3.0) for n in range(scenes)]
  images = np.stack([scene.frame(0.0) for scene in worlds])
  result = {}
  for speed in SPEEDS:
    log2_step = np.full(frames, np.log2(speed))
    clips = generator.generate_batch(
      images,
      np.tile(log2_step, (scenes, 1)),
      seeds=range(scenes),
      steps=steps,
    )
    truth = np.stack(
      [dataset.film(scene, log2_step, 0.5, 0.0) for scene in worlds]
    )
    still = np.broadcast_to(truth[:, :1], truth.shape)
    rows = zip(clips[:, 1:], still[:, 1:], truth[:, 1:], strict=True)
    made, held = np.array([(psnr(a, t), psnr(b, t)) for a, b, t in rows]).T
    result[f"{speed:g}"] = {
      "generated_db": round(made.mean(), 2),
      "first_frame_held_db": round(held.mean(), 2),
    }
  return result


def ramps(
  generator: inference.SpeedGenerator, scenes: int, steps: int
) -> dict[str, float]:
  """Clips that slow down from 2x to 0.25x and come back.

  Returns:
    Pearson correlation of the requested and the measured step from frame to
    frame, of the mean over scenes and for the median scene.
  """
  size, frames = generator.facts.size, generator.facts.frames
  points = [1.0, -2.0, 1.0]
  log2_step = np.interp(
    np.arange(frames), np.linspace(0, frames - 1, 3), points
  )
  worlds = [dataset.World("mover", n).scene(size, 3.0) for n in range(scenes)]
  clips = generator.generate_batch(
    np.stack([scene.frame(0.0) for scene in worlds]),
    np.tile(log2_step, (scenes, 1)),
    seeds=range(scenes),
    steps=steps,
  )
  ways = np.array(
    [
      np.diff(movers.world_times(scene, clip))
      for scene, clip in zip(worlds, clips, strict=True)
    ]
  )
  wanted = np.exp2(log2_step[:-1])
  each = [np.corrcoef(wanted, way)[0, 1] for way in ways if np.ptp(way)]
  return {
    "correlation_of_mean": float(np.corrcoef(wanted, ways.mean(0))[0, 1]),
    "median_correlation": float(np.median(each)),
    "clips": len(ways),
  }


def real_motion(
  generator: inference.SpeedGenerator,
  shots: Sequence[dataset.Filmable],
  steps: int,
  guidance: float,
) -> dict[str, Any]:
  """Requested speed against optical flow, from real first frames.

  Args:
    generator: what to measure.
    shots: real ones.
    steps: of the sampler.
    guidance: of the speed.

  Returns:
    Spearman over all clips, the median over first frames, octaves of flow
    per octave requested, the mean flow at each speed, and PSNR in dB of the
    second frame at 1/8x (which can hardly differ) against the first.
  """
  size, frames = generator.facts.size, generator.facts.frames
  spec = dataset.ClipSpec(frames, size, low=-5.0, ramps=0.0)
  images = dataset.held_out(shots, spec, seed=1)["frames"][:, 0]
  count = len(images)
  clips = generator.generate_batch(
    images.repeat(len(SPEEDS), 0),
    np.tile(np.log2(SPEEDS)[:, None], (count, frames)),
    seeds=np.arange(count).repeat(len(SPEEDS)).tolist(),
    guidance=guidance,
    steps=steps,
  )
  flow = np.array([flow_magnitude(c) for c in clips]).reshape(count, -1)
  log2_flow = np.log2(flow + 1e-6)
  requested = np.tile(np.log2(SPEEDS), (count, 1))
  each = [stats.spearmanr(SPEEDS, row)[0] for row in flow]
  slowest = clips.reshape(count, len(SPEEDS), *clips.shape[1:])[:, 0]
  return {
    "first_frames": count,
    "spearman": float(stats.spearmanr(requested.ravel(), flow.ravel())[0]),
    "median_spearman_within_frame": float(np.median(each)),
    "slope": float(np.polyfit(requested.ravel(), log2_flow.ravel(), 1)[0]),
    "flow_by_speed": {
      f"{s:g}": round(f, 5) for s, f in zip(SPEEDS, flow.mean(0), strict=True)
    },
    "second_frame_psnr_db": float(np.mean([psnr(c[0], c[1]) for c in slowest])),
  }


def nearest_training_clip(
  generator: inference.SpeedGenerator,
  train: dataset.ShotSource,
  held: Sequence[dataset.Filmable],
  count: int,
  steps: int,
) -> dict[str, float]:
  """How near generated clips are to training clips, and real ones are.

  Distances are root mean squares of grey levels between whole clips. If
  generated clips were copies, they would be much nearer than other real ones.
  """
  facts = generator.facts
  spec = dataset.ClipSpec(facts.frames, facts.size, ramps=0.0)
  known = dataset.held_out(dataset.spread(train, count), spec, seed=2)["frames"]
  real = dataset.held_out(held, spec, seed=1)
  made = generator.generate_batch(
    real["frames"][:, 0],
    real["log2_step"],
    seeds=range(len(held)),
    steps=steps,
  )

  def nearest(clips: np.ndarray) -> float:
    # Whole clips, without the first frame, which is given.
    difference = [
      np.sqrt(
        np.square(known[:, 1:].astype(np.float32) - clip[1:]).mean((1, 2, 3, 4))
      ).min()
      for clip in clips
    ]
    return float(np.median(difference))

  return {
    "training_clips": len(known),
    "generated_to_training": nearest(made),
    "held_out_real_to_training": nearest(real["frames"]),
    "held_out_real_to_generated": float(
      np.median(
        np.sqrt(
          np.square(made.astype(np.float32) - real["frames"]).mean((1, 2, 3, 4))
        )
      )
    ),
  }


def diversity(
  generator: inference.SpeedGenerator, steps: int
) -> dict[str, float]:
  """Standard deviation over seeds, in grey levels, where physics is open."""
  facts, seeds = generator.facts, 4
  images = [
    dataset.World("physics", n).scene(facts.size, 3.0).frame(0.5)
    for n in range(8)
  ]
  clips = generator.generate_batch(
    np.stack(images).repeat(seeds, 0),
    np.zeros((len(images) * seeds, facts.frames)),
    seeds=list(range(seeds)) * len(images),
    steps=steps,
  ).reshape(len(images), seeds, facts.frames, -1)
  return {"grey_levels": float(clips[:, :, 1:].std(1).mean()), "seeds": seeds}


def sheet(
  generator: inference.SpeedGenerator, images: np.ndarray, steps: int
) -> np.ndarray:
  """A film strip for each first frame and speed, one below the other.

  Args:
    generator: what to show.
    images: uint8 [n, s, s, 3], first frames.
    steps: of the sampler.

  Returns:
    uint8 [n * 4 * s, t * s, 3]: at 1/8x, 1/2x, 1x and 4x.
  """
  speeds = (0.125, 0.5, 1.0, 4.0)
  clips = generator.generate_batch(
    images.repeat(len(speeds), 0),
    np.tile(np.log2(speeds)[:, None], (len(images), generator.facts.frames)),
    seeds=np.arange(len(images)).repeat(len(speeds)).tolist(),
    steps=steps,
  )
  return np.concatenate([np.concatenate(list(c), 1) for c in clips])


def cost(
  generator: inference.SpeedGenerator, steps: int, repeats: int = 3
) -> dict[str, float]:
  """Seconds for one clip, alone and among sixteen."""
  facts = generator.facts
  result = {}
  for rows in (1, 16):
    images = np.zeros((rows, facts.size, facts.size, 3), np.uint8)
    log2_step = np.zeros((rows, facts.frames))
    seconds = []
    # The first time compiles.
    for _ in range(repeats + 1):
      started = time.perf_counter()
      generator.generate_batch(
        images, log2_step, seeds=range(rows), steps=steps
      )
      seconds.append(time.perf_counter() - started)
    result[f"seconds_per_clip_batch_{rows}"] = float(
      np.median(seconds[1:]) / rows
    )
  return result


def evaluate(
  weights: str,
  records: pathlib.Path,
  split: str,
  *,
  scenes: int,
  shots: int,
  steps: int,
) -> dict[str, Any]:
  """Runs everything; see the functions above."""
  generator = generator_weights.load_generator(weights)
  facts = generator.facts
  train = dataset.ShotSource(dataset.shards(records, "train"), facts.frames)
  held = dataset.ShotSource(dataset.shards(records, split), facts.frames)
  real = dataset.spread(held, shots)

  def obey(**options: Any) -> dict[str, Any]:
    return _scores(
      measure.movers_obey(
        generator, scenes=scenes, speeds=SPEEDS, steps=steps, **options
      )
    )

  parts = {
    "movers_filmed": lambda: filmed_movers(scenes, facts.frames, facts.size),
    "movers_told": obey,
    "movers_guided_2": lambda: obey(guidance=2.0),
    "movers_untold": lambda: obey(told=False),
    "movers_psnr": lambda: against_truth(generator, scenes, steps),
    "ramps": lambda: ramps(generator, scenes, steps),
    "real_told": lambda: real_motion(generator, real, steps, 1.0),
    "real_untold": lambda: real_motion(generator, real, steps, 0.0),
    "nearest": lambda: nearest_training_clip(
      generator, train, real, 4 * shots, steps
    ),
    "diversity": lambda: diversity(generator, steps),
    "cost": lambda: cost(generator, steps),
  }
  result: dict[str, Any] = {
    "weights": weights,
    "facts": dataclasses.asdict(facts),
    "speeds": SPEEDS,
    "steps": steps,
    "scenes": scenes,
    "split": split,
    "records_sha256": hashlib.sha256(
      (train.fingerprint() + held.fingerprint()).encode()
    ).hexdigest(),
    "machine": f"{platform.machine()}, CPU",
  }
  for name, part in progress.track(parts.items(), "measuring"):
    result[name] = part()
  return result


def _scores(obedience: measure.Obedience) -> dict[str, Any]:
  """What goes into the file, by speed as well."""
  scores = {
    name: round(getattr(obedience, name), 4)
    for name in (
      "spearman",
      "factor_error",
      "mean_factor_error",
      "visible",
      "slope",
    )
  }
  by_speed: dict[str, float | None] = {}
  for log2 in np.unique(obedience.log2_requested):
    measured = obedience.log2_measured[obedience.log2_requested == log2]
    seen = measured[np.isfinite(measured)]
    median = round(float(np.median(seen)), 3) if len(seen) else None
    by_speed[f"{2**log2:g}"] = median
  return scores | {"median_log2_measured": by_speed}


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes the JSON file."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--weights", default="tiny")
  parser.add_argument(
    "--records", type=pathlib.Path, default="records/clips_48"
  )
  parser.add_argument("--split", default="val")
  parser.add_argument("--scenes", type=int, default=24)
  parser.add_argument("--shots", type=int, default=24)
  parser.add_argument("--steps", type=int, default=30)
  parser.add_argument("--out", type=pathlib.Path, default="results.json")
  parser.add_argument(
    "--sheet",
    metavar="PNG",
    help="only draw film strips of three calculated scenes",
  )
  args = parser.parse_args(argv)
  if args.sheet:
    generator = generator_weights.load_generator(args.weights)
    scenes = [
      dataset.World("mover", n).scene(generator.facts.size, 3.0)
      for n in range(3)
    ]
    images = np.stack([scene.frame(0.0) for scene in scenes])
    picture = sheet(generator, images, args.steps)
    cv2.imwrite(args.sheet, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return 0
  result = evaluate(
    args.weights,
    args.records,
    args.split,
    scenes=args.scenes,
    shots=args.shots,
    steps=args.steps,
  )
  with atomic_path(args.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")
  return 0


if __name__ == "__main__":
  sys.exit(main())
