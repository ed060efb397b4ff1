r"""What finding far motion is worth, by other flow: PSNR on validation windows.

  python -m experiments.temporal_superres.flow_ideas --records=records/clips \
    --out=experiments/temporal_superres/results/flow_ideas.json

Each idea gives the shipped network one more path, untrained, or with weights
that were trained with it.
"""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from flax import nnx

from experiments.temporal_superres import (
  baselines,
  evaluate,
  peers,
  rife,
  widening,
)
from speedflow.data import optical_flow
from speedflow.data.records import split_shards
from speedflow.evaluation import report
from speedflow.models import superres
from speedflow.superres import interpolator, search, weights


class FartherDis:
  """DIS flow of pictures of half the size, which reaches twice as far."""

  def __init__(self) -> None:
    """Makes the work space."""
    self._flow = optical_flow.FlowEstimator(thorough=True)

  def between(
    self, first: np.ndarray, second: np.ndarray
  ) -> Callable[[float], np.ndarray]:
    """As `search.Search.between`."""
    height, width = first.shape[:2]
    pair = [
      cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
      for x in (first, second)
    ]
    small = self._flow.both_ways(*pair)
    flow = np.stack([2 * cv2.resize(x, (width, height)) for x in small])
    return functools.partial(_carried, flow)


class GuidedDis:
  """DIS flow that starts from a learnt one."""

  def __init__(self, learnt: search.Search) -> None:
    """Wraps it."""
    self._learnt = learnt
    self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

  def between(
    self, first: np.ndarray, second: np.ndarray
  ) -> Callable[[float], np.ndarray]:
    """As `search.Search.between`."""
    found = self._learnt.between(first, second)
    grays = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (first, second)]
    flow = np.stack(
      [
        self._flow.calc(*grays, found(0.0)[..., 2:4].copy()),
        self._flow.calc(*grays[::-1], found(1.0)[..., :2].copy()),
      ]
    )
    return functools.partial(_carried, flow)


class Teacher:
  """RIFE's flow: the most that learning from it could give."""

  def __init__(self, *, shares: bool) -> None:
    """Loads it.

    Args:
      shares: whether what it says of what is hidden is told, too.
    """
    self._rife, self._shares = rife.Rife(), shares

  def between(
    self, first: np.ndarray, second: np.ndarray
  ) -> Callable[[float], np.ndarray]:
    """As `search.Search.between`."""

    def at(time: float) -> np.ndarray:
      seen = self._rife.see(first, second, time)
      nearer = np.full(seen.share.shape, np.log((1 - time) / time), np.float32)
      share = seen.share if self._shares else nearer
      return np.dstack([*seen.flow, share])

    return at


def _carried(flow: np.ndarray, time: float) -> np.ndarray:
  """Flow to both frames, of what both directions agree upon."""
  there, back = optical_flow.at_time(flow, time)
  ahead = (there - back) / 2
  # Nothing is known of what covers what.
  nearer = np.full(ahead.shape[:2], np.log((1 - time) / time), np.float32)
  return np.dstack([-time * ahead, (1 - time) * ahead, nearer])


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  peers.add_arguments(parser, "val")
  parser.add_argument("--flow", help="weights of a `TimeFlow`")
  parser.add_argument(
    "--weights", nargs="*", default=[], help="trained with one more path"
  )
  args = parser.parse_args()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  started = time.time()
  shipped = weights.SUPERRES.load()[0]
  wide = superres.SuperResNet(
    superres.SuperResConfig(searched=True), nnx.Rngs(0)
  )
  widening.widened(shipped, wide)

  def ours(
    model: superres.SuperResNet, searcher: search.Searcher | None = None
  ) -> evaluate.Method:
    machine = interpolator.FrameInterpolator(model, searcher=searcher)
    return lambda window: evaluate.as_command(machine, window, window.exposure)

  compared = {
    "DIS": lambda window: baselines.dis(window.inputs, window.times),
    peers.OURS: ours(shipped),
    "DIS at half the size": ours(wide, FartherDis()),
  }
  if not rife.missing():
    compared["RIFE's flow"] = ours(wide, Teacher(shares=False))
    compared["RIFE's flow and shares"] = ours(wide, Teacher(shares=True))
    one = rife.Rife()
    compared["RIFE"] = lambda window: one.window(window.inputs, window.times)
  if args.flow:
    learnt = search.Search(weights.TIME_FLOW.load(args.flow)[0])
    compared["learnt flow"] = ours(wide, learnt)
    compared["DIS from learnt flow"] = ours(wide, GuidedDis(learnt))
  for path in args.weights:
    compared[f"trained: {os.path.basename(path)}"] = ours(
      weights.SUPERRES.load(path)[0]
    )
  rows = peers.compare(
    peers.windows(
      split_shards(args.records, args.split), args.settings, args.every
    ),
    compared,
    peers.sources(split_shards(args.records, "train")),
    functools.partial(print, flush=True),
  )
  peers.write(args, rows, {"seconds": round(time.time() - started)})


if __name__ == "__main__":
  sys.exit(report.run(main))
