"""Crops of the examples of `wide_examples`, with what surrounds them."""

import dataclasses
import pathlib
from typing import Any, SupportsIndex

import grain
import ml_collections
import numpy as np

from experiments.temporal_superres import dataset, wide_examples
from speedflow.data import pipeline
from speedflow.errors import SpeedflowError

MARGIN = 48
"""Pixels beside a crop from which it is fetched, too."""

# Examples in which things move at least so far, in pixels, come so often.
_OFTEN = ((0.0, 1), (6.0, 2), (15.0, 3))


class Examples:
  """The examples of a split, in memory; more often those of much motion."""

  def __init__(self, folder: pathlib.Path, split: str):
    """Reads them.

    Args:
      folder: that `wide_examples` wrote.
      split: `train` or `val`.

    Raises:
      SpeedflowError: there are none.
    """
    files = sorted(folder.glob(f"{split}-*.npz"))
    if not files:
      raise SpeedflowError(
        f"{folder}: no examples of the split {split!r}; make them with"
        " `python -m experiments.temporal_superres.wide_examples`"
      )
    self._rows: list[dict[str, np.ndarray]] = []
    for path in files:
      with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
      for k, motion in enumerate(arrays.pop("motion")):
        row = {name: x[k] for name, x in arrays.items()}
        self._rows += [row] * max(n for low, n in _OFTEN if motion >= low)

  def __len__(self) -> int:
    """How many there are, the repeated ones counted."""
    return len(self._rows)

  def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
    """One of them."""
    return self._rows[int(index)]


@dataclasses.dataclass(frozen=True)
class Augment:
  """A transform: example -> a crop of it, turned and mirrored.

  Attributes:
    crop: side of it, pixels.
  """

  crop: int

  def __call__(
    self, example: dict[str, np.ndarray], rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws a crop.

    Args:
      example: of `Examples`.
      rng: source of randomness.

    Returns:
      images: uint8 [2, w, w, 3], w = s + 2 `MARGIN`; truth: uint8 [s, s, 3];
      flow: float16 [2, s, s, 2]; bend: float16 [s, s, 2]; found: float16 [s,
      s, 5]; astray: float16 [s, s, 2]; time and exposure: float32.
    """
    room = wide_examples.SIDE - self.crop
    top, left = max(
      (tuple(rng.integers(room, size=2, endpoint=True)) for _ in range(2)),
      key=lambda place: self._change(example, *place),
    )
    inner = (slice(top, top + self.crop), slice(left, left + self.crop))
    pad = MARGIN - dataset.MARGIN
    side = self.crop + 2 * MARGIN
    images = np.pad(
      example["images"], ((0, 0), (pad, pad), (pad, pad), (0, 0)), "edge"
    )[:, top : top + side, left : left + side]
    colours = rng.permutation(3)
    made = {
      "images": images[..., colours],
      "truth": example["truth"][inner][..., colours],
      "flow": example["flow"][:, *inner],
      "bend": example["bend"][inner],
      "found": example["found"][inner],
      "astray": example["astray"][inner],
    }
    time = float(example["time"])
    if rng.random() < 0.5:
      made, time = _backwards(made), 1 - time
    for turn in (_mirrored, _upside_down, _transposed):
      if rng.random() < 0.5:
        made = turn(made)
    return {name: np.ascontiguousarray(x) for name, x in made.items()} | {
      "time": np.array(time, np.float32),
      "exposure": example["exposure"],
    }

  def _change(
    self, example: dict[str, np.ndarray], top: int, left: int
  ) -> float:
    """How much the middle of a crop differs between both frames."""
    y, x = (k + dataset.MARGIN for k in (top, left))
    part = example["images"][:, y : y + self.crop : 4, x : x + self.crop : 4]
    first, second = part.astype(np.int16)
    return float(np.abs(first - second).mean())


_Arrays = dict[str, np.ndarray]


def _backwards(made: _Arrays) -> _Arrays:
  found = made["found"]
  return made | {
    "images": made["images"][::-1],
    "flow": made["flow"][::-1],
    "found": np.dstack([found[..., 2:4], found[..., :2], -found[..., 4:]]),
    "astray": made["astray"][..., ::-1],
  }


def _mirrored(made: _Arrays) -> _Arrays:
  return _turned(made, lambda x: x[..., ::-1, :], (-1, 1))


def _upside_down(made: _Arrays) -> _Arrays:
  return _turned(made, lambda x: x[..., ::-1, :, :], (1, -1))


def _transposed(made: _Arrays) -> _Arrays:
  made = {name: np.swapaxes(x, -2, -3) for name, x in made.items()}
  return made | {
    "flow": made["flow"][..., ::-1],
    "bend": made["bend"][..., ::-1],
    "found": made["found"][..., [1, 0, 3, 2, 4]],
  }


def _turned(made: _Arrays, turn: Any, signs: tuple[int, int]) -> _Arrays:
  made = {name: turn(x) for name, x in made.items()}
  way = np.array(signs, np.float16)
  return made | {
    "flow": made["flow"] * way,
    "bend": made["bend"] * way,
    "found": made["found"] * np.array([*signs, *signs, 1], np.float16),
  }


def training_batches(
  config: ml_collections.ConfigDict,
  *,
  split: str,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset[Any]:
  """An endless stream of batches of `Augment`'s arrays."""
  return pipeline.batches(
    Examples(pathlib.Path(config.examples), split),
    [Augment(config.crop)],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_threads=config.threads,
  )
