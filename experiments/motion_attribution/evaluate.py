"""Is what attribution says true? Projection, retraining, selection, bias, cost.

  python -m experiments.motion_attribution.families records/families
  python -m experiments.motion_attribution.evaluate \
    --records=records/families --workdir=runs/attribution \
    --out=experiments/motion_attribution/results/test.json

Trains some thirty small generators, and keeps each, and each part of the
results, in the working folder: a second call goes on where the first was
killed. `--only` makes some parts, `--seeds` fewer runs. Prints the table of
README.md.
"""

import argparse
import csv
import dataclasses
import functools
import itertools
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich import progress
from scipy import stats

from configs import motion_attribution as configs
from experiments.motion_attribution import families, physics, retrain
from experiments.speed_generator import dataset
from experiments.speed_generator.experiment import Experiment
from speedflow.attribute import attribution, features, scores, track_features
from speedflow.attribute.projection import Projection
from speedflow.attribute.track_features import FeatureMaker, Settings
from speedflow.data import tracks
from speedflow.data.records import RecordSource
from speedflow.evaluation import detection, report
from speedflow.generate import weights
from speedflow.generate.generator import SpeedGenerator
from speedflow.models import generator as generator_lib
from speedflow.output import atomic
from speedflow.training import run_record

TOP = 0.1
# Each is left out in turn.
GROUPS = (*families.PHYSICS, *families.CARTOONS)
DIMENSIONS = (32, 128, 512, 2048)
# Clips whose whole gradients are compared.
WHOLE = 100
FINE_TUNING_STEPS = 100
FINE_TUNING_RATE = 1e-3
# Draws of noise over which the loss of a query is averaged.
_DRAWS = 8


class Study:
  """The data, and generators that are trained once."""

  def __init__(
    self,
    records: pathlib.Path,
    workdir: pathlib.Path,
    split: str,
    first: int,
    seeds: int,
  ):
    """Reads the records.

    Args:
      records: of `families`.
      workdir: where generators are kept.
      split: that queries and scenes to measure come from.
      first: seed of the first scene of the records.
      seeds: runs of what is trained.
    """
    self.seeds = range(seeds)
    self.workdir = workdir
    self.split, self.first = split, first
    self.config = configs.get_config("tiny")
    self.config.data.records = str(records)
    self.source = RecordSource(dataset.shards(records, "train"))
    self.clips = [tracks.TrackRecord.decode(r) for r in self.source]
    self.ids = [clip.id for clip in self.clips]
    self.group = np.array([clip.scene_group for clip in self.clips])
    asked = RecordSource(dataset.shards(records, split))
    held = [tracks.TrackRecord.decode(r) for r in asked]
    self.queries = {
      family: [clip for clip in held if clip.scene_group == family]
      for family in families.PHYSICS
    }
    self.planted = np.isin(self.group, families.CARTOONS)

  def base(self, seed: int) -> SpeedGenerator:
    """A generator that was trained on everything."""
    return self._kept(
      f"base-{seed}", lambda: self._from_scratch.train(seed=seed)
    )

  def without(self, group: str, seed: int) -> SpeedGenerator:
    """One that was trained on everything but a group."""
    chosen = self.group != group
    return self._kept(
      f"without-{group}-{seed}",
      lambda: self._from_scratch.train(
        self._selection(f"without-{group}", chosen), seed=seed
      ),
    )

  def tuned(self, name: str, chosen: np.ndarray, seed: int) -> SpeedGenerator:
    """The base of a seed, trained on chosen clips, bool [n], a little more."""
    return self._kept(
      f"tuned-{name}-{seed}",
      lambda: self._fine_tuning.train(
        self._selection(f"tuned-{name}-{seed}", chosen),
        seed=100 + seed,
        start=self.base(seed).model,
      ),
    )

  @functools.cached_property
  def _from_scratch(self) -> retrain.Trainer:
    return retrain.Trainer(self.config)

  @functools.cached_property
  def _fine_tuning(self) -> retrain.Trainer:
    config = self.config.copy_and_resolve_references()
    config.num_steps = FINE_TUNING_STEPS
    config.optimizer.learning_rate = FINE_TUNING_RATE
    config.optimizer.warmup_steps = 10
    return retrain.Trainer(config)

  def _kept(
    self, name: str, train: Callable[[], generator_lib.Generator]
  ) -> SpeedGenerator:
    path = self.workdir / f"{name}.safetensors"
    if not path.exists():
      Experiment(self.config).export(train(), path)
    return weights.load_generator(path)

  def _selection(self, name: str, chosen: np.ndarray) -> pathlib.Path:
    path = self.workdir / f"{name}.csv"
    with (
      atomic.atomic_path(path) as temporary,
      temporary.open("w", newline="", encoding="utf-8") as file,
    ):
      rows = csv.writer(file)
      rows.writerow(["id", "weight"])
      rows.writerows(zip(self.ids, chosen.astype(int).tolist(), strict=True))
    return path

  @functools.cache  # noqa: B019
  def attributed(
    self, seed: int, mask: features.Mask = "min_max"
  ) -> "Attributed":
    """Features of all clips and queries, by the base of a seed."""
    path = self.workdir / f"features-{mask}-{seed}.npz"
    maker = self.base(seed)
    feature_maker = FeatureMaker(maker, Settings.of(maker, mask))
    if not path.exists():
      feature_maker.features(self.clips[:8])  # Compiles.
      started = time.process_time()
      of_clips = feature_maker.features(self.clips)
      spent = time.process_time() - started
      with atomic.atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **of_clips._asdict(), seconds=spent)
    with np.load(path) as kept:
      return Attributed(
        clips=features.Features(
          **{n: kept[n] for n in features.Features._fields}
        ),
        queries={
          family: feature_maker.features(clips)
          for family, clips in self.queries.items()
        },
        seconds_per_clip=float(kept["seconds"]) / len(self.clips),
      )


