r"""Does motion blur tell where the estimate errs?

  python -m experiments.speed_estimator.blur --files=runs/files \
    --folds=runs/more --seen=blur.json \
    --out=experiments/speed_estimator/results/blur.json

What moves is blurred by the time that the shutter was open, of which a camera
at a high rate has less; frames that are left out take none of it away. If the
network missed that, its error would go with what blur shows: the share of a
frame interval that `superres.exposure` reads, and how much weaker edges are
along the motion than across it, by itself and for each pixel of motion.
Regressions leave the repository out that they are scored on.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Sequence

import cv2
import numpy as np

from experiments.speed_estimator import folds, rulers, unseen
from speedflow import media
from speedflow.data import optical_flow
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.superres import exposure
from speedflow.superres.survey import Pair
from speedflow.timewarp import labels
from speedflow.training import run_record

_SHORT_SIDE = 240
_MOST_FRAMES = 160
# Pairs between which most moves, of a file.
_PAIRS = 6
# Pixels: what moves less shows no blur.
_MOTION = 2.0
# Fewer pixels tell nothing.
_FEWEST = 200


def main(argv: Sequence[str] | None = None) -> int:
  """Measures what is not known yet, correlates and regresses."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ("files", "folds", "seen", "out"):
    parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  _, answers = unseen.answers(unseen.read(args.files, folds.load(args.folds)))
  seen = json.loads(args.seen.read_text()) if args.seen.exists() else {}
  for answer in answers:
    name = answer.file.name
    if name not in seen:
      seen[name] = measure(args.files / f"{name}.mp4")
      with atomic.atomic_path(args.seen) as path:
        path.write_text(json.dumps(seen))
  results = {**run_record.circumstances()}
  for kind, of_kind in (
    ("real time", [a for a in answers if a.file.category == "realtime"]),
    ("all", answers),
  ):
    results[kind] = {}
    for name in ("exposure", "anisotropy", "anisotropy_per_pixel"):
      told = [a for a in of_kind if seen[a.file.name].get(name) is not None]
      values = np.array([seen[a.file.name][name] for a in told])
      results[kind][name] = rulers.against(told, values)
  run_record.write_results(args.out, results, table(results))
  return 0


def measure(path: pathlib.Path) -> dict[str, float]:
  """What blur shows in a file; nothing where too little moves.

  Args:
    path: the file.

  Returns:
    "exposure": as of `exposure.judge`; "anisotropy": log2 of the energy of
    edges across the motion over that along it; "anisotropy_per_pixel": the
    same, for each pixel of motion.
  """
  with media.VideoReader(path, short_side=_SHORT_SIDE) as reader:
    frames = [f.image for f in itertools.islice(reader, _MOST_FRAMES)]
  gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in frames]
  change = [labels.frame_change(*pair) for pair in itertools.pairwise(gray)]
  chosen = np.argsort(change)[-_PAIRS:]
  pairs = [Pair(frames[i], frames[i + 1]) for i in chosen]
  along, across, moved = [], [], []
  estimator = optical_flow.FlowEstimator()
  for pair in pairs:
    flow, _ = estimator.both_ways(*pair)
    size = np.linalg.norm(flow, axis=-1)
    where = size > _MOTION
    image = cv2.cvtColor(pair.first, cv2.COLOR_RGB2GRAY)
    edges = np.stack(
      [cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)],
      axis=-1,
    )[where]
    way = flow[where] / size[where][:, None]
    along.append((edges * way).sum(1) ** 2)
    across.append((edges[:, 0] * way[:, 1] - edges[:, 1] * way[:, 0]) ** 2)
    moved.append(size[where])
  found = {"exposure": exposure.judge(pairs)}
  if sum(map(len, moved)) >= _FEWEST:
    ratio = np.concatenate(across).mean() / np.concatenate(along).mean()
    found["anisotropy"] = float(np.log2(ratio))
    pixels = float(np.concatenate(moved).mean())
    found["anisotropy_per_pixel"] = found["anisotropy"] / pixels
  return found


def table(results: dict) -> str:
  """The figures as Markdown."""
  return report.markdown(
    [
      "what blur shows",
      "files (repositories)",
      "rank correlation with the error",
      "MAE without",
      "MAE with",
    ],
    [
      [
        f"{name.replace('_', ' ')}, {kind}",
        f"{r['files']} ({r['repositories']})",
        f"{r['spearman_of_repositories']:.2f} (p {r['p']:.2f})",
        f"{r['mae_by_estimate']:.2f}",
        f"{r['mae_with_ruler']:.2f}",
      ]
      for kind in ("real time", "all")
      for name, r in results[kind].items()
    ],
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
