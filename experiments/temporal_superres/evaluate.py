"""Compares ways to slow video down, on the test split, in one run.

  python -m experiments.temporal_superres.evaluate --records=records/clips \
    --out=experiments/temporal_superres/results/test.json

Prints the table of README.md; the file holds every window's figures too.
"""

import argparse
import collections
import functools
import itertools
import math
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.temporal_superres import baselines, positions, protocol
from speedflow.data import optical_flow
from speedflow.data.records import RecordSource, split_shards
from speedflow.evaluation import frames, report
from speedflow.pictures.still import StillParts
from speedflow.superres import interpolator, weights
from speedflow.training import run_record

EXPOSURES = (0.5, 0.75, 1.0)

REFERENCES = ("DIS", "minterpolate", "deblur + DIS", "our deblurring + DIS")
"""Methods above which gains are told."""

SCENES = 12
"""Procedural windows of each setting."""

# The busy real-time windows: 320 x 240 pixels that change so much.
_BUSY_SIDE, _BUSY_CHANGE = 240, 12.0

Method = Callable[[protocol.Window], list[np.ndarray]]
Cut = Callable[[protocol.Footage], protocol.Window | None]


def settings() -> dict[str, Cut]:
  """How a shot becomes a window, by the name of the setting."""
  cuts: dict[str, Cut] = {
    f"sharp {factor}x": functools.partial(
      protocol.sharp_window, factor=factor, intervals=intervals
    )
    for factor, intervals in ((2, 3), (4, 1), (8, 1))
  }
  for factor, intervals in ((2, 3), (4, 1)):
    cuts[f"sharp {factor}x, busy, 320 x 240"] = functools.partial(
      _busy_window, factor=factor, intervals=intervals
    )
  for exposure in EXPOSURES:
    cuts[f"blurred 8x, exposure {exposure:g}"] = functools.partial(
      protocol.blurred_window, exposure=exposure
    )
  return cuts


def _busy_window(
  footage: protocol.Footage, factor: int, intervals: int
) -> protocol.Window | None:
  if footage.shot.category != "realtime":
    return None
  return protocol.sharp_window(
    footage,
    factor,
    intervals,
    short_side=_BUSY_SIDE,
    least=_BUSY_CHANGE,
  )


def methods(machine: interpolator.FrameInterpolator) -> dict[str, Method]:
  """Everything that is compared, by name."""

  def simple(function) -> Method:
    return lambda window: function(window.inputs, window.times)

  return {
    "nearest": simple(baselines.nearest),
    "blend": simple(baselines.blend),
    "minterpolate": simple(baselines.minterpolate),
    "DIS": simple(baselines.dis),
    "DIS, four frames": lambda window: interpolator.classical(
      window.inputs, window.times, window.outer, curved=True
    ),
    "deblur + DIS": lambda window: baselines.cascade(
      window.inputs, window.times, window.exposure
    ),
    "our deblurring + DIS": lambda window: interpolator.classical(
      deblurred(machine, window), window.times
    ),
    "ours": lambda window: as_command(machine, window, window.exposure),
    "ours, two frames": lambda window: as_command(
      machine, window, window.exposure, curved=False
    ),
    "ours, exposure unknown": lambda window: as_command(machine, window, None),
  }