@dataclasses.dataclass(frozen=True, eq=False)
class Attributed:
  """Features of the clips, and of the queries of each family."""

  clips: features.Features
  queries: Mapping[str, features.Features]
  seconds_per_clip: float

  def ranking(self, family: str) -> scores.Ranking:
    """Of the clips, for all queries of a family."""
    return scores.rank(self.clips.unit, self.queries[family].unit, TOP)


def projected_against_whole(study: Study) -> dict[str, Any]:
  """(a) Do projected gradients rank clips as whole ones do?

  Returns:
    Spearman correlation of cosines, by dimensions: of all clips and gravity
    queries, and among clips of the gravity family alone; of features as they
    are stored; and the typical error of a cosine.
  """
  maker = study.base(0)
  settings = Settings.of(maker)
  feature_maker = FeatureMaker(maker, settings)
  chosen = np.random.default_rng(0).permutation(len(study.clips))[:WHOLE]
  records = [study.clips[i] for i in chosen] + study.queries["gravity"]
  config = maker.config
  rows = []
  for record in records:
    clip = track_features.read_clip(
      record, settings, maker.facts.knots, config.image
    )
    rows.append(feature_maker.gradient(track_features.stack([clip], settings)))
  whole = np.stack([_flat(row) for row in rows])

  def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit[:WHOLE] @ unit[WHOLE:].T

  truth = cosines(whole.astype(np.float64))
  same = study.group[chosen] == "gravity"

  def against(found: np.ndarray) -> dict[str, float]:
    return {
      "spearman": _spearman(truth, found),
      "spearman_within_gravity": _spearman(truth[same], found[same]),
      "spearman_of_means": _spearman(truth.mean(1), found.mean(1)),
      "rms_error": float(np.sqrt(np.square(truth - found).mean())),
    }

  result: dict[str, Any] = {
    "clips": WHOLE,
    "queries": len(records) - WHOLE,
    "parameters": whole.shape[1],
    "deviation_of_cosines": float(truth.std()),
  }
  for dimensions in DIMENSIONS:
    project = jax.jit(Projection(dimensions))
    found = cosines(np.stack([project(row) for row in rows]))
    result[f"{dimensions}"] = against(found)
  stored = feature_maker.features(records).unit
  result["stored"] = against(cosines(stored.astype(np.float64)))
  return result


