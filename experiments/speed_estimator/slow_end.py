r"""What the slow end would gain by trusting some strides more than others.

  python -m experiments.speed_estimator.slow_end \
    --out experiments/speed_estimator/results/slow_end.json

Slow motion is read as too fast. Seen at stride 8, a clip slowed eight times
looks like real time, which the network knows best: should not that look count
for more? Here looks at the same shots are put together in several ways, on
slow clips and on ordinary ones together, for what makes slow clips slower may
make all clips slower.

Real-time clips are those of validation; clips of 50 frames a second and more,
of both splits, are played at 24 as well. Slow clips are of training and
validation; those called `pseudo` never gave the network a label. The test
split is not touched.
"""

import argparse
import collections
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from experiments.speed_estimator import protocol
from speedflow.data.motion import MIN_MAPS, MotionRecord
from speedflow.data.records import RecordSource, split_shards
from speedflow.estimate import belief, telling
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import strides as strides_lib
from speedflow.evaluation import report
from speedflow.timewarp import labels
from speedflow.training import run_record

STRIDES = (1, 2, 4, 8, 16, 32)
_SPLITS = ("train", "val")
_PLAYED = (1, 2, 4)
_SLOW_FPS = 24.0
_FLOOR = 1e-4
# Octaves: a reading this near to real time is of what training has most of.
_WELL_KNOWN, _WIDTH = 0.5, 1.0
# How many false positives recall is given for.
_ABOVE = (0, 1, 3)
_FOLDS = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
  """One shot, played at one speed.

  Attributes:
    shot: its id.
    source: its repository.
    group: its scene group.
    kind: "real time", "60 at 24" or "slow".
    pseudo: whether its speed is another system's estimate.
    log2_speed: the truth.
    offset: log2 speed = log2 step + offset.
    looks: by stride, the likelihoods of windows, float64 [n, bins].
    centres: log2 step of the bins.
  """

  shot: str
  source: str
  group: str
  kind: str
  pseudo: bool
  log2_speed: float
  offset: float
  looks: Mapping[int, np.ndarray]
  centres: np.ndarray

  def reading(self, stride: int) -> tuple[float, float]:
    """Log2 step that a look shows, and its standard deviation."""
    mean, spread = belief.moments(
      self.looks[stride].mean(0)[None], self.centres, np.ones_like(self.centres)
    )
    return float(mean[0]), float(spread[0])


Way = Callable[[Case], np.ndarray]
"""From a case to the log likelihood at each of `belief.GRID`."""