def as_command(
  machine: interpolator.FrameInterpolator,
  window: protocol.Window,
  exposure: float | None,
  *,
  curved: bool = True,
) -> list[np.ndarray]:
  """As `speedflow superres` does: what stands still is kept as it is."""
  pictures = machine.window(
    window.inputs, window.times, exposure, window.outer, curved=curved
  )
  still = [StillParts(*pair) for pair in itertools.pairwise(window.inputs)]
  places = [min(int(time), len(still) - 1) for time in window.times]
  return [
    still[k].keep(picture, time - k)
    for picture, time, k in zip(pictures, window.times, places, strict=True)
  ]


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
  found = {
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
  return {name: round(value, 5) for name, value in found.items()}


def figures(
  window: protocol.Window,
  compared: Mapping[str, Method],
  flow: optical_flow.FlowEstimator,
) -> dict[str, Any]:
  """What `measure` says of every method that fits a window."""
  return {
    "shot": window.shot,
    "group": window.group,
    "category": window.category,
    "size": list(window.inputs[0].shape[1::-1]),
    "scores": {
      name: measure(window, method, flow)
      for name, method in compared.items()
      # There is no blur in sharp frames to be undone first.
      if window.exposure or "deblur" not in name
    },
  }


def compare(
  paths: Sequence[pathlib.Path],
  compared: Mapping[str, Method],
  log: Callable[[str], None],
  every: int = 1,
  wanted: Sequence[str] = (),
) -> dict[str, list[dict[str, Any]]]:
  """Figures of every method on every window, by setting.

  Args:
    paths: shards of shot records.
    compared: the methods.
    log: is told the PSNR of each window.
    every: sharp windows are of each n-th shot only, and scenes as few.
    wanted: the settings; if none are named, all, and the scenes.
  """
  flow = optical_flow.FlowEstimator()
  rows: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)

  def add(setting: str, window: protocol.Window) -> None:
    row = figures(window, compared, flow)
    rows[setting].append(row)
    scores = [f"{name} {x['psnr']:.2f}" for name, x in row["scores"].items()]
    log(f"{setting}, {window.shot}: {', '.join(scores)}")

  cuts = {
    name: cut
    for name, cut in settings().items()
    if name in wanted or not wanted
  }
  images: list[np.ndarray] = []
  for number, shot in enumerate(protocol.read_shots(paths)):
    images.append(shot.image(0))
    footage = protocol.Footage(shot)
    for setting, cut in cuts.items():
      # Few shots give blurred windows; of these, all are looked at.
      if number % every and not setting.startswith("blurred"):
        continue
      window = cut(footage)
      if window is not None:
        add(setting, window)
  count = 0 if wanted else math.ceil(SCENES / every)
  for number, scene in enumerate(protocol.scenes(images, count)):
    for exposure in (0.0, *EXPOSURES):
      window = protocol.scene_window(scene, exposure, f"scene {number}")
      kind = f"blurred 8x, exposure {exposure:g}" if exposure else "sharp 8x"
      add(f"procedural, {kind}", window)
  # In the order of the settings, whichever the first shot had.
  return {name: rows[name] for name in [*cuts, *rows] if name in rows}


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
  """Means over windows, with 95 % intervals by scene group.

  `gain_db` is PSNR above that of each of `REFERENCES` on the same windows,
  with its interval: pairs are resampled together.
  """
  groups = np.array([row["group"] for row in rows])

  def column(name: str, figure: str) -> np.ndarray:
    return np.array([row["scores"][name][figure] for row in rows])

  def mean(values: np.ndarray) -> report.Figure:
    return report.interval(lambda i: float(values[i].mean()), groups)

  summary: dict[str, dict[str, Any]] = {}
  for name, scores in rows[0]["scores"].items():
    summary[name] = {
      # The first window of each size waits for its program to be compiled.
      figure: float(
        (np.median if figure == "ms_per_frame" else np.mean)(
          column(name, figure)
        )
      )
      for figure in scores
    }
    psnr = column(name, "psnr")
    own = mean(psnr)
    summary[name]["psnr_95"] = [own.low, own.high]
    summary[name]["gain_db"] = {}
    for reference in REFERENCES:
      if reference in rows[0]["scores"] and reference != name:
        gain = psnr - column(reference, "psnr")
        summary[name]["gain_db"][reference] = list(mean(gain).to_json())
  return summary