def _flat(tree: Any) -> np.ndarray:
  return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def found_planted(study: Study) -> dict[str, Any]:
  """(b) Are the planted clips the worst teachers of gravity?

  Returns:
    For each seed and mask, the area under the curve: among balls, which all
    look alike; for each kind of cartoon; and among all clips.
  """
  result = {}
  masks: tuple[features.Mask, ...] = ("min_max", "none")
  for seed in study.seeds:
    for mask in masks:
      ranking = study.attributed(seed, mask).ranking("gravity")
      bad = -ranking.mean
      ball = study.planted | (study.group == "gravity")
      part = {"balls": detection.area_under_roc(bad[ball], study.planted[ball])}
      for kind in families.CARTOONS:
        some = np.isin(study.group, [kind, "gravity"])
        part[kind] = detection.area_under_roc(bad[some], study.planted[some])
      part["all_clips"] = detection.area_under_roc(bad, study.planted)
      best = ranking.order[: scores.share(TOP, len(study.ids))]
      part["top_is_gravity"] = float(np.mean(study.group[best] == "gravity"))
      result[f"{mask}, seed {seed}"] = part
  return result


def against_retraining(study: Study) -> dict[str, Any]:
  """(b) Does leaving a group out do what attribution says?

  Returns:
    Influence of each group (the sum of its clips' mean cosines) and rise of the
    loss without it, for queries of each family; their rank correlations; and
    that between the rises of two seeds, which bounds what can be told.
  """
  told = np.zeros((len(families.PHYSICS), len(GROUPS)))
  rise = np.zeros((len(study.seeds), *told.shape))
  for seed in study.seeds:
    before = _query_losses(study, study.base(seed))
    for column, group in enumerate(GROUPS):
      after = _query_losses(study, study.without(group, seed))
      rise[seed, :, column] = after - before
    for row, family in enumerate(families.PHYSICS):
      mean = study.attributed(seed).ranking(family).mean
      told[row] += [mean[study.group == group].sum() for group in GROUPS]
  told /= len(study.seeds)
  average = rise.mean(0)
  other = np.array([[f != g for g in GROUPS] for f in families.PHYSICS])
  gravity = families.PHYSICS.index("gravity")
  pairs = list(itertools.combinations(rise, 2))
  return {
    "groups": list(GROUPS),
    "queries": list(families.PHYSICS),
    "influence": told.round(3).tolist(),
    "rise_of_loss": average.round(6).tolist(),
    "spearman": _spearman(told, average),
    "spearman_gravity": _spearman(told[gravity], average[gravity]),
    "spearman_without_own_family": _spearman(told[other], average[other]),
    "spearman_of_two_seeds": [_spearman(one, two) for one, two in pairs],
    "spearman_of_two_seeds_without_own_family": [
      _spearman(one[other], two[other]) for one, two in pairs
    ],
  }


def _query_losses(study: Study, maker: SpeedGenerator) -> np.ndarray:
  """The loss of each family's queries, all points alike, float [families]."""
  losses = []
  for clips in study.queries.values():
    draws = [
      _loss(maker, clips, Settings.of(maker, "none"), seed)
      for seed in range(_DRAWS)
    ]
    losses.append(np.mean(draws))
  return np.array(losses)


def _loss(
  maker: SpeedGenerator,
  clips: Sequence[tracks.TrackRecord],
  settings: Settings,
  seed: int,
) -> float:
  config, facts = maker.config, maker.facts
  read = [
    track_features.read_clip(clip, settings, facts.knots, config.image)
    for clip in clips
  ]
  batch = jax.tree.map(jnp.asarray, track_features.stack(read, settings))
  noise = jax.random.normal(jax.random.key(seed), batch["trajectories"].shape)
  yes = jnp.ones(len(read), bool)
  error = _velocity_error(
    maker.model,
    batch,
    noise=noise,
    time=jnp.full(len(read), settings.time),
    has_image=yes,
    has_speed=yes,
    weight=batch["weight"],
  )
  return float((error * facts.knots / batch["length"]).mean())


_velocity_error = nnx.jit(generator_lib.velocity_error)


def fine_tuned(study: Study) -> dict[str, Any]:
  """(c) Is motion better after training on what attribution selects?

  Returns:
    For each selection: the error of a ball's acceleration and of the speed,
    means over seeds and their standard deviations, and what was selected.
  """
  result: dict[str, Any] = {}
  for name, chosen_by in _SELECTIONS.items():
    measured = []
    for seed in study.seeds:
      chosen = chosen_by(study, seed)
      before = name == "before"
      maker = study.base(seed) if before else study.tuned(name, chosen, seed)
      share = float(np.mean(study.group[chosen] == "gravity"))
      scenes = families.seeds("gravity", study.split, study.first)
      falls = physics.measure(maker, scenes)
      measured.append(
        {
          "physical_error": falls.physical_error,
          "acceleration": float(falls.acceleration.mean()),
          "speed_factor_error": falls.speed_factor_error,
          "speed_spearman": falls.speed_spearman,
          "gravity_in_selection": share,
        }
      )
    result[name] = {
      key: {
        "mean": round(float(np.mean([m[key] for m in measured])), 4),
        "deviation": round(
          float(np.std([m[key] for m in measured], ddof=1)), 4
        ),
      }
      for key in measured[0]
    }
  return result


