"""When made-up detail is better, and by which measure.

  python -m experiments.temporal_superres.evaluate_refinement \
    --records=records/clips --refiner=FILE.npz --out=FILE.json

Prints the table of README.md.
"""

import argparse
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_generator.pictures import frechet_distance
from experiments.temporal_superres import evaluate, protocol
from speedflow.data import optical_flow
from speedflow.data.records import RecordSource
from speedflow.evaluation import frames, speed
from speedflow.superres import interpolator, weights
from speedflow.training import run_record

STEPS = (0, 1, 4)
"""Of Euler's method; 0: no detail is made up."""

_SETTINGS = ("sharp 4x", "sharp 8x", "blurred 8x, exposure 0.75")


def compare(
  windows: Sequence[protocol.Window],
  machines: dict[int, interpolator.FrameInterpolator],
) -> dict[str, Any]:
  """Figures by number of steps.

  The Frechet distance is that of `frames.texture_features` of all parts of the
  pictures to those of the truth. For its scale: `truth_halves`, between the
  true pictures of every other window and of the rest.

  Args:
    windows: of one setting.
    machines: by number of steps.
  """
  flow = optical_flow.FlowEstimator()
  groups = np.array([window.group for window in windows])
  true = [_textures(window.truths) for window in windows]
  found: dict[str, Any] = {
    "truth_halves": frechet_distance(
      np.concatenate(true[::2]), np.concatenate(true[1::2])
    ),
    "steps": {},
  }
  plain: np.ndarray | None = None
  for steps, machine in machines.items():
    started = time.process_time()
    made = [
      evaluate.as_command(machine, window, window.exposure)
      for window in windows
    ]
    seconds = time.process_time() - started
    scores = np.array(
      [
        _scores(pictures, window.truths, flow)
        for pictures, window in zip(made, windows, strict=True)
      ]
    )
    plain = scores if plain is None else plain
    gain = scores[:, 0] - plain[:, 0]

    def mean(index: np.ndarray, gain: np.ndarray = gain) -> float:
      return float(gain[index].mean())

    psnr, ssim, detail, tof = scores.mean(0).tolist()
    found["steps"][str(steps)] = {
      "psnr": psnr,
      "psnr_gain": [
        float(gain.mean()),
        *speed.bootstrap(mean, groups),
      ],
      "ssim": ssim,
      "detail": detail,
      "tof": tof,
      "frechet_textures": frechet_distance(
        np.concatenate([_textures(pictures) for pictures in made]),
        np.concatenate(true),
      ),
      "ms_per_frame": 1e3 * seconds / sum(map(len, made)),
    }
  return found


def _scores(
  made: list[np.ndarray],
  truths: list[np.ndarray],
  flow: optical_flow.FlowEstimator,
) -> tuple[float, ...]:
  """PSNR, SSIM, detail and tOF."""
  pairs = list(zip(made, truths, strict=True))
  means = [
    float(np.mean([measure(*pair) for pair in pairs]))
    for measure in (frames.psnr, frames.ssim, frames.detail)
  ]
  return (*means, frames.temporal_error(made, truths, flow))


def _textures(pictures: Sequence[np.ndarray]) -> np.ndarray:
  return np.concatenate([frames.texture_features(each) for each in pictures])


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  lines = [
    "| input | steps | PSNR dB | against none, dB | SSIM | detail |"
    " Frechet, textures | tOF px | ms / frame |",
    "|---|---|---|---|---|---|---|---|---|",
  ]
  for setting, found in results.items():
    for steps, row in found["steps"].items():
      mean, low, high = row["psnr_gain"]
      lines.append(
        f"| {setting} (n = {found['windows']}) | {steps} | {row['psnr']:.2f} |"
        f" {mean:+.2f} ({low:+.2f} to {high:+.2f}) | {row['ssim']:.4f} |"
        f" {100 * row['detail']:.0f} % | {row['frechet_textures']:.3f} |"
        f" {row['tof']:.3f} | {row['ms_per_frame']:.0f} |"
      )
    lines.append(
      f"| {setting} | true halves | | | | | {found['truth_halves']:.3f} | | |"
    )
  return "\n".join([*lines, ""])


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="test")
  parser.add_argument("--refiner", type=pathlib.Path, required=True)
  parser.add_argument(
    "--every", type=int, default=1, help="look at each n-th shot only"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  started = time.time()
  paths = protocol.shards(args.records, args.split)
  shots = list(protocol.read_shots(paths))[:: args.every]
  footage = [protocol.Footage(shot) for shot in shots]
  model = weights.load()
  refiner = weights.load_refiner(args.refiner)
  machines = {
    steps: interpolator.FrameInterpolator(
      model, refinement=interpolator.Refinement(refiner, steps)
    )
    for steps in STEPS
  }
  cuts = evaluate.settings()
  results: dict[str, Any] = {}
  for setting in _SETTINGS:
    windows = [
      window for each in footage if (window := cuts[setting](each)) is not None
    ]
    if not windows:
      continue
    results[setting] = {
      "windows": len(windows),
      **compare(windows, machines),
    }
  report = {
    **run_record.circumstances(),
    "split": args.split,
    "every": args.every,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "seconds": round(time.time() - started),
    "settings": results,
  }
  run_record.write_results(args.out, report, table(results))


if __name__ == "__main__":
  main()
