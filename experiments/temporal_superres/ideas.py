"""What frames beside the two, and undoing blur first, are worth: PSNR alone.

  python -m experiments.temporal_superres.ideas --records=records/clips \
    --out=experiments/temporal_superres/results/ideas.json

Runs on the validation split, on which these things were chosen.
"""

import argparse
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from experiments.temporal_superres import baselines, evaluate, protocol
from speedflow.data.records import RecordSource, split_shards
from speedflow.evaluation import frames, report
from speedflow.superres import exposure as superres_exposure
from speedflow.superres import interpolator, weights
from speedflow.superres.survey import Pair
from speedflow.training import run_record

_Method = Callable[[protocol.Window], list[np.ndarray]]

_SETTINGS = (
  *("sharp 4x", "sharp 8x", "sharp 4x, busy, 320 x 240"),
  *("blurred 8x, exposure 0.5", "blurred 8x, exposure 1"),
)
_SCENES = 6


def _sharp_methods(
  machine: interpolator.FrameInterpolator,
) -> dict[str, _Method]:
  """By the frames that are seen; one interval."""

  def classical(before: bool, after: bool) -> _Method:
    return lambda window: interpolator.classical(
      window.inputs, window.times, _seen(window, before, after), curved=True
    )

  def ours(before: bool, after: bool) -> _Method:
    return lambda window: machine.window(
      window.inputs,
      window.times,
      window.exposure,
      _seen(window, before, after),
    )

  ways = {
    "two frames": (False, False),
    "and the one before": (True, False),
    "and the one after": (False, True),
    "four frames": (True, True),
  }
  return {
    f"{name}, {way}": make(*which)
    for name, make in (("DIS", classical), ("ours", ours))
    for way, which in ways.items()
  }


def _blurred_methods(
  machine: interpolator.FrameInterpolator,
) -> dict[str, _Method]:
  """By what is done about the blur."""

  def ours(window: protocol.Window, exposure: float | None) -> list[np.ndarray]:
    return machine.window(window.inputs, window.times, exposure, window.outer)

  return {
    "deblur + DIS": lambda window: baselines.cascade(
      window.inputs, window.times, window.exposure
    ),
    "ours, told it is sharp": lambda window: ours(window, 0.0),
    "ours, told nothing": lambda window: ours(window, None),
    "ours, told 0.5": lambda window: ours(window, 0.5),
    "ours, told what is judged": lambda window: ours(
      window, superres_exposure.judge([Pair(*window.inputs)])
    ),
    "ours, told the exposure": lambda window: ours(window, window.exposure),
  }


def _seen(
  window: protocol.Window, before: bool, after: bool
) -> interpolator.Outer:
  first, last = window.outer
  return first if before else None, last if after else None


def _between(window: protocol.Window) -> protocol.Window:
  """Without the picture at the first frame's own time."""
  return dataclasses.replace(
    window, truths=window.truths[1:], times=window.times[1:]
  )


def windows(
  paths: list[pathlib.Path], every: int
) -> Iterator[tuple[str, protocol.Window]]:
  """Yields windows of each n-th shot, and calculated ones, with settings."""
  cuts = evaluate.settings()
  images = []
  for number, shot in enumerate(protocol.read_shots(paths)):
    images.append(shot.image(0))
    footage = protocol.Footage(shot)
    for setting in _SETTINGS:
      # There are few blurred ones.
      if number % every == 0 or setting.startswith("blurred"):
        window = cuts[setting](footage)
        if window is not None:
          yield setting, window
          if window.exposure:
            yield f"{setting}, between", _between(window)
    # What could be had if all blur were undone.
    window = protocol.blurred_window(footage, 0.0)
    if window is not None:
      yield "the same frames, sharp, between", _between(window)
  for number, scene in enumerate(protocol.scenes(images, _SCENES)):
    for exposure in (0.0, 0.5, 1.0):
      kind = f"blurred 8x, exposure {exposure:g}" if exposure else "sharp 8x"
      name = f"procedural, {kind}"
      yield name, protocol.scene_window(scene, exposure, f"scene {number}")


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="val")
  parser.add_argument(
    "--every", type=int, default=3, help="sharp windows of each n-th shot"
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  started = time.time()
  paths = split_shards(args.records, args.split)
  machine = interpolator.FrameInterpolator(weights.SUPERRES.load()[0])
  sharp, blurred = _sharp_methods(machine), _blurred_methods(machine)
  scores: dict[str, dict[str, list[float]]] = {}
  for setting, window in windows(paths, args.every):
    columns = scores.setdefault(setting, {})
    for name, method in (blurred if window.exposure else sharp).items():
      made = map(frames.psnr, method(window), window.truths)
      columns.setdefault(name, []).append(float(np.mean(list(made))))
    print(setting, window.shot, flush=True)
  results: dict[str, dict[str, Any]] = {
    setting: {
      "windows": len(next(iter(columns.values()))),
      "psnr": {
        name: round(float(np.mean(x)), 4) for name, x in columns.items()
      },
    }
    for setting, columns in scores.items()
  }
  written = {
    **run_record.circumstances(),
    "split": args.split,
    "every": args.every,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "seconds": round(time.time() - started),
    "settings": results,
  }
  rows = [
    [f"{setting} (n = {found['windows']})", name, f"{psnr:.2f}"]
    for setting, found in results.items()
    for name, psnr in found["psnr"].items()
  ]
  table = report.markdown(["input", "method", "PSNR dB"], rows)
  run_record.write_results(args.out, written, table + "\n")


if __name__ == "__main__":
  sys.exit(report.run(main))
