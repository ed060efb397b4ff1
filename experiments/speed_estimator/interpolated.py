r"""Slow motion made of ordinary clips by a strong interpolator.

  PYTHONPATH=.venv-rife python -m experiments.speed_estimator.interpolated \
    --data=$SPEEDFLOW_DATA --out=runs/interpolated
  speedflow data build runs/interpolated runs/interpolated_clips
  speedflow data motion runs/interpolated_clips runs/interpolated_motion

Real-time clips of the training split, slowed 2 to 16 times by pretrained RIFE.
Before it, the frames' grain is taken out; after it, grain of the same strength
is laid on every frame, true or made, for that of a real camera is new in each.
The files are encoded as ordinary ones are, and become records by the ordinary
way: at the strides that undo the slowing, the same made frames play in real
time and faster, so that what betrays the interpolator tells no speed.
"""

import argparse
import csv
import hashlib
import itertools
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from experiments.temporal_superres import rife
from speedflow import media
from speedflow.data import catalogue
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.timewarp import labels

FACTORS = (2, 4, 8, 16)

_SHARES = (0.15, 0.35, 0.3, 0.2)
# Frames of a file, about; at its true speed, more than `motion.MIN_MAPS`.
_FRAMES = 96
_FEWEST_SOURCE_FRAMES = 11
# Of a repository so many clips at most.
_MOST_CLIPS = 4
# Pixels of a picture: 128 x 176 or alike, somewhat more than flow has use for.
_AREA = 128 * 176
_PLAYED_FPS = 30
_CRF = (17, 29)
# What moves: grey levels from frame to frame, as of `labels.frame_change`.
_LEAST_CHANGE = 4.0
_BLOCK = 16
_COLUMNS = (
  *("file", "split", "category", "source", "source_path", "scene_group"),
  *("speed", "label", "label_why"),
)


class Plan(NamedTuple):
  """A file to make.

  Attributes:
    clip: of the data set.
    factor: how many times it is slowed.
    seed: of what is drawn.
  """

  clip: catalogue.Clip
  factor: int
  seed: int


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the files, and a clips.csv beside them; killed, it goes on."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", type=pathlib.Path, required=True)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  network = rife.Rife()
  for plan in plans(catalogue.from_folder(args.data)):
    row = args.out / f"{plan.clip.name}_slowed_{plan.factor}.csv"
    if not row.exists():
      _make(plan, network, row)
      _join(args.out)
  return 0


def plans(clips: Sequence[catalogue.Clip]) -> Iterator[Plan]:
  """What to make of a data set: clip by clip of each repository in turn.

  Args:
    clips: of all splits and kinds; those of real time to train on are taken.
  """
  chosen = [
    clip
    for clip in clips
    if clip.split == "train"
    and clip.category == "realtime"
    and clip.label == "assumed_realtime"
  ]
  chosen.sort(key=lambda clip: _digest(clip.name))
  counts: dict[str, int] = {}
  ranked = []
  for clip in chosen:
    rank = counts.get(clip.source, 0)
    counts[clip.source] = rank + 1
    if rank < _MOST_CLIPS:
      ranked.append((rank, _digest(clip.name), clip))
  for _, seed, clip in sorted(ranked, key=lambda item: item[:2]):
    rng = np.random.default_rng(seed)
    yield Plan(clip, int(rng.choice(FACTORS, p=_SHARES)), seed)


