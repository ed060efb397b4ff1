r"""Film strips of the clips that the estimator misses most.

  python -m experiments.speed_estimator.film_strips \
    experiments/speed_estimator/results/test.json worst.jpg

The clips are not ours to publish, so neither are their pictures: this draws
them where the clips are.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from experiments.speed_estimator import evaluate
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report
from speedflow.output.atomic import atomic_path

_COLUMNS = 8
_SECONDS = 1.5


def main(argv: Sequence[str] | None = None) -> int:
  """Draws the strips; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("results", type=pathlib.Path, help="of `evaluate`")
  parser.add_argument("picture", type=pathlib.Path, help="a .jpg or .png")
  parser.add_argument(
    "--clips", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--count", type=int, default=12)
  args = parser.parse_args(argv)
  results = json.loads(args.results.read_text())
  own_speed = [c for c in results["clips"] if c["stride"] == 1]
  worst = evaluate.worst(own_speed, args.count)
  wanted = {clip["clip"] for clip in worst}
  shots = {
    shot.id: shot
    for shot in map(
      ShotRecord.decode,
      RecordSource(split_shards(args.clips, results["split"])),
    )
    if shot.id in wanted
  }
  figure, rows = plt.subplots(
    len(worst), 1, figsize=(14, 1.7 * len(worst)), layout="constrained"
  )
  for row, clip in zip(np.atleast_1d(rows), worst, strict=True):
    row.imshow(strip(shots[clip["clip"]]))
    row.set_axis_off()
    row.set_title(
      f"{clip['source']}, {clip['content']}: plays at {clip['speed']:.3g}x, "
      f"read as {clip['estimate']:.2g}x "
      f"({clip['low']:.2g}-{clip['high']:.2g})",
      fontsize=9,
      loc="left",
    )
  with atomic_path(args.picture) as path:
    figure.savefig(path, format=args.picture.suffix[1:], dpi=110)
  plt.close(figure)
  return 0


def strip(shot: ShotRecord) -> np.ndarray:
  """Frames from the middle of a shot side by side, uint8 [h, n w, 3]."""
  span = min(shot.num_frames - 1, round(_SECONDS * float(shot.fps)))
  first = (shot.num_frames - 1 - span) // 2
  indices = np.linspace(first, first + span, _COLUMNS).round().astype(int)
  return np.hstack([shot.image(int(i), reduce=2) for i in indices])


if __name__ == "__main__":
  sys.exit(report.run(main))
