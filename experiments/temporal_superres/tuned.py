r"""Weights beside the shipped ones: PSNR on validation windows.

python -m experiments.temporal_superres.tuned --records=records/clips \
  --weights A.safetensors B.safetensors --out=FILE.json
"""

import argparse
import functools
import os
import pathlib
import sys
import time

from experiments.temporal_superres import baselines, evaluate, peers, rife
from speedflow.data.records import split_shards
from speedflow.evaluation import report
from speedflow.models import superres
from speedflow.superres import interpolator, weights


def _method(
  model: superres.SuperResNet, *, told: bool = True
) -> evaluate.Method:
  machine = interpolator.FrameInterpolator(model)
  return lambda window: evaluate.as_command(
    machine, window, window.exposure if told else None
  )


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  peers.add_arguments(parser, "val")
  parser.add_argument("--weights", nargs="+", type=pathlib.Path, required=True)
  parser.add_argument("--unknown", action="store_true", help="tell no exposure")
  parser.add_argument("--rife", action="store_true", help="beside RIFE, too")
  args = parser.parse_args()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  started = time.time()
  shipped = weights.SUPERRES.load()[0]
  compared: dict[str, evaluate.Method] = {
    "DIS": lambda window: baselines.dis(window.inputs, window.times),
    peers.OURS: _method(shipped, told=not args.unknown),
  }
  for path in args.weights:
    model = weights.SUPERRES.load(path)[0]
    compared[path.stem] = _method(model, told=not args.unknown)
  if args.rife:
    one = rife.Rife()
    compared["RIFE"] = lambda window: one.window(window.inputs, window.times)
  rows = peers.compare(
    peers.windows(
      split_shards(args.records, args.split), args.settings, args.every
    ),
    compared,
    peers.sources(split_shards(args.records, "train")),
    functools.partial(print, flush=True),
  )
  facts = {
    "told_exposure": not args.unknown,
    "weights_sha256": {
      path.stem: weights.SUPERRES.digest(path) for path in args.weights
    },
    "seconds": round(time.time() - started),
  }
  peers.write(args, rows, facts)


if __name__ == "__main__":
  sys.exit(report.run(main))
