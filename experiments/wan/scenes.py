r"""Calculated scenes as records of shots, for a Wan of the least size.

  python -m experiments.wan.scenes records/drums --kind drum

Each is a drum that turns (`drums`), or a body that crosses the view
(`speed_generator.movers`), at one speed, filmed at 120 frames a second, so that
it can play at 1/4 to 4 times its speed.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from experiments.speed_generator import dataset, movers
from experiments.wan import drums
from speedflow.data import procedural, shards
from speedflow.data.procedural import ProceduralScene
from speedflow.data.records import shard_path
from speedflow.evaluation import report
from speedflow.output import claims

TEXTS = {"mover": "a ball falls", "drum": "a drum turns"}
"""What is said of the scenes of each kind."""

_FPS = Fraction(120)
_PER_FILE = 50
_QUALITY = 98
# Scenes of validation come before those of training.
_VALIDATION = 50


def main(argv: Sequence[str] | None = None) -> int:
  """Films them."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--kind", choices=list(TEXTS), default="drum")
  parser.add_argument("--scenes", type=int, default=1_000)
  parser.add_argument("--size", type=int, default=8, help="pixels along a side")
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  wanted = {}
  for split, count in (("val", _VALIDATION), ("train", args.scenes)):
    first = dataset.HELD_OUT + (0 if split == "val" else _VALIDATION)
    files = -(-count // _PER_FILE)
    for number in range(files):
      seeds = range(first + number, first + count, files)
      name = f"{args.kind}s"
      path = shard_path(args.out, name, split, number, files, "tfrecord")
      wanted[path] = functools.partial(
        _filmed, args.kind, args.size, seeds, split
      )
  with claims.claim("wan scenes", folders=[args.out]):
    shards.write_missing(wanted, workers=args.workers)
  return 0


def sample(kind: str, seed: int, size: int) -> ProceduralScene:
  """Draws a scene.

  Args:
    kind: one of `TEXTS`.
    seed: below `dataset.HELD_OUT` nothing is trained on.
    size: pixels along a side.
  """
  rng = np.random.default_rng([seed, len(f"{kind}s")])
  if kind == "drum":
    return drums.sample_drum(rng, size)
  scene = movers.sample_mover(rng, size)
  return dataclasses.replace(scene, seconds=drums.SECONDS)


def _filmed(
  kind: str, size: int, seeds: Sequence[int], split: str
) -> Iterator[bytes]:
  for seed in seeds:
    for record in procedural.to_records(
      sample(kind, seed, size),
      f"{kind}{seed:05}",
      _FPS,
      split=split,
      quality=_QUALITY,
    ):
      yield dataclasses.replace(record, content=TEXTS[kind]).encode()


if __name__ == "__main__":
  sys.exit(report.run(main))