def cases(
  records: Iterable[MotionRecord],
  estimator: estimator_lib.SpeedEstimator,
  centres: np.ndarray,
) -> Iterator[Case]:
  """Every shot of known speed, at the speeds that count here.

  Args:
    records: undressed ones.
    estimator: of speed.
    centres: log2 step of its bins.
  """
  window = estimator.network.window
  for record in records:
    ordinary = record.category == "realtime"
    dense = ordinary and record.fps >= 2 * _SLOW_FPS
    if not record.speed or (ordinary and record.split != "val" and not dense):
      continue
    looks = {
      stride: estimator.network.likelihood(windows)
      for stride in STRIDES
      if (windows := _windows(record.maps.get(stride), window))
    }
    offset = float(labels.step_to_speed(0.0, record.fps))
    truth = float(np.log2(record.speed))
    found = []
    if not ordinary and truth - offset <= -1:
      # Of high-speed footage stored at its own rate, as if played at 30.
      slower = max(offset, 0.0) if truth > -1 else 0.0
      found = [("slow", 1, truth - slower, offset - slower)]
    elif ordinary and record.split == "val":
      found = [
        ("real time", k, truth + float(np.log2(k)), offset) for k in _PLAYED
      ]
    if dense:
      at_24 = float(labels.step_to_speed(0.0, _SLOW_FPS))
      found.append(("60 at 24", 1, truth + at_24 - offset, at_24))
    for kind, played, log2_speed, shift in found:
      seen = {k // played: v for k, v in looks.items() if k % played == 0}
      if 1 in seen:
        yield Case(
          record.id,
          record.source,
          record.scene_group,
          kind,
          record.label == "pseudo",
          log2_speed,
          shift,
          seen,
          centres,
        )


def _windows(maps: np.ndarray | None, window: int) -> list[np.ndarray]:
  if maps is None or len(maps) < MIN_MAPS:
    return []
  starts = strides_lib.window_starts(len(maps), window)
  windows = [maps[start : start + window] for start in starts]
  return [each for each in windows if telling.tells_speed(each)]


def weighted(
  strides: Sequence[int], weight: Callable[[float, float], float]
) -> Way:
  """Looks multiplied, by weights that add up to 1.

  Args:
    strides: which looks.
    weight: from a look's reading and its spread, octaves of step.
  """

  def way(case: Case) -> np.ndarray:
    used = [stride for stride in strides if stride in case.looks]
    logs = [
      np.log(
        belief.on_grid(
          case.looks[stride], case.centres + case.offset - np.log2(stride)
        ).mean(0)
        + _FLOOR
      )
      for stride in used
    ]
    shares = np.array([weight(*case.reading(stride)) for stride in used])
    return np.average(logs, axis=0, weights=shares + 1e-6)

  return way


def _well_known(reading: float, spread: float) -> float:
  del spread
  return float(np.exp(-0.5 * ((reading - _WELL_KNOWN) / _WIDTH) ** 2))


WAYS: Mapping[str, Way] = {
  "all strides alike, 1 to 8 (shipped)": weighted(
    (1, 2, 4, 8), lambda reading, spread: 1.0
  ),
  "alike, 1 to 32": weighted(STRIDES, lambda reading, spread: 1.0),
  "near real time for more, 1 to 8": weighted((1, 2, 4, 8), _well_known),
  "near real time for more, 1 to 32": weighted(STRIDES, _well_known),
  "the surer for more, 1 to 8": weighted(
    (1, 2, 4, 8), lambda reading, spread: spread**-2
  ),
  "the surer for more, 1 to 32": weighted(
    STRIDES, lambda reading, spread: spread**-2
  ),
}


class Readings:
  """How readings follow from the truth, learnt from other repositories.

  A look at a true log2 step t reads as a(t), with an error of the shot that
  all its looks share and one of the look. Where a(t) is flat, a reading says
  little of t; what says more is how readings grow from stride to stride.
  """

  _KNOTS = np.arange(-5.0, 5.0)
  # Student's t, lest one odd look decides.
  _FREEDOM = 6.0

  def __init__(self, known: Sequence[Case]):
    """Fits a(t), linear between whole octaves, and both errors."""
    count = collections.Counter((c.source, c.kind) for c in known)
    share = np.array([count[c.source, c.kind] ** -0.5 for c in known])
    seen = [self._seen(case) for case in known]
    truth = [np.array([case.log2_speed - case.offset]) for case in known]

    def cost(parameters: np.ndarray) -> float:
      told = [
        self._log_likelihood(parameters, *looks, step)[0]
        for looks, step in zip(seen, truth, strict=True)
      ]
      curve = parameters[: len(self._KNOTS)]
      rough = 0.02 * np.square(np.diff(curve, 2)).sum()
      falling = 10 * np.square(np.minimum(np.diff(curve) - 0.1, 0)).sum()
      return float(rough + falling - np.average(told, weights=share))

    start = np.concatenate([0.8 * self._KNOTS, np.log([0.5, 0.5])])
    self.parameters = optimize.minimize(
      cost, start, method="L-BFGS-B", options={"maxiter": 60}
    ).x

  def __call__(self, case: Case) -> np.ndarray:
    """A `Way`."""
    steps = belief.GRID - case.offset
    return self._log_likelihood(self.parameters, *self._seen(case), steps)

  @staticmethod
  def _seen(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log2 strides, readings and their spreads."""
    told = [case.reading(stride) for stride in case.looks]
    reading, spread = np.array(told).T
    return np.log2(list(case.looks)), reading, spread

  def _log_likelihood(
    self,
    parameters: np.ndarray,
    log2_stride: np.ndarray,
    reading: np.ndarray,
    spread: np.ndarray,
    steps: np.ndarray,
  ) -> np.ndarray:
    """Of log2 steps at stride 1, float64 [n]; looks are [k]."""
    curve = parameters[: len(self._KNOTS)]
    of_shot, of_look = np.exp(parameters[len(self._KNOTS) :])
    wanted = np.interp(steps[:, None] + log2_stride, self._KNOTS, curve)
    error = reading - wanted
    precision = (of_look * np.maximum(spread, 0.4)) ** -2.0
    total = precision.sum()
    # The inverse of a diagonal matrix plus one of equal entries (Sherman and
    # Morrison, 1950).
    squares = (error**2 * precision).sum(1) - (error * precision).sum(
      1
    ) ** 2 / (of_shot**-2 + total)
    determinant = np.log1p(of_shot**2 * total) - np.log(precision).sum()
    freedom = self._FREEDOM + len(reading)
    return -0.5 * (freedom * np.log1p(squares / self._FREEDOM) + determinant)


def learnt(known: Sequence[Case]) -> dict[int, np.ndarray]:
  """Log likelihoods by `Readings` of other repositories; by `id` of a case."""
  sources = sorted({case.source for case in known})
  answers = {}
  for number in range(_FOLDS):
    left_out = sources[number::_FOLDS]
    way = Readings([c for c in known if c.source not in left_out])
    answers.update({id(c): way(c) for c in known if c.source in left_out})
  return answers


def figures(
  known: Sequence[Case], logs: Sequence[np.ndarray]
) -> dict[str, Any]:
  """Errors and recall of one way.

  Args:
    known: the cases.
    logs: log likelihood of each at `belief.GRID`.

  Returns:
    "mae": octaves, every repository counting alike, by kind and speed;
    "recall": of slow cases, where no, one and three scenes of real time show
    more evidence of slow motion.
  """
  prior = belief.anything(belief.GRID)
  means, _ = belief.moments(
    np.exp(logs - np.max(logs, axis=1, keepdims=True)), belief.GRID, prior
  )
  slow = np.logaddexp.reduce(
    np.array(logs)[:, (belief.GRID > -4) & (belief.GRID <= -1)], axis=1
  )
  real = np.logaddexp.reduce(
    np.array(logs)[:, np.abs(belief.GRID) < 0.35], axis=1
  )
  misses: dict[str, dict[str, list[float]]] = collections.defaultdict(
    lambda: collections.defaultdict(list)
  )
  scenes: dict[str, float] = {}
  evidence = collections.defaultdict(list)
  for case, mean, nats in zip(known, means, slow - real, strict=True):
    name = case.kind
    if case.kind == "real time":
      name += f", {2**case.log2_speed:.0f}x"
      if case.log2_speed == 0:
        scenes[case.group] = max(nats, scenes.get(case.group, -np.inf))
    else:
      evidence[case.kind].append(nats)
    miss = float(abs(mean - case.log2_speed))
    misses[name][case.source].append(miss)
    if case.pseudo:
      misses["slow, speed not learnt"][case.source].append(miss)
  ranked = sorted(scenes.values(), reverse=True)
  return {
    "mae": {
      name: round(float(np.mean([np.mean(e) for e in of.values()])), 3)
      for name, of in sorted(misses.items())
    },
    "recall": {
      kind: [
        round(float(np.mean(np.array(nats) > ranked[above])), 3)
        for above in _ABOVE
      ]
      for kind, nats in evidence.items()
    },
    "scenes": len(scenes),
    "cases": dict(collections.Counter(case.kind for case in known)),
  }


def compare(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """All ways, as JSON.

  Args:
    folder: of motion records.
    name: of the estimator's weights.

  Raises:
    SpeedflowError: no such records or weights.
  """
  estimator = estimator_lib.load_estimator(name)
  paths = [p for split in _SPLITS for p in split_shards(folder, split)]
  records = protocol.read_records(paths)
  known = list(cases(records, estimator, estimator.network.log2_speed(0.0)))
  of_readings = learnt(known)
  logs = {name: [way(case) for case in known] for name, way in WAYS.items()}
  logs["readings, as others err"] = [of_readings[id(case)] for case in known]
  return {
    **run_record.circumstances(),
    "weights": name,
    "data_fingerprint": RecordSource(paths).fingerprint(),
    "ways": {name: figures(known, told) for name, told in logs.items()},
    "slow_readings": [
      {
        "shot": case.shot,
        "log2_step": round(case.log2_speed - case.offset, 2),
        "readings": {k: round(case.reading(k)[0], 2) for k in case.looks},
      }
      for case in known
      if case.kind == "slow"
    ],
  }


def table(results: Mapping[str, Any]) -> str:
  """The figures as Markdown."""
  ways = results["ways"]
  first = next(iter(ways.values()))
  names = [*first["mae"], *(f"recall, {kind}" for kind in first["recall"])]
  lines = [
    "| way | " + " | ".join(names) + " |",
    "|---" * (len(names) + 1) + "|",
  ]
  for name, of in ways.items():
    cells = [f"{value:.2f}" for value in of["mae"].values()]
    cells += [
      ", ".join(f"{share:.2f}" for share in shares)
      for shares in of["recall"].values()
    ]
    lines.append(f"| {name} | " + " | ".join(cells) + " |")
  return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the comparison; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument("--weights", default="tiny")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  results = compare(args.records, args.weights)
  run_record.write_results(args.out, results, table(results))
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
