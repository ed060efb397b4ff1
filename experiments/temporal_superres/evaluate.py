"""Compares ways to slow video down, on the test split, in one run.

  python -m experiments.temporal_superres.evaluate --records=records \
    --out=experiments/temporal_superres/results.json

Prints the table of README.md; the file holds every window's figures too.
"""

import argparse
import collections
import datetime
import functools
import json
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from experiments.temporal_superres import baselines, positions, protocol
from speedflow.atomic import atomic_path
from speedflow.data import optical_flow
from speedflow.data.records import RecordSource
from speedflow.evaluation import frames, speed
from speedflow.inference import interpolator, superres_weights

SHARP_FACTORS = {2: 3, 4: 2, 8: 2}
"""Frames of the source for each input frame, and intervals in a window."""

EXPOSURES = (0.5, 0.75, 1.0)

Method = Callable[[protocol.Window], list[np.ndarray]]


def methods(machine: interpolator.FrameInterpolator) -> dict[str, Method]:
  """Everything that is compared, by name."""

  def simple(function) -> Method:
    return lambda window: function(window.inputs, window.times)

  return {
    "nearest": simple(baselines.nearest),
    "blend": simple(baselines.blend),
    "minterpolate": simple(baselines.minterpolate),
    "DIS": simple(baselines.dis),
    "deblur + DIS": lambda window: baselines.cascade(
      window.inputs, window.times, window.exposure
    ),
    "our deblurring + DIS": lambda window: interpolator.classical(
      deblurred(machine, window), window.times
    ),
    "ours": lambda window: machine.window(
      window.inputs, window.times, window.exposure
    ),
    "ours, exposure unknown": lambda window: machine.window(
      window.inputs, window.times, None
    ),
  }


def deblurred(
  machine: interpolator.FrameInterpolator, window: protocol.Window
) -> list[np.ndarray]:
  """The input frames, each deblurred at its own time."""
  times = [float(k) for k in range(len(window.inputs))]
  return machine.window(window.inputs, times, window.exposure)


def measure(
  window: protocol.Window, method: Method, flow: optical_flow.FlowEstimator
) -> dict[str, float]:
  """All figures of one method on one window."""
  started = time.process_time()
  made = method(window)
  seconds = time.process_time() - started
  pairs = list(zip(made, window.truths, strict=True))
  last = len(window.inputs) - 2
  around = [
    (window.inputs[k], window.inputs[k + 1])
    for k in (min(int(t), last) for t in window.times)
  ]
  return {
    "psnr": float(np.mean([frames.psnr(*pair) for pair in pairs])),
    "ssim": float(np.mean([frames.ssim(*pair) for pair in pairs])),
    "tof": frames.temporal_error(made, window.truths, flow),
    "hallucination": float(
      np.mean(
        [
          frames.hallucination_rate(*pair, inputs)
          for pair, inputs in zip(pairs, around, strict=True)
        ]
      )
    ),
    "ms_per_frame": 1e3 * seconds / len(made),
  }


def compare(
  windows: Iterable[protocol.Window],
  compared: dict[str, Method],
  log: Callable[[str], None],
) -> list[dict[str, Any]]:
  """Figures of every method on every window."""
  flow = optical_flow.FlowEstimator()
  rows = []
  for window in windows:
    scores = {
      name: measure(window, method, flow) for name, method in compared.items()
    }
    rows.append(
      {
        "shot": window.shot,
        "group": window.group,
        "category": window.category,
        "size": list(window.inputs[0].shape[1::-1]),
        "scores": scores,
      }
    )
    log(
      f"{window.shot}: "
      + ", ".join(
        f"{name} {score['psnr']:.2f}" for name, score in scores.items()
      )
    )
  return rows


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
  """Means over windows, with 95 % intervals by scene group.

  `gain_db` is PSNR above that of DIS on the same windows.
  """
  groups = np.array([row["group"] for row in rows])
  summary: dict[str, dict[str, Any]] = collections.defaultdict(dict)
  for name in rows[0]["scores"]:
    values = {
      figure: np.array([row["scores"][name][figure] for row in rows])
      for figure in rows[0]["scores"][name]
    }
    reference = np.array([row["scores"]["DIS"]["psnr"] for row in rows])
    values["gain_db"] = values["psnr"] - reference
    for figure, column in values.items():
      # The first window of each size waits for its program to be compiled.
      middle = np.median if figure == "ms_per_frame" else np.mean
      summary[name][figure] = float(middle(column))
      if figure in ("psnr", "ssim", "gain_db"):
        low, high = speed.bootstrap(functools.partial(_mean, column), groups)
        summary[name][f"{figure}_95"] = [low, high]
  return dict(summary)


def _mean(column: np.ndarray, index: np.ndarray) -> float:
  return float(column[index].mean())


def table(settings: dict[str, Any]) -> str:
  """The summary as Markdown."""
  lines = [
    "| input | method | PSNR dB | gain over DIS dB | SSIM | tOF px |"
    " hallucinated | ms / frame |",
    "|---|---|---|---|---|---|---|---|",
  ]
  for setting, results in settings.items():
    for name, row in results["summary"].items():
      low, high = row["gain_db_95"]
      lines.append(
        f"| {setting} (n = {len(results['windows'])}) | {name} |"
        f" {row['psnr']:.2f} | {row['gain_db']:+.2f} ({low:+.2f} to"
        f" {high:+.2f}) | {row['ssim']:.4f} | {row['tof']:.3f} |"
        f" {100 * row['hallucination']:.2f} % | {row['ms_per_frame']:.0f} |"
      )
  return "\n".join(lines)


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--records", type=pathlib.Path, default="records")
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument(
    "--shots", type=int, default=0, help="so many, evenly chosen; 0: all"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  started = time.time()
  paths = protocol.shards(args.records, args.split)
  machine = interpolator.FrameInterpolator(superres_weights.load(args.weights))
  shots = list(protocol.read_shots(paths))
  if args.shots:
    chosen = np.linspace(0, len(shots) - 1, min(args.shots, len(shots)))
    shots = [shots[round(number)] for number in chosen]
  compared = methods(machine)
  sharp = {
    name: method for name, method in compared.items() if "deblur" not in name
  }

  def log(line: str) -> None:
    print(line, flush=True)

  settings: dict[str, Any] = {}
  for factor, intervals in SHARP_FACTORS.items():
    windows = protocol.sharp_windows(shots, factor, intervals)
    settings[f"sharp {factor}x"] = compare(windows, sharp, log)
  for exposure in EXPOSURES:
    windows = protocol.blurred_windows(shots, (exposure,))
    settings[f"blurred 8x, exposure {exposure:g}"] = compare(
      windows, compared, log
    )
  results = {
    name: {"summary": summarise(rows), "windows": rows}
    for name, rows in settings.items()
  }
  report = {
    "command": "python -m experiments.temporal_superres.evaluate",
    "split": args.split,
    "weights": args.weights,
    "shots": len(shots),
    "commit": subprocess.run(
      ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip(),
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "hardware": f"{_processor()}, one thread",
    "date": datetime.date.today().isoformat(),
    "seconds": round(time.time() - started),
    "position_error_px": positions.compare(sharp),
    "settings": results,
  }
  with atomic_path(args.out) as temporary:
    temporary.write_text(json.dumps(report, indent=1) + "\n")
  print(table(results))
  print(json.dumps(report["position_error_px"]))


def _processor() -> str:
  try:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
  except OSError:
    return platform.processor()
  names = [x.partition(":")[2].strip() for x in lines if "model name" in x]
  return names[0] if names else platform.processor()


if __name__ == "__main__":
  main()