def _digest(text: str) -> int:
  return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _make(plan: Plan, network: rife.Rife, row: pathlib.Path) -> None:
  """One file and its row of the table; an empty row where nothing moves."""
  clip, factor, seed = plan
  rng = np.random.default_rng([seed, 1])
  video = row.with_suffix(".mp4")
  with media.VideoReader(clip.path) as reader:
    size = _size(reader.info.width, reader.info.height)
  with media.VideoReader(clip.path, size=size) as reader:
    frames = list(itertools.islice(reader, 1_000))
  images = [frame.image for frame in frames]
  gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
  kept = labels.true_frames(gray, [float(frame.time) for frame in frames])
  images = [images[i] for i in kept.indices]
  count = max(_FEWEST_SOURCE_FRAMES, _FRAMES // factor + 1)
  first = _busy([gray[i] for i in kept.indices], count, rng)
  if first is None:
    row.write_text("")
    return
  slowed = slow(images[first : first + count], factor, network, rng)
  with media.VideoWriter(
    video, _PLAYED_FPS, size, crf=int(rng.integers(*_CRF))
  ) as writer:
    for image in slowed:
      writer.write(image)
  speed = _PLAYED_FPS / (kept.fps * factor)
  known = {
    **{"file": video.name, "split": "train", "category": "slowmo"},
    **{"source": clip.source, "source_path": clip.source_path},
    **{"scene_group": clip.scene_group, "speed": f"{speed:.6g}"},
    **{"label": "believed", "label_why": f"{clip.name} slowed {factor} times"},
  }
  with atomic.atomic_path(row) as path, path.open("w", newline="") as file:
    csv.DictWriter(file, _COLUMNS).writerow(known)


def _join(folder: pathlib.Path) -> None:
  """Writes the table of what there is."""
  rows = [p.read_text() for p in sorted(folder.glob("*_slowed_*.csv"))]
  with atomic.atomic_path(folder / "clips.csv") as path:
    path.write_text(",".join(_COLUMNS) + "\n" + "".join(rows))


def _size(width: int, height: int) -> tuple[int, int]:
  """Width and height, even, of about `_AREA`."""
  scale = min(1.0, math.sqrt(_AREA / (width * height)))
  return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _busy(
  gray: Sequence[np.ndarray], count: int, rng: np.random.Generator
) -> int | None:
  """Where something moves throughout; None if nowhere.

  Args:
    gray: uint8 [h, w] each.
    count: frames that are wanted.
    rng: draws one of the places.

  Returns:
    Number of the first frame.
  """
  changes = np.array(
    [labels.frame_change(*pair) for pair in itertools.pairwise(gray)]
  )
  starts = range(max(0, len(gray) - count + 1))
  moving = [
    first
    for first in starts
    if np.median(changes[first : first + count - 1]) >= _LEAST_CHANGE
  ]
  return int(rng.choice(moving)) if moving else None


def slow(
  images: Sequence[np.ndarray],
  factor: int,
  network: rife.Rife,
  rng: np.random.Generator,
) -> Iterator[np.ndarray]:
  """Frames with others between them, all with grain of their own.

  Args:
    images: uint8 RGB [h, w, 3] each.
    factor: how many times slower.
    network: makes the frames between.
    rng: draws the grain.

  Yields:
    (n - 1) * factor + 1 frames, uint8 RGB [h, w, 3].
  """
  strength = float(np.median([grain(image) for image in images]))
  clean = [_without_grain(image, strength) for image in images]
  for number in range((len(images) - 1) * factor + 1):
    at, part = divmod(number, factor)
    image = clean[at]
    if part:
      image = network.between(image, clean[at + 1], part / factor)
    noise = rng.normal(0, strength, image.shape[:2])[..., None]
    yield np.rint(np.clip(image + noise, 0, 255)).astype(np.uint8)


def grain(image: np.ndarray) -> float:
  """Standard deviation of a picture's noise, grey levels.

  By the mask of Immerkaer ("Fast Noise Variance Estimation", 1996), in that
  quarter of the picture's blocks which has the least.

  Args:
    image: uint8 RGB [h, w, 3].
  """
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
  mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
  found = np.abs(cv2.filter2D(gray, -1, mask))
  rows, columns = (n // _BLOCK for n in found.shape)
  blocks = found[: rows * _BLOCK, : columns * _BLOCK]
  means = blocks.reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3))
  return float(np.percentile(means, 12.5) * math.sqrt(math.pi / 2) / 6)


def _without_grain(image: np.ndarray, strength: float) -> np.ndarray:
  if strength < 0.5:
    return image
  return cv2.fastNlMeansDenoisingColored(image, None, strength, strength, 5, 11)


if __name__ == "__main__":
  sys.exit(report.run(main))
