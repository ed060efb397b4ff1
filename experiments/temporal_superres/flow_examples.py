r"""Frames with true pictures between them, and RIFE's flow there, as a teacher.

  python -m experiments.temporal_superres.flow_examples \
    --records=records/clips --out=records/flow --count=3000

Frames of a shot, few or many apart, and calculated scenes, where much moves.
RIFE is asked for its flow to both frames; how far the picture it makes of it is
from the true one is kept, so that what it got wrong need not be learnt.
"""

import argparse
import pathlib
import sys
from typing import NamedTuple

import cv2
import numpy as np

from experiments.temporal_superres import rife
from speedflow.data import procedural
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report
from speedflow.output import atomic

HEIGHT, WIDTH = 192, 256
"""Of the pictures, pixels."""

FLOW_GRID = 4
"""Flow is kept of squares of so many pixels."""

_PER_FILE = 100
_GAPS = (2, 3, 4, 6, 8, 12, 16)
_SCENES = 0.15
# Shortest side of what is cut out, beside that of the picture.
_ZOOM = (0.75, 1.35)
_REPEAT = 0.3
_LEAST = 3.0  # Grey levels by which the two frames differ.


class Example(NamedTuple):
  """Two frames and the true picture between them.

  Attributes:
    images: uint8 [3, h, w, 3]: first, true, second.
    time: of the true one, 0..1.
  """

  images: np.ndarray
  time: float


def sample(shot: ShotRecord, rng: np.random.Generator) -> Example | None:
  """Draws an example of a shot; None where nothing fits."""
  if rng.random() < _SCENES:
    return _calculated(shot, rng)
  gaps = [gap for gap in _GAPS if gap < shot.num_frames]
  best, found = _LEAST, None
  for _ in range(3):
    if not gaps:
      break
    gap = int(rng.choice(gaps))
    start = int(rng.integers(shot.num_frames - gap))
    middle = int(rng.integers(1, gap))
    small = [
      shot.image(start + k, gray=True, reduce=8).astype(np.float32)
      for k in (0, middle, gap)
    ]
    change = _change(small[0], small[2])
    moved = min(_change(small[0], small[1]), _change(small[1], small[2]))
    even = min(middle, gap - middle) / gap * change
    if change > best and moved >= _REPEAT * even:
      best, found = change, (start, middle, gap)
  if found is None:
    return None
  start, middle, gap = found
  frames = [shot.image(start + k) for k in (0, middle, gap)]
  return Example(_cut(frames, rng), middle / gap)


def _calculated(shot: ShotRecord, rng: np.random.Generator) -> Example:
  pictures = [shot.image(int(k)) for k in rng.integers(shot.num_frames, size=2)]
  scene = procedural.ProceduralScene.sample(rng, (HEIGHT, WIDTH), 1.0, pictures)
  interval = 1 / float(np.exp2(rng.uniform(np.log2(8), np.log2(40))))
  start = float(rng.uniform(0.1, 0.9 - interval))
  time = int(rng.integers(1, 8)) / 8
  return Example(
    np.stack([scene.frame(start + t * interval) for t in (0.0, time, 1.0)]),
    time,
  )


def _change(a: np.ndarray, b: np.ndarray) -> float:
  return float(np.sqrt(((a - b) ** 2).mean()))


def _cut(frames: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
  """The liveliest of a few parts of the picture, at the wanted size."""
  height, width = frames[0].shape[:2]
  most = min(height / HEIGHT, width / WIDTH)
  size = float(np.clip(rng.uniform(*_ZOOM), 0, most))
  rows, columns = round(HEIGHT * size), round(WIDTH * size)
  change = cv2.absdiff(frames[0], frames[2]).max(-1)
  best, where = -1.0, (0, 0)
  for _ in range(3):
    top = int(rng.integers(height - rows + 1))
    left = int(rng.integers(width - columns + 1))
    busy = float(change[top : top + rows, left : left + columns].mean())
    if busy > best:
      best, where = busy, (top, left)
  top, left = where
  how = cv2.INTER_AREA if size > 1 else cv2.INTER_CUBIC
  return np.stack(
    [
      cv2.resize(
        frame[top : top + rows, left : left + columns],
        (WIDTH, HEIGHT),
        interpolation=how,
      )
      for frame in frames
    ]
  )


def _pooled(x: np.ndarray) -> np.ndarray:
  """Means of squares: [h, w, c] -> [h / 4, w / 4, c]."""
  h, w, c = x.shape
  n = FLOW_GRID
  return x.reshape(h // n, n, w // n, n, c).mean((1, 3))


def main() -> None:
  """Writes the examples of one split."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", type=pathlib.Path, required=True)
  parser.add_argument("--split", default="train")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--count", type=int, default=3000)
  parser.add_argument("--seed", type=int, default=0)
  args = parser.parse_args()
  args.out.mkdir(parents=True, exist_ok=True)
  source = RecordSource(split_shards(args.records, args.split))
  teacher = rife.Rife()
  rng = np.random.default_rng(args.seed)
  kept: list[dict[str, np.ndarray]] = []
  done = 0
  while done < args.count:
    for index in rng.permutation(len(source)):
      example = sample(ShotRecord.decode(source[int(index)]), rng)
      if example is None:
        continue
      first, truth, second = example.images
      seen = teacher.see(first, second, example.time)
      wrong = cv2.absdiff(seen.image, truth).astype(np.float32).mean(-1)
      flow = np.stack([_pooled(each) for each in seen.flow])
      kept.append(
        {
          "images": example.images,
          "time": np.float32(example.time),
          "flow": flow.astype(np.float16),
          "wrong": _pooled(wrong[..., None])[..., 0].astype(np.float16),
        }
      )
      done += 1
      if len(kept) == _PER_FILE or done == args.count:
        name = args.out / f"{args.split}-{done // _PER_FILE:04}.npz"
        with atomic.atomic_path(name) as temporary:
          arrays = {k: np.stack([x[k] for x in kept]) for k in kept[0]}
          with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        kept = []
        print(done, flush=True)
      if done == args.count:
        break


if __name__ == "__main__":
  sys.exit(report.run(main))
