r"""Does attribution find clips that move as a query does?

  python -m experiments.wan.attribution runs/wan_tiny/made \
    --drums=records/latents --movers=records/latents_movers \
    --out=experiments/wan/results/attribution.json

Training clips of drums and of movers (`scenes`) are ranked for held-out ones:
of the best tenth, how many are of the query's kind, direction, speed and task?
Beside chance, and clips whose latents look alike. Then Wan is fine-tuned on the
tenth that is chosen for drums that turn to the right, and the loss of these and
of all other held-out drums is measured, at other times and noise than those
that were asked.
"""

import argparse
import dataclasses
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from experiments.wan import drums
from speedflow.attribute import attribution, scores, wan_features
from speedflow.data.records import RecordSource, fingerprint, split_shards
from speedflow.evaluation import report
from speedflow.models.wan import config
from speedflow.training import run_record
from speedflow.wan import (
  encoders,
  examples,
  index,
  latents,
  objective,
  pipeline,
)
from speedflow.weights import wan as weights

TOP = 0.1

_OURS = "attribution"
# Features of the clips and of the queries, [n, d] and [q, d].
_Pair = tuple[np.ndarray, np.ndarray]
# Clips of one speed: octaves between them.
_NEAR = 0.5
_ADAPTER_RANK = 4
# Of the fine-tuning.
_STEPS, _ROWS, _RATE = 30, 8, 3e-4
_TIMES = (0.35, 0.65, 0.9)


@dataclasses.dataclass(frozen=True)
class Clips:
  """Some clips, and what is known of them.

  Attributes:
    records: of latents.
    drum: bool [n], or else movers.
    right: bool [n], whether a drum turns to the right; half of all clips are
      mirrored when they are drawn.
    log2_speed: float [n], mean.
    task: str [n].
  """

  records: list[latents.LatentRecord]
  drum: np.ndarray
  right: np.ndarray
  log2_speed: np.ndarray
  task: np.ndarray

  def __getitem__(self, chosen: np.ndarray) -> "Clips":
    """Those that are chosen, bool or int."""
    places = np.arange(len(self.records))[chosen]
    arrays = (self.drum, self.right, self.log2_speed, self.task)
    records = [self.records[place] for place in places]
    return Clips(records, *(array[places] for array in arrays))


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("folder", type=pathlib.Path, help="an exported pipeline")
  for kind in ("drums", "movers"):
    parser.add_argument(
      f"--{kind}", type=pathlib.Path, required=True, help="records of latents"
    )
  parser.add_argument("--clips", type=int, default=480, help="training drums")
  parser.add_argument("--queries", type=int, default=48, help="drums at most")
  parser.add_argument("--seeds", type=int, default=2, help="of fine-tuning")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  folders = args.drums, args.movers
  clips = read(args.folder, folders, "train", args.clips)
  asked = read(args.folder, folders, "val", args.queries)
  found, seconds = features(args.folder, clips, asked)
  results = {
    **run_record.circumstances(),
    "data_fingerprint": fingerprint(
      *(split_shards(f, s) for f in folders for s in ("train", "val"))
    ),
    "clips": {
      "drums": int(clips.drum.sum()),
      "movers": int((~clips.drum).sum()),
    },
    "queries": {
      "drums": int(asked.drum.sum()),
      "movers": int((~asked.drum).sum()),
    },
    "seconds_per_clip": seconds,
    "precision": precision(found, clips, asked),
    "fine_tuning": fine_tuning(args.folder, found, clips, asked, args.seeds),
  }
  run_record.write_results(args.out, results, table(results))
  return 0


