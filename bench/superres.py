"""What a new frame of `speedflow superres` costs: time and memory.

    python -m bench.superres --out FILE.json [--sizes=320x192,1280x720]

Makes pictures between frames of real footage on one core, as they come, without
reading or writing video. The network's program is compiled before the clock
starts.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import time
from collections.abc import Sequence

import numpy as np

from speedflow import media
from speedflow.demo import clips
from speedflow.output import atomic
from speedflow.superres import interpolator, weights

TARGET_MS = 60.0  # For 320 x 192 pixels.

# New frames for each pair: flow is computed once for them all.
_NEW = {"2x": 1, "8x": 7}
_PAIRS = 5


def measure(
  machine: interpolator.FrameInterpolator,
  frames: Sequence[np.ndarray],
  exposure: float | None,
  *,
  beside: bool = True,
) -> dict[str, float]:
  """CPU milliseconds for each new frame, by factor.

  Args:
    machine: makes them.
    frames: uint8 RGB [h, w, 3] each, in order.
    exposure: of the frames, 0..1; None: unknown.
    beside: whether the frames before and after two others are seen, too.
  """
  pairs = list(itertools.pairwise(frames))
  sides: list[interpolator.Neighbour | None]
  sides = [None, *map(interpolator.Neighbour, frames), None]
  if not beside:
    sides = [None] * len(sides)
  list(machine.between(*pairs[-1], [0.5], exposure))
  cost = {}
  for name, new in _NEW.items():
    times = [k / (new + 1) for k in range(1, new + 1)]
    started = time.process_time()
    for pair, before, after in zip(pairs, sides, sides[3:], strict=False):
      for _ in machine.between(*pair, times, exposure, before, after):
        pass
    spent = time.process_time() - started
    cost[name] = round(1e3 * spent / (new * len(pairs)), 1)
  return cost


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--sizes", default="320x192,1280x720")
  options = parser.parse_args(arguments)
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  machine = interpolator.FrameInterpolator(weights.SUPERRES.load()[0])
  rows = []
  for size in options.sizes.split(","):
    width, height = map(int, size.split("x"))
    (clip, *_) = clips.package_clips()
    with media.VideoReader(clip.path, size=(width, height)) as reader:
      frames = [
        np.ascontiguousarray(frame.image)
        for frame, _ in zip(reader, range(_PAIRS + 1), strict=False)
      ]
    for name, exposure, beside in (
      ("sharp, two frames", 0.0, False),
      ("sharp", 0.0, True),
      ("half", 0.5, True),
      ("unknown", None, True),
    ):
      cost = measure(machine, frames, exposure, beside=beside)
      # Of the whole process up to now, so it is the sizes' that rises.
      peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
      rows.append(
        {
          "size": size,
          "exposure": name,
          "cpu_ms_per_new_frame": cost,
          "peak_memory_bytes": peak,
        }
      )
      shown = ", ".join(f"{factor} {ms} ms" for factor, ms in cost.items())
      print(f"{size}, {name}: {shown}, {peak / 2**30:.2f} GiB")
  result = {
    "new_frames": rows,
    "target_ms": TARGET_MS,
    "cores": len(os.sched_getaffinity(0)),
    "processor": platform.processor() or platform.machine(),
    "load_average": os.getloadavg()[0],
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
