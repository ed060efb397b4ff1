r"""Examples with all of their flow, found once, for many runs of training.

  python -m experiments.temporal_superres.wide_examples \
    --records=records/clips --flow=runs/flow.safetensors --out=records/wide \
    --count=4000

Most are sharp, of all strides; the rest are as `dataset.ExampleSampler` draws
them for `configs/temporal_superres.py`. Flow sees, and pixels are fetched from,
what surrounds an example: things that move far do not come from its border.
"""

import argparse
import dataclasses
import pathlib
import sys

import numpy as np

from experiments.temporal_superres import dataset
from speedflow.data.records import RecordSource, split_shards
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.superres import search, weights

SIDE = 144
"""Of an example, pixels; `dataset.MARGIN` more on all sides are there."""

_PER_FILE = 200
_SHARP = dataset.ExampleSampler(
  crop=SIDE,
  crops=2,
  blurred=0.0,
  blurred_slow=0.0,
  scenes=0.1,
  blurred_scenes=0.0,
  unknown=0.3,
  alone=0.1,
  smallest=0.6,
  wide=True,
  moved=0.25,
)
_USUAL = dataclasses.replace(
  _SHARP,
  blurred=0.1,
  blurred_slow=0.7,
  scenes=0.25,
  blurred_scenes=0.8,
  moved=0.0,
)
_SHARP_SHARE = 0.7


def searched(
  finder: search.Search, example: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """An example with what a learnt flow finds in it, and how far things move."""
  inner = slice(dataset.MARGIN, -dataset.MARGIN)
  frames = example.pop("frames")
  found = finder.between(*frames)(float(example["time"]))[inner, inner]
  far = np.hypot(*np.moveaxis(example["flow"].astype(np.float32), -1, 0))
  other = np.hypot(*np.moveaxis(found[..., 2:4] - found[..., :2], -1, 0))
  motion = max(float(np.percentile(each, 90)) for each in (far, other))
  return example | {
    "found": found.astype(np.float16),
    "motion": np.float32(motion),
  }


def main() -> None:
  """Writes the examples of one split."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="train")
  parser.add_argument("--flow", required=True, help="weights of a `TimeFlow`")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--count", type=int, default=4000)
  parser.add_argument("--seed", type=int, default=0)
  args = parser.parse_args()
  args.out.mkdir(parents=True, exist_ok=True)
  source = RecordSource(split_shards(args.records, args.split))
  finder = search.Search(weights.TIME_FLOW.load(args.flow)[0])
  rng = np.random.default_rng(args.seed)
  kept: list[dict[str, np.ndarray]] = []
  done = 0
  while done < args.count:
    for index in rng.permutation(len(source)):
      sampler = _SHARP if rng.random() < _SHARP_SHARE else _USUAL
      drawn = sampler(source[int(index)], rng)
      for k in range(sampler.crops):
        kept.append(searched(finder, {n: x[k] for n, x in drawn.items()}))
      done += sampler.crops
      if len(kept) >= _PER_FILE or done >= args.count:
        name = args.out / f"{args.split}-{done // _PER_FILE:04}.npz"
        with atomic.atomic_path(name) as temporary, open(temporary, "wb") as f:
          np.savez(f, **{n: np.stack([x[n] for x in kept]) for n in kept[0]})
        kept = []
        print(done, flush=True)
      if done >= args.count:
        break


if __name__ == "__main__":
  sys.exit(report.run(main))
