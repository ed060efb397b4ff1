"""Is the speed that was asked for the speed that one sees? All in one run.

  python -m experiments.speed_generator.evaluate --weights=tiny --split=test \
    --baseline buckets=A.safetensors --baseline none=B.safetensors \
    --out=experiments/speed_generator/results/test.json

Nothing here was trained on: mover scenes below seed `dataset.HELD_OUT`, and
real shots of the split that `--split` names. Prints the table of README.md.
"""

import argparse
import dataclasses
import functools
import pathlib
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich import progress
from scipy import stats

from experiments.speed_generator import dataset, measure, movers, pictures
from speedflow.estimate import estimator
from speedflow.evaluation import report
from speedflow.generate import generator as inference
from speedflow.generate import weights
from speedflow.training import run_record

SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Each is the middle of a bucket, where speed is told in buckets."""

BETWEEN = tuple(speed * 2**0.5 for speed in SPEEDS[:-1])
"""As far from the middle of a bucket as can be."""

# Parts that are listed figure by figure.
_FIGURES = ("movers_foreseen", "quality", "variety", "tearing", "cost")


def filmed_movers(scenes: int) -> measure.Obedience:
  """The control: how well the instrument reads true clips."""
  requested, measured = [], []
  for number in range(scenes):
    scene = dataset.World("mover", number).scene()
    for speed in np.log2(SPEEDS):
      clip = movers.film(scene, np.full(measure.FRAMES, speed), 0.5)
      requested.append(speed)
      measured.append(movers.measured_log2_speed(scene, clip, measure.FPS))
  return measure.compare(np.array(requested), np.array(measured))


def mover_ramps(
  generator: inference.SpeedGenerator, scenes: int, steps: int
) -> dict[str, float]:
  """Mover clips that slow down from 2x to 0.25x and come back.

  Returns:
    Pearson correlation of the requested and the measured way from frame to
    frame, of the mean over scenes and for the median scene.
  """
  log2_step = _ramp(measure.FRAMES)
  worlds = [dataset.World("mover", n).scene() for n in range(scenes)]
  clips = generator.generate_batch(
    np.stack([scene.frame(0.0) for scene in worlds]),
    np.tile(log2_step, (scenes, 1)),
    seeds=range(scenes),
    steps=steps,
  )
  trajectories = np.stack(
    [
      np.diff(movers.world_times(scene, clip))
      for scene, clip in zip(worlds, clips, strict=True)
    ]
  )
  return _correlations(np.exp2(log2_step[:-1]), trajectories)


def real_ramps(
  generator: inference.SpeedGenerator, images: np.ndarray, steps: int
) -> dict[str, float]:
  """The same ramp on real pictures, measured by optical flow."""
  log2_step = _ramp(pictures.FRAMES)
  clips = generator.generate_batch(
    images,
    np.tile(log2_step, (len(images), 1)),
    seeds=range(len(images)),
    steps=steps,
  )
  flow = np.stack([pictures.flow_magnitudes(clip) for clip in clips])
  # The first frame is given, and sharper than the rest.
  return _correlations(np.exp2(log2_step[1:-1]), flow[:, 1:])


def _ramp(frames: int) -> np.ndarray:
  at = np.linspace(0, 2, frames)
  return np.interp(at, [0, 1, 2], [1.0, -2.0, 1.0])


def _correlations(wanted: np.ndarray, found: np.ndarray) -> dict[str, float]:
  each = [np.corrcoef(wanted, row)[0, 1] for row in found if np.ptp(row)]
  return {
    "correlation_of_mean": float(np.corrcoef(wanted, found.mean(0))[0, 1]),
    "median_correlation": float(np.median(each)),
    "clips": len(found),
  }


def at_all_speeds(
  generator: inference.SpeedGenerator,
  images: np.ndarray,
  steps: int,
  **options: Any,
) -> np.ndarray:
  """Clips of real pictures, uint8 [n, speeds, t, s, s, 3]."""
  count = len(images)
  clips = generator.generate_batch(
    images.repeat(len(SPEEDS), 0),
    np.tile(np.log2(SPEEDS)[:, None], (count, pictures.FRAMES)),
    seeds=np.arange(count).repeat(len(SPEEDS)).tolist(),
    steps=steps,
    **options,
  )
  return clips.reshape(count, len(SPEEDS), *clips.shape[1:])


def flow_obedience(clips: np.ndarray) -> dict[str, Any]:
  """Requested speed against mean optical flow, of `at_all_speeds`.

  How fast a real picture should move is not known, only that its motion should
  grow with the speed: flow counts relative to that of the same picture at 1x.
  """
  flow = np.array(
    [
      [pictures.flow_magnitudes(clip)[1:].mean() for clip in row]
      for row in clips
    ]
  )
  log2_flow = np.log2(flow + 1e-6)
  requested = np.tile(np.log2(SPEEDS), (len(flow), 1))
  relative = log2_flow - log2_flow[:, [SPEEDS.index(1.0)]]
  other = requested != 0
  error = np.abs(relative - requested)[other]
  return {
    "spearman": float(stats.spearmanr(requested.ravel(), flow.ravel())[0]),
    "median_spearman_within_picture": float(
      np.median(
        [stats.spearmanr(SPEEDS, r)[0] if np.ptp(r) else 0.0 for r in flow]
      )
    ),
    "factor_error": float(2 ** np.median(error)),
    "slope": float(np.polyfit(requested.ravel(), relative.ravel(), 1)[0]),
    "flow_by_speed": {
      f"{s:g}": round(float(f), 5)
      for s, f in zip(SPEEDS, flow.mean(0), strict=True)
    },
    "pictures": len(flow),
  }


def estimator_obedience(clips: np.ndarray) -> dict[str, Any]:
  """Requested speed against what the frozen estimator says."""
  judge = estimator.load_estimator()
  requested, measured = [], []
  for row in clips:
    for speed, clip in zip(SPEEDS, row, strict=True):
      answer = judge.estimate(clip, fps=measure.FPS)
      requested.append(np.log2(speed))
      measured.append(np.log2(answer.speed) if answer.speed else np.nan)
  return scores(measure.compare(np.array(requested), np.array(measured)))


def quality(
  generator: inference.SpeedGenerator, real: np.ndarray, steps: int
) -> dict[str, float]:
  """Clips at 1x beside the real ones that begin alike.

  Returns:
    Fréchet distances on `pictures.motion_features` to the real clips: of
    generated ones, of first frames held still, and of one half of the real
    ones to the other; PSNR in dB of the second frame at 1/8x, which can
    hardly differ, against the first.
  """
  count = len(real)
  made, slow = (
    generator.generate_batch(
      real[:, 0],
      np.full((count, pictures.FRAMES), log2_step),
      seeds=range(count),
      steps=steps,
    )
    for log2_step in (0.0, -3.0)
  )
  rng = np.random.default_rng(0)
  noisy = real[:, :1] + rng.integers(-1, 2, real.shape)
  held = np.clip(noisy, 0, 255).astype(np.uint8)
  features = pictures.motion_features
  known = features(real)
  return {
    "clips": count,
    "frechet_generated": pictures.frechet_distance(features(made), known),
    "frechet_held_still": pictures.frechet_distance(features(held), known),
    "frechet_real_halves": pictures.frechet_distance(known[::2], known[1::2]),
    "second_frame_psnr_db": float(
      np.mean([pictures.psnr(c[0], c[1]) for c in slow])
    ),
  }


def variety(
  generator: inference.SpeedGenerator,
  train: Sequence[dataset.Filmable],
  held: Sequence[dataset.Filmable],
  steps: int,
) -> dict[str, float]:
  """Whether motion differs over seeds, and is no copy of training motion.

  Distances are root mean squares, sides of the picture per second, of the
  motion at real time. Copies would be much nearer to training motion than
  other real motion is.

  Returns:
    Among others, energy scores (Gneiting and Raftery, "Strictly proper scoring
    rules", 2007, equation 21): how far what is said of a picture is from what
    happened in it, the less the better, and least in the mean if motions are as
    likely as they are said to be. Of the generated motion; of saying that
    nothing moves; and of saying what training clips do.
  """
  spec = dataset.ClipSpec(generator.facts.knots, 0.0, 0.0, ramps=0.0)
  known = dataset.held_out(train, spec, seed=2)
  real = dataset.held_out(held, spec, seed=1)
  seconds = dataset.world_times(real["log2_step"][0])[-1]

  def velocities(trajectories: np.ndarray) -> np.ndarray:
    return trajectories[:, -1].reshape(len(trajectories), -1) / seconds

  def nearest(trajectories: np.ndarray) -> float:
    gaps = velocities(trajectories)[:, None] - velocities(known["trajectories"])
    return float(np.median(np.sqrt(np.square(gaps).mean(-1)).min(1)))

  made = np.stack(
    [
      generator.trajectories(
        real["image"], real["log2_step"], [seed] * len(held), steps=steps
      )[:, 1:]
      for seed in range(4)
    ]
  )
  said, true = (
    np.stack([velocities(w) for w in made]),
    velocities(real["trajectories"]),
  )
  usual = np.repeat(velocities(known["trajectories"])[:, None], len(held), 1)
  return {
    "clips": len(held),
    "training_clips": len(train),
    "generated_to_training": nearest(made[0]),
    "real_to_training": nearest(real["trajectories"]),
    "generated_rms": _rms(said[0]),
    "real_rms": _rms(true),
    "generated_median": _median(said[0]),
    "real_median": _median(true),
    "deviation_over_seeds": _rms(said.std(0)),
    "energy_score": measure.energy_score(said, true),
    "energy_score_still": measure.energy_score(np.zeros_like(said), true),
    "energy_score_usual": measure.energy_score(usual, true),
  }


def tearing(
  generator: inference.SpeedGenerator,
  held: Sequence[dataset.Filmable],
  steps: int,
) -> dict[str, float]:
  """What share of neighbouring points part, see `measure.torn`.

  Returns:
    At 1x and 4x, as generated, without `generator_bodies`, and of the real
    motion of the same pictures (at 1x, for they last no longer).
  """
  spec = dataset.ClipSpec(generator.facts.knots, 0.0, 0.0, ramps=0.0)
  real = dataset.held_out(held, spec, seed=3)

  def made(speed: float, together: bool) -> float:
    return measure.torn(
      generator.trajectories(
        real["image"],
        np.full_like(real["log2_step"], np.log2(speed)),
        range(len(held)),
        steps=steps,
        together=together,
      )[:, 1:]
    )

  return {
    "real_1x": measure.torn(real["trajectories"]),
    **{
      f"{name}_{speed:g}x": made(speed, together)
      for speed in (1.0, 4.0)
      for name, together in (("generated", True), ("apart", False))
    },
  }


def _rms(values: np.ndarray) -> float:
  return float(np.sqrt(np.square(values).mean()))


def _median(values: np.ndarray) -> float:
  """Of the root mean squares of the rows; a few rows are fierce."""
  return float(np.median(np.sqrt(np.square(values).mean(-1))))


def cost(generator: inference.SpeedGenerator, steps: int) -> dict[str, Any]:
  """Seconds for a clip of 17 frames of 256 pixels; memory of this process."""
  image = np.zeros((256, 256, 3), np.uint8)
  image[64:128, 64:128] = 255
  seconds = []
  for seed in range(4):  # The first time compiles.
    started = time.perf_counter()
    generator.generate(image, seed=seed, steps=steps)
    seconds.append(time.perf_counter() - started)
  kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return {
    "seconds_per_clip": float(np.median(seconds[1:])),
    "peak_memory_mib": round(kib / 1024),
  }


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
  """Runs everything; see the functions above."""
  generator = weights.load_generator(args.weights)
  scenes, steps = args.scenes, args.steps
  real = pictures.real_clips(args.records / "clips", args.split, args.pictures)
  images = real[:, 0]
  tracked, held = (
    dataset.FollowedSource(dataset.shards(args.records / "tracks", split))
    for split in ("train", args.split)
  )

  @functools.cache
  def clips() -> np.ndarray:
    return at_all_speeds(generator, images, steps)

  def obey(
    judged: inference.SpeedGenerator,
    speeds: Sequence[float] = SPEEDS,
    **options: Any,
  ) -> dict[str, Any]:
    return scores(
      measure.movers_obey(
        judged, scenes=scenes, speeds=speeds, steps=steps, **options
      )
    )

  def foresees(judged: inference.SpeedGenerator) -> dict[str, float]:
    return {"share": measure.foreseen(judged, 8 * scenes)}

  parts: dict[str, Callable[[], dict[str, Any]]] = {
    "movers_filmed": lambda: scores(filmed_movers(scenes)),
    "movers": lambda: obey(generator),
    "movers_untold": lambda: obey(generator, guidance=0.0),
    "movers_unblurred": lambda: obey(generator, exposure=0.0),
    "movers_apart": lambda: obey(generator, together=False),
    "movers_between": lambda: obey(generator, BETWEEN),
    "movers_foreseen": lambda: foresees(generator),
    "movers_ramps": lambda: mover_ramps(generator, scenes, steps),
    "flow": lambda: flow_obedience(clips()),
    "flow_untold": lambda: flow_obedience(
      at_all_speeds(generator, images, steps, guidance=0.0)
    ),
    "flow_unblurred": lambda: flow_obedience(
      at_all_speeds(generator, images, steps, exposure=0.0)
    ),
    "flow_apart": lambda: flow_obedience(
      at_all_speeds(generator, images, steps, together=False)
    ),
    "flow_ramps": lambda: real_ramps(generator, images, steps),
    "estimator": lambda: estimator_obedience(clips()),
    "quality": lambda: quality(generator, real, steps),
    "variety": lambda: variety(
      generator,
      dataset.spread(tracked, 16 * args.pictures),
      dataset.spread(held, 2 * args.pictures),
      steps,
    ),
    "tearing": lambda: tearing(
      generator, dataset.spread(held, 2 * args.pictures), steps
    ),
    "cost": lambda: cost(generator, steps),
  }
  for name, path in args.baseline:
    other = weights.load_generator(path)
    parts[f"{name}: movers"] = functools.partial(obey, other)
    parts[f"{name}: movers_between"] = functools.partial(obey, other, BETWEEN)
    parts[f"{name}: movers_foreseen"] = functools.partial(foresees, other)
    parts[f"{name}: movers_ramps"] = functools.partial(
      mover_ramps, other, scenes, steps
    )
    parts[f"{name}: flow"] = functools.partial(
      lambda judged: flow_obedience(at_all_speeds(judged, images, steps)), other
    )
  result: dict[str, Any] = {
    **run_record.circumstances(),
    "weights": str(args.weights),
    "facts": dataclasses.asdict(generator.facts),
    "parameters": generator.parameters,
    "speeds": SPEEDS,
    "steps": steps,
    "scenes": scenes,
    "split": args.split,
    "data_fingerprint": {
      "train": tracked.fingerprint(),
      args.split: held.fingerprint(),
    },
  }
  if args.parts:
    wanted = set(args.parts.split(","))
    if unknown := wanted - parts.keys():
      raise SystemExit(f"no part {min(unknown)!r}; wanted some of {[*parts]}")
    # What is measured of the generator is measured of the baselines, too.
    parts = {n: p for n, p in parts.items() if n.split(": ")[-1] in wanted}
  for name, part in progress.track(parts.items(), "measuring"):
    result[name] = part()
  return result


def scores(obedience: measure.Obedience) -> dict[str, Any]:
  """What goes into the file, by speed as well."""
  fields = ("spearman", "factor_error", "mean_factor_error", "visible", "slope")
  by_speed: dict[str, float | None] = {}
  for log2 in np.unique(obedience.log2_requested):
    measured = obedience.log2_measured[obedience.log2_requested == log2]
    seen = measured[np.isfinite(measured)]
    median = round(float(np.median(seen)), 3) if len(seen) else None
    by_speed[f"{2**log2:g}"] = median
  return {
    **{name: round(getattr(obedience, name), 4) for name in fields},
    "clips": len(obedience.log2_requested),
    "median_log2_measured": by_speed,
  }


def table(result: dict[str, Any]) -> str:
  """The results, to be read."""
  lines = [
    "| requested against measured | clips | Spearman | typical factor error |",
    "|---|---|---|---|",
  ]
  for name, part in result.items():
    if isinstance(part, dict) and "spearman" in part:
      count = part.get("clips") or part["pictures"] * len(SPEEDS)
      lines.append(
        f"| {name} | {count} | {part['spearman']:.2f} | "
        f"{part['factor_error']:.2f} |"
      )
  lines += ["", "| ramps | clips | of the mean | median |", "|---|---|---|---|"]
  for name, part in result.items():
    if isinstance(part, dict) and "median_correlation" in part:
      lines.append(
        f"| {name} | {part['clips']} | {part['correlation_of_mean']:.2f} | "
        f"{part['median_correlation']:.2f} |"
      )
  for name, part in result.items():
    if name.split(": ")[-1] in _FIGURES:
      rows = part.items()
      lines += ["", f"| {name} | |", "|---|---|"]
      lines += [f"| {key} | {value:.4g} |" for key, value in rows]
  return "\n".join(lines) + "\n"


def _baseline(text: str) -> tuple[str, pathlib.Path]:
  name, _, path = text.partition("=")
  return name, pathlib.Path(path)


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes the results and their table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--baseline", type=_baseline, action="append", default=[])
  parser.add_argument("--records", type=pathlib.Path, default="records")
  parser.add_argument("--split", default="val")
  parser.add_argument("--scenes", type=int, default=24)
  parser.add_argument("--pictures", type=int, default=24)
  parser.add_argument("--steps", type=int, default=30)
  parser.add_argument(
    "--parts", help="of the results, by name, commas between (default: all)"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  result = evaluate(args)
  run_record.write_results(args.out, result, table(result))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