def _best(order: np.ndarray) -> np.ndarray:
  chosen = np.zeros(len(order), bool)
  chosen[order[: scores.share(TOP, len(order))]] = True
  return chosen


def _attributed_best(mask: features.Mask):
  def choose(study: Study, seed: int) -> np.ndarray:
    ranking = study.attributed(seed, mask).ranking("gravity")
    return attribution.selected(ranking, TOP)

  return choose


def _most_motion(study: Study, seed: int) -> np.ndarray:
  return _best(np.argsort(-study.attributed(seed).clips.motion))


def _random(study: Study, seed: int) -> np.ndarray:
  return _best(np.random.default_rng(seed).permutation(len(study.ids)))


def _known(study: Study, seed: int) -> np.ndarray:
  """Real falls alone: what a perfect attribution would choose from."""
  order = np.random.default_rng(seed).permutation(len(study.ids))
  last = np.argsort(study.group[order] != "gravity", kind="stable")
  return _best(order[last])


_SELECTIONS: dict[str, Callable[[Study, int], np.ndarray]] = {
  "before": lambda study, seed: np.ones(len(study.ids), bool),
  "attributed 10 %": _attributed_best("min_max"),
  "attributed 10 %, no mask": _attributed_best("none"),
  "random 10 %": _random,
  "most motion 10 %": _most_motion,
  "everything": lambda study, seed: np.ones(len(study.ids), bool),
  "known falls 10 %": _known,
}


def biases(study: Study) -> dict[str, Any]:
  """(d) Do long or lively clips win by that alone?

  Returns:
    Rank correlations of length and of mean motion with the influence on
    gravity queries, among clips of the gravity family and over all; the same
    for inner products of features that were not scaled to length one, and
    without the division by the clip's length.
  """
  maker = study.base(0)
  among = study.group == "gravity"
  result = {}
  for name, by_length, unit in (
    ("cosine", True, True),
    ("inner product", True, False),
    ("inner product, undivided", False, False),
  ):
    settings = dataclasses.replace(Settings.of(maker), by_length=by_length)
    feature_maker = FeatureMaker(maker, settings)
    clips = feature_maker.features(study.clips)
    queries = feature_maker.features(study.queries["gravity"])
    influence = scores.rank(clips.unit, queries.unit, TOP).mean
    if not unit:
      influence = influence * clips.norm
    result[name] = {
      f"{what}, {where}": _spearman(values[some], influence[some])
      for what, values in (("length", clips.length), ("motion", clips.motion))
      for where, some in (("gravity", among), ("all", among | True))
    }
  return result


