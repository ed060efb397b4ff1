"""Does a clip that goes on and on stay true? Beside a clean-history training.

  speedflow train --config=configs/speed_generator.py:stream --workdir=runs/A
  speedflow train --config=configs/speed_generator.py:stream --workdir=runs/B \
    --config.loss.history=clean
  speedflow eval --config=configs/speed_generator.py:stream --workdir=runs/A \
    --export=noisy.safetensors                            (and so on for B)
  python -m experiments.speed_generator.streaming \
    --model noisy=noisy.safetensors --model clean=clean.safetensors \
    --out=experiments/speed_generator/results/streaming.json

Mover scenes that nothing was trained on are rolled out over eight times the
length of training clips. In each stretch of that length, trajectories and
frames are compared with the true ones.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_generator import dataset, measure, movers
from speedflow.evaluation import report
from speedflow.generate import generator, warp, weights
from speedflow.generate import stream as generator_stream
from speedflow.timewarp import labels
from speedflow.training import run_record

STRETCHES = 8
"""Of the length of training clips."""

# At this speed a body is in view all the while.
_SLOW = 0.25
# The speeds of the stretches, where it changes while the clip runs.
_CHANGING = (0.25, 0.5, 0.125, 0.125, 0.5, 0.25, 0.125, 0.25)
_EXPOSURE = 0.5
# That a speed is wrong by where more than half of the bodies stand still.
_MOST_OCTAVES = 16.0


def roll_out(
  maker: generator.SpeedGenerator,
  scenes: Sequence[movers.ProceduralScene],
  speeds: Sequence[float],
  steps: int,
) -> tuple[np.ndarray, np.ndarray]:
  """Generates a long clip of each scene.

  Args:
    maker: a causal generator.
    scenes: of `movers.sample_mover`.
    speeds: of the stretches.
    steps: of the sampler.

  Returns:
    World times of the frames after the first, seconds, float64 [t];
    trajectories, float32 [n, t, g, g, 2].
  """
  stream = generator_stream.TrajectoryStream(
    maker,
    np.stack([scene.frame(0.0) for scene in scenes]),
    range(len(scenes)),
    steps=steps,
  )
  log2_step = np.log2(np.repeat(speeds, maker.facts.knots))
  chunks = log2_step.reshape(-1, stream.chunk)
  trajectories = [stream.advance(np.tile(c, (len(scenes), 1))) for c in chunks]
  return dataset.world_times(log2_step), np.concatenate(trajectories, 1)


def drift(
  maker: generator.SpeedGenerator,
  scenes: Sequence[movers.ProceduralScene],
  speeds: Sequence[float],
  steps: int,
) -> dict[str, Any]:
  """Errors that accumulate, for each stretch of a long clip.

  Returns:
    way_error: how far the body is from where it should be at the end of the
      stretch, root mean square over its points and the scenes, sides of the
      picture; way_length: how far it should have gone; still_error: the same
      for all that should rest; factor_error: typical factor between requested
      and measured speed, 2^median of octaves; visible: share of scenes whose
      body could be measured; contrast: standard deviation of the pictures, as
      a multiple of the first frame's.
  """
  times, trajectories = roll_out(maker, scenes, speeds, steps)
  frames = maker.facts.knots
  truth = np.stack([movers.trajectories(scene, 0.0, times) for scene in scenes])
  body = np.linalg.norm(truth[:, -1], axis=-1) > 0
  ends = slice(frames - 1, None, frames)
  error = np.square(trajectories - truth)[:, ends].sum(-1)
  length = np.square(truth)[:, ends].sum(-1)
  found = [
    _seen(scene, times, scene_trajectories, speeds)
    for scene, scene_trajectories in zip(scenes, trajectories, strict=True)
  ]
  measured, contrast = (np.stack(part) for part in zip(*found, strict=True))
  result: dict[str, Any] = {"speeds": list(speeds)}
  seen = np.isfinite(measured)
  wrong = np.where(seen, np.abs(measured - np.log2(speeds)), np.inf)
  factors = 2 ** np.minimum(np.median(wrong, 0), _MOST_OCTAVES)
  rows = {
    "way_error": [_rms(e, body) for e in error.swapaxes(0, 1)],
    "way_length": [_rms(e, body) for e in length.swapaxes(0, 1)],
    "still_error": [_rms(e, ~body) for e in error.swapaxes(0, 1)],
    "factor_error": factors.tolist(),
    "visible": seen.mean(0).tolist(),
    "contrast": contrast.mean(0).tolist(),
  }
  return result | {
    name: [round(value, 4) for value in row] for name, row in rows.items()
  }


def _seen(
  scene: movers.ProceduralScene,
  times: np.ndarray,
  trajectories: np.ndarray,
  speeds: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
  """log2 of the measured speed, and the contrast, of each stretch."""
  image = scene.frame(0.0)
  warper = warp.Warper(image, trajectories.shape[1])
  knots = np.concatenate([[0.0], times])
  trajectories = np.concatenate([np.zeros_like(trajectories[:1]), trajectories])
  half = np.diff(knots) * _EXPOSURE / 2
  clip = np.stack(
    [
      warper.frame(
        generator.during(knots, trajectories, at - open_s, at + open_s)
      )
      for at, open_s in zip(times, half, strict=True)
    ]
  ).reshape(len(speeds), -1, *image.shape)
  speed = [
    movers.measured_log2_speed(scene, part, labels.REFERENCE_FPS)
    for part in clip
  ]
  return np.array(speed), clip.std((1, 2, 3, 4)) / image.std()


def _rms(squares: np.ndarray, where: np.ndarray) -> float:
  return float(np.sqrt(squares[where].mean()))


def cost(maker: generator.SpeedGenerator, steps: int) -> dict[str, float]:
  """Milliseconds of CPU for a chunk: early in a clip, and late."""
  image = np.zeros((1, 64, 64, 3), np.uint8)
  stream = generator_stream.TrajectoryStream(maker, image, [0], steps=steps)
  spent = []
  for _ in range(64):
    started = time.process_time()
    stream.advance(np.zeros((1, stream.chunk)))
    spent.append(1e3 * (time.process_time() - started))
  return {
    "early_ms_per_chunk": round(float(np.median(spent[1:9])), 2),
    "late_ms_per_chunk": round(float(np.median(spent[-8:])), 2),
    "frames_per_chunk": stream.chunk,
  }


def table(result: dict[str, Any]) -> str:
  """The results, to be read."""
  lines = []
  for name, model in result["models"].items():
    for part in ("steady", "changing"):
      lines += [
        f"\n{name}, {part} speed\n",
        "| stretch | speed | way error / way | factor error | contrast |",
        "|---|---|---|---|---|",
      ]
      rows = model[part]
      for stretch, speed in enumerate(rows["speeds"]):
        lines.append(
          f"| {stretch + 1} | {speed:g} | {rows['way_error'][stretch]:.3f} / "
          f"{rows['way_length'][stretch]:.3f} | "
          f"{_readable(rows['factor_error'][stretch])} | "
          f"{rows['contrast'][stretch]:.3f} |"
        )
  return "\n".join(lines) + "\n"


def _readable(factor: float) -> str:
  return "unseen" if factor >= 2**_MOST_OCTAVES else f"{factor:.2f}"


def _model(text: str) -> tuple[str, pathlib.Path]:
  name, _, path = text.partition("=")
  return name, pathlib.Path(path)


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes the results and their table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--model", type=_model, action="append", required=True)
  parser.add_argument("--scenes", type=int, default=24)
  parser.add_argument("--steps", type=int, default=10)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  scenes = [dataset.World("mover", n).scene() for n in range(args.scenes)]
  models = {}
  for name, path in args.model:
    maker = weights.load_generator(path)
    models[name] = {
      "parameters": maker.parameters,
      "foreseen": round(measure.foreseen(maker, args.scenes), 3),
      "steady": drift(maker, scenes, (_SLOW,) * STRETCHES, args.steps),
      "changing": drift(maker, scenes, _CHANGING, args.steps),
      "cost": cost(maker, args.steps),
    }
  result = {
    **run_record.circumstances(),
    "scenes": args.scenes,
    "steps": args.steps,
    "models": models,
  }
  run_record.write_results(args.out, result, table(result))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
