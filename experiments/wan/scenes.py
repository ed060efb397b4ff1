r"""Mover scenes as records of shots, for a Wan of the least size.

  python -m experiments.wan.scenes records/movers

Each is a body that crosses the view at one speed (`speed_generator.movers`),
filmed at 120 frames a second, so that it can play at 1/4 to 4 times its speed.
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
from speedflow.data import procedural, shards
from speedflow.data.records import shard_path
from speedflow.evaluation import report
from speedflow.output import claims

NAME = "movers"
SIZE = 16
"""Pixels along a side."""

_FPS = Fraction(120)
_SECONDS = 2.2
_PER_FILE = 50
_QUALITY = 98
# Scenes of validation come before those of training.
_VALIDATION = 50


def main(argv: Sequence[str] | None = None) -> int:
  """Films them."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--scenes", type=int, default=1_000)
  parser.add_argument("--workers", type=int, default=1)
  args = parser.parse_args(argv)
  wanted = {}
  for split, count in (("val", _VALIDATION), ("train", args.scenes)):
    first = dataset.HELD_OUT + (0 if split == "val" else _VALIDATION)
    files = -(-count // _PER_FILE)
    for number in range(files):
      seeds = range(first + number, first + count, files)
      path = shard_path(args.out, NAME, split, number, files, "tfrecord")
      wanted[path] = functools.partial(_filmed, seeds, split)
  with claims.claim("wan scenes", folders=[args.out]):
    shards.write_missing(wanted, workers=args.workers)
  return 0


def _filmed(seeds: Sequence[int], split: str) -> Iterator[bytes]:
  for seed in seeds:
    rng = np.random.default_rng([seed, len(NAME)])
    scene = dataclasses.replace(
      movers.sample_mover(rng, SIZE), seconds=_SECONDS
    )
    for record in procedural.to_records(
      scene, f"mover{seed:05}", _FPS, split=split, quality=_QUALITY
    ):
      yield dataclasses.replace(record, content="a ball falls").encode()


if __name__ == "__main__":
  sys.exit(report.run(main))