def read(
  folder: pathlib.Path,
  records: Sequence[pathlib.Path],
  split: str,
  count: int,
) -> Clips:
  """Reads drums, and half as many movers.

  Args:
    folder: the pipeline that decodes them.
    records: folders of latents, of drums and of movers.
    split: of both.
    count: drums at most, evenly from all.
  """
  encoder = encoders.Encoders(folder, config.Computation()).autoencoder
  found: list[latents.LatentRecord] = []
  right: list[bool] = []
  for number, where in enumerate(records):
    source = RecordSource(split_shards(where, split))
    wanted = min(count // (1 + number), len(source))
    for place in np.linspace(0, len(source) - 1, wanted).round().astype(int):
      record = latents.LatentRecord.decode(source[int(place)])
      given = jnp.asarray(record.latents[None], jnp.float32)
      turned = drums.turned(pipeline.pictures(encoder, given))
      found.append(record)
      right.append(number == 0 and turned < 0)
  return Clips(
    found,
    np.array([record.text.endswith("drum turns") for record in found]),
    np.array(right),
    np.array([record.log2_step.mean() for record in found]),
    np.array([record.task for record in found]),
  )


def features(
  folder: pathlib.Path, clips: Clips, asked: Clips
) -> tuple[dict[str, _Pair], dict[str, float]]:
  """Of clips and of queries, by the method's name; and seconds for a clip."""
  plain = wan_features.Settings.of(index.read(folder).trained)
  found, seconds = {}, {}
  for name, settings in {
    _OURS: plain,
    f"{_OURS}, no mask": dataclasses.replace(plain, mask="none"),
    f"{_OURS}, low-rank": dataclasses.replace(
      plain, adapter_rank=_ADAPTER_RANK
    ),
  }.items():
    maker = wan_features.WanFeatureMaker(folder, settings)
    query = maker.features(asked.records).unit
    began = time.perf_counter()
    found[name] = maker.features(clips.records).unit, query
    seconds[name] = (time.perf_counter() - began) / len(clips.records)
  for name, changes in (("similar latents", 0), ("similar changes", 1)):
    first, second = (
      np.stack(
        [
          np.diff(record.latents.astype(np.float32), changes, axis=0).ravel()
          for record in each.records
        ]
      )
      for each in (clips, asked)
    )
    found[name] = first, second
  return found, seconds


def precision(
  found: Mapping[str, _Pair], clips: Clips, asked: Clips
) -> dict[str, dict[str, tuple[float, float, float]]]:
  """Of the best tenth for each query, the share that is like it.

  Args:
    found: see `features`.
    clips: that are ranked; but for the kind, drums alone.
    asked: the queries; the same.

  Returns:
    By method and property: mean over queries, and its interval.
  """
  way = clips.right[:, None] == asked.right
  near = np.abs(clips.log2_speed[:, None] - asked.log2_speed) < _NEAR
  alike = {
    "kind": clips.drum[:, None] == asked.drum,
    "direction": way,
    "speed": near,
    "direction and speed": way & near,
    "known frames": clips.task[:, None] == asked.task,
  }
  told: dict[str, dict[str, tuple[float, float, float]]] = {}
  for what, same in alike.items():
    ranked, queries = np.ones_like(clips.drum), np.ones_like(asked.drum)
    if what != "kind":
      ranked, queries = clips.drum, asked.drum
    same = same[ranked][:, queries]
    best = scores.share(TOP, len(same))
    shares = {"chance": same.mean(0)}
    for name, (first, second) in found.items():
      ranking = scores.rank(first[ranked], second[queries], TOP)
      chosen = ranking.by_query[:best]
      shares[name] = np.take_along_axis(same, chosen, 0).mean(0)
    for name, share in shares.items():
      told.setdefault(name, {})[what] = _mean(share).to_json()
  return told


def _mean(values: np.ndarray) -> report.Figure:
  """The mean over queries, float [q], with its interval."""
  return report.interval(
    lambda some: float(values[some].mean()), np.arange(len(values))
  )


def fine_tuning(
  folder: pathlib.Path,
  found: Mapping[str, _Pair],
  clips: Clips,
  asked: Clips,
  seeds: int,
) -> dict[str, dict[str, list[float]]]:
  """What training on the chosen tenth does to held-out drums.

  Args:
    folder: the pipeline that is trained a little more.
    found: see `features`.
    clips: of which a tenth is chosen.
    asked: for those of them that are drums and turn to the right.
    seeds: of the order of the clips, and of times and noise.

  Returns:
    By what was trained on: the loss of drums that turn to the right and to the
    left, relative to that before, for each seed; and the share of the clips
    that are drums which turn to the right.
  """
  tuner = _Tuner(folder)
  wanted = asked.drum & asked.right
  held = {"right": asked[wanted], "left": asked[asked.drum & ~asked.right]}
  chosen = {}
  for name, (first, second) in found.items():
    ranking = scores.rank(first, second[wanted], TOP)
    chosen[name] = np.flatnonzero(attribution.selected(ranking, TOP))
    if name == _OURS:
      worst = ranking.order[-len(chosen[name]) :]
      chosen[f"{_OURS}, the worst"] = worst
  count = len(chosen[_OURS])
  rng = np.random.default_rng(0)
  chosen["random"] = rng.permutation(len(clips.records))[:count]
  true = np.flatnonzero(clips.drum & clips.right)
  chosen["random drums to the right"] = rng.permutation(true)[:count]
  before = {side: tuner.loss(tuner.start, each) for side, each in held.items()}
  told: dict[str, dict[str, list[float]]] = {}
  for name, some in chosen.items():
    told[name] = {"right": [], "left": []}
    told[name]["share"] = [float((clips.drum & clips.right)[some].mean())]
    for seed in range(seeds):
      state = tuner.tuned(clips[some], seed)
      for side, each in held.items():
        told[name][side].append(tuner.loss(state, each) / before[side])
  return told


class _Tuner:
  """Trains a Wan a little more, always from the same weights."""

  def __init__(self, folder: pathlib.Path):
    inside = folder / "transformer"
    computed = config.Computation(**weights.speed_of(inside))
    model = weights.load_transformer(inside, computed)
    self._graph, self.start = nnx.split(model)
    self._sizes = examples.sizes_of(folder, 0)
    self._shift = index.read(folder).trained.shift
    self._optimizer = optax.adam(_RATE)
    self._step = jax.jit(self._make_step)
    self._errors = jax.jit(self._make_errors)

  def tuned(self, clips: Clips, seed: int) -> nnx.State:
    """The parameters after some steps on some clips."""
    params = self.start
    moments = self._optimizer.init(params)
    rng = np.random.default_rng(seed)
    for number in range(_STEPS):
      some = rng.choice(len(clips.records), _ROWS)
      batch = self._batch([clips.records[place] for place in some])
      key = jax.random.fold_in(jax.random.key(1_000 + seed), number)
      params, moments = self._step(params, moments, batch, key)
    return params

  def loss(self, params: nnx.State, clips: Clips) -> float:
    """The mean loss of some clips, at fixed times and noise."""
    batch = self._batch(clips.records)
    noise = jax.random.normal(jax.random.key(7), batch["latents"].shape)
    return float(
      np.mean([self._errors(params, batch, noise, time) for time in _TIMES])
    )

  def _batch(
    self, records: Sequence[latents.LatentRecord]
  ) -> dict[str, np.ndarray]:
    made = [
      examples.example(record, self._sizes, "the pipeline")
      for record in records
    ]
    batch = {name: np.stack([each[name] for each in made]) for name in made[0]}
    return batch | {"has_speed": np.ones(len(made), bool)}

  def _make_errors(self, params, batch, noise, time):
    model = nnx.merge(self._graph, params)
    times = jnp.full(len(noise), time)
    return objective.velocity_error(model, batch, noise, times).mean()

  def _make_step(self, params, moments, batch, key):
    keys = jax.random.split(key)
    uniform = jax.random.uniform(keys[0], (_ROWS,))
    noise = jax.random.normal(keys[1], batch["latents"].shape)

    def loss(params):
      model = nnx.merge(self._graph, params)
      times = objective.times(uniform, self._shift)
      return objective.velocity_error(model, batch, noise, times).mean()

    gradient = jax.grad(loss)(params)
    updates, moments = self._optimizer.update(gradient, moments, params)
    return optax.apply_updates(params, updates), moments


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  properties = list(results["precision"]["chance"])
  rows = [
    [name, *(report.Figure(*each[what]).cell() for what in properties)]
    for name, each in results["precision"].items()
  ]
  tuned = [
    [
      name,
      f"{each['share'][0]:.0%}",
      *(
        ", ".join(f"{value:.3f}" for value in each[side])
        for side in ("right", "left")
      ),
    ]
    for name, each in results["fine_tuning"].items()
  ]
  return "\n\n".join(
    [
      report.markdown(["best tenth by", *properties], rows),
      report.markdown(
        [
          "trained on",
          "drums to the right",
          "loss of drums to the right, / before",
          "to the left",
        ],
        tuned,
      ),
      "",
    ]
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