def table(results: Mapping[str, Any]) -> str:
  """The summaries as Markdown."""
  lines = [
    "| input | method | PSNR dB | over DIS dB | over minterpolate dB | SSIM |"
    " tOF px | hallucinated | ms / frame |",
    "|---|---|---|---|---|---|---|---|---|",
  ]
  for setting, result in results.items():
    for name, row in result["summary"].items():
      gains = [_gain(row, over) for over in ("DIS", "minterpolate")]
      lines.append(
        f"| {setting} (n = {len(result['windows'])}) | {name} |"
        f" {row['psnr']:.2f} | {' | '.join(gains)} | {row['ssim']:.4f} |"
        f" {row['tof']:.3f} | {100 * row['hallucination']:.2f} % |"
        f" {row['ms_per_frame']:.0f} |"
      )
  lines += [
    "",
    "| input | ours over deblur + DIS, dB | over our deblurring + DIS, dB |",
    "|---|---|---|",
  ]
  for setting, result in results.items():
    row = result["summary"]["ours"]
    if "deblur + DIS" in row["gain_db"]:
      gains = [_gain(row, name) for name in REFERENCES if "deblur" in name]
      lines.append(f"| {setting} | {' | '.join(gains)} |")
  return "\n".join([*lines, "", *_extremes(results), ""])


def _gain(row: dict[str, Any], reference: str) -> str:
  if reference not in row["gain_db"]:
    return "-"
  mean, low, high = row["gain_db"][reference]
  return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


def _extremes(results: Mapping[str, Any], count: int = 4) -> list[str]:
  """The clips where the network helps least and most, sharp 2x."""

  def gain(row: dict[str, Any]) -> float:
    return row["scores"]["ours"]["psnr"] - row["scores"]["DIS"]["psnr"]

  rows = sorted(results["sharp 2x"]["windows"], key=gain)
  names = [
    name
    for name in ("blend", "minterpolate", "DIS", "ours")
    if name in rows[0]["scores"]
  ]
  lines = [
    f"| sharp 2x, least and most helped | {' | '.join(names)} |",
    "|---" * (len(names) + 1) + "|",
  ]
  for row in [*rows[:count], *rows[-count:]]:
    scores = [f"{row['scores'][name]['psnr']:.2f}" for name in names]
    lines.append(f"| {row['shot']} | {' | '.join(scores)} |")
  return lines


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="test")
  parser.add_argument("--weights", default="tiny")
  parser.add_argument(
    "--every",
    type=int,
    default=1,
    help="sharp windows of each n-th shot only, and as few scenes",
  )
  parser.add_argument(
    "--settings", nargs="*", default=[], help="these alone, without scenes"
  )
  parser.add_argument(
    "--methods", nargs="*", default=[], help="these alone, besides DIS"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  started = time.time()
  paths = split_shards(args.records, args.split)
  machine = interpolator.FrameInterpolator(
    weights.SUPERRES.load(args.weights)[0]
  )
  compared = {
    name: method
    for name, method in methods(machine).items()
    if name in ("DIS", *args.methods) or not args.methods
  }
  log = functools.partial(print, flush=True)
  rows = compare(paths, compared, log, args.every, args.settings)
  results = {
    name: {"summary": summarise(windows), "windows": windows}
    for name, windows in rows.items()
  }
  sharp = {
    name: method for name, method in compared.items() if "deblur" not in name
  }
  count = math.ceil(SCENES / args.every)
  places = (
    {}
    if args.settings
    else {
      "sharp": positions.compare(sharp, 0.0, count),
      "exposure 0.75": positions.compare(compared, 0.75, count),
    }
  )
  written = {
    **run_record.circumstances(),
    "split": args.split,
    "weights": args.weights,
    "every": args.every,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "seconds": round(time.time() - started),
    "position_error_px": places,
    "settings": results,
  }
  lines = [
    f"Bodies of the procedural source, 8x, {kind}, median distance from their"
    " true place in pixels: "
    + ", ".join(f"{name} {error:.2f}" for name, error in errors.items())
    + "."
    for kind, errors in places.items()
  ]
  run_record.write_results(
    args.out, written, "\n".join([table(results), *lines, ""])
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