def cost(study: Study) -> dict[str, Any]:
  """What a clip costs, and what a dense projection of the same error would.

  Returns:
    Seconds of CPU and bytes for each clip; seconds of CPU for one projection,
    structured and dense, and the error of both on the same gradients.
  """
  maker = study.base(0)
  attributed = study.attributed(0)
  settings = Settings.of(maker)
  feature_maker = FeatureMaker(maker, settings)
  gradients = []
  for record in study.clips[:16]:
    clip = track_features.read_clip(
      record, settings, maker.facts.knots, maker.config.image
    )
    gradients.append(
      feature_maker.gradient(track_features.stack([clip], settings))
    )
  flat = np.stack([_flat(gradient) for gradient in gradients])
  dimensions = settings.dimensions

  def dense(vector: jax.Array) -> jax.Array:
    """Rows of a Gaussian matrix, drawn a few at a time: it fits no memory."""

    def rows(key: jax.Array) -> jax.Array:
      return jax.random.normal(key, (8, vector.size)) @ vector

    keys = jax.random.split(jax.random.key(0), dimensions // 8)
    return jax.lax.map(rows, keys).reshape(-1) / np.sqrt(dimensions)

  matrix = np.random.default_rng(0).standard_normal(
    (dimensions, flat.shape[1]), np.float32
  )
  result: dict[str, Any] = {
    "cpu_seconds_per_clip": attributed.seconds_per_clip,
    "bytes_per_clip": int(attributed.clips.unit[0].nbytes) + 12,
    "parameters": flat.shape[1],
  }
  for name, project, given in (
    ("structured", jax.jit(Projection(dimensions)), gradients),
    ("dense, kept in memory", jax.jit(lambda v: matrix @ v), list(flat)),
    ("dense, drawn anew", jax.jit(dense), list(flat)),
  ):
    found = [np.asarray(project(vector)) for vector in given[:4]]
    started = time.process_time()
    if "anew" not in name:
      found = [np.asarray(project(vector)) for vector in given]
    else:
      jax.block_until_ready(project(given[0]))
    count = 1 if "anew" in name else len(given)
    spent = (time.process_time() - started) / count
    length = np.linalg.norm(flat[: len(found)], axis=1)
    scale = np.sqrt(dimensions) if "kept" in name else 1.0
    ratio = np.linalg.norm(np.stack(found), axis=1) / scale / length
    result[name] = {
      "cpu_seconds": spent,
      "million_numbers_per_second": flat.shape[1] / spent / 1e6,
      "rms_error_of_length": float(np.sqrt(np.square(ratio - 1).mean())),
      "gradients": len(found),
    }
  return result


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
  return float(stats.spearmanr(np.ravel(one), np.ravel(other))[0])


PARTS: dict[str, Callable[[Study], dict[str, Any]]] = {
  "projection": projected_against_whole,
  "planted": found_planted,
  "fine_tuning": fine_tuned,
  "bias": biases,
  "cost": cost,
  "leave_out": against_retraining,
}


def table(result: Mapping[str, Any]) -> str:
  """The results, to be read."""
  lines = []
  for name in PARTS:
    if name not in result:
      continue
    lines += ["", f"## {name}", ""]
    lines += _rows(result[name])
  return "\n".join(lines).strip() + "\n"


def _rows(part: Mapping[str, Any]) -> list[str]:
  """A table of a mapping of mappings; what is no mapping goes above it."""
  lines = [
    f"- {key}: {_number(value)}"
    for key, value in part.items()
    if not isinstance(value, dict)
  ]
  rows = {k: v for k, v in part.items() if isinstance(v, dict)}
  if not rows:
    return lines
  columns = list(next(iter(rows.values())))
  lines += [
    "",
    "| | " + " | ".join(columns) + " |",
    "|---" * (len(columns) + 1),
  ]
  lines[-1] += "|"
  for name, row in rows.items():
    cells = [_number(row[column]) for column in columns]
    lines.append(f"| {name} | " + " | ".join(cells) + " |")
  return lines


def _number(value: Any) -> str:
  if isinstance(value, dict):
    return f"{value['mean']:.3f} ± {value['deviation']:.3f}"
  return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes the results and their table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/families")
  )
  parser.add_argument(
    "--first", type=int, default=0, help="seed the records were written with"
  )
  parser.add_argument("--workdir", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="val")
  parser.add_argument("--seeds", type=int, default=3)
  parser.add_argument("--only", action="append", choices=list(PARTS))
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  study = Study(args.records, args.workdir, args.split, args.first, args.seeds)
  result: dict[str, Any] = {
    **run_record.circumstances(),
    "config": study.config.to_dict(),
    "data_fingerprint": study.source.fingerprint(),
    "split": args.split,
    "seeds": args.seeds,
    "clips": len(study.ids),
    "top": TOP,
    "fine_tuning_settings": {
      "steps": FINE_TUNING_STEPS,
      "rate": FINE_TUNING_RATE,
    },
  }
  for name in progress.track(args.only or PARTS, "measuring"):
    result[name] = _kept_part(study, name)
  result["cpu_seconds"] = round(
    sum(result[name]["cpu_seconds"] for name in args.only or PARTS)
  )
  run_record.write_results(args.out, result, table(result))
  return 0


def _kept_part(study: Study, name: str) -> dict[str, Any]:
  """A part of the results, made now unless it is there already."""
  path = study.workdir / f"{name}-{study.split}.json"
  if not path.exists():
    started = time.process_time()
    part = PARTS[name](study)
    part["cpu_seconds"] = round(time.process_time() - started, 1)
    with atomic.atomic_path(path) as temporary:
      temporary.write_text(json.dumps(part))
  return json.loads(path.read_text())


if __name__ == "__main__":
  sys.exit(report.run(main))
