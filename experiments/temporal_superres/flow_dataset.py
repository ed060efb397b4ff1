"""Crops of the examples of `flow_examples`, moved and mirrored at random."""

import dataclasses
import pathlib
from typing import Any, SupportsIndex

import grain
import ml_collections
import numpy as np

from experiments.temporal_superres import flow_examples
from speedflow.data import pipeline
from speedflow.errors import SpeedflowError

_GRID = flow_examples.FLOW_GRID


class Examples:
  """The examples of a split, in memory."""

  def __init__(self, folder: pathlib.Path, split: str):
    """Reads them.

    Args:
      folder: that `flow_examples` wrote.
      split: `train` or `val`.

    Raises:
      SpeedflowError: there are none.
    """
    files = sorted(folder.glob(f"{split}-*.npz"))
    if not files:
      raise SpeedflowError(
        f"{folder}: no examples of the split {split!r}; make them with"
        " `python -m experiments.temporal_superres.flow_examples`"
      )
    self._rows: list[dict[str, np.ndarray]] = []
    for path in files:
      with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
      self._rows += [
        {name: x[k] for name, x in arrays.items()}
        for k in range(len(arrays["time"]))
      ]

  def __len__(self) -> int:
    """How many there are."""
    return len(self._rows)

  def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
    """One of them."""
    return self._rows[int(index)]


@dataclasses.dataclass(frozen=True)
class Augment:
  """A transform: example -> a crop of it.

  Attributes:
    height: of the crop, pixels.
    width: of the crop, pixels.
    moved: chance that the whole picture moves, too.
  """

  height: int
  width: int
  moved: float

  def __call__(
    self, example: dict[str, np.ndarray], rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws a crop.

    Args:
      example: of `Examples`.
      rng: source of randomness.

    Returns:
      images: uint8 [3, h, w, 3], first, true, second; time: float32; flow:
      float32 [2, h / 4, w / 4, 2], to first and second; wrong: float32 [h / 4,
      w / 4], error of the teacher's picture in grey levels.
    """
    images, time = example["images"], float(example["time"])
    flow = example["flow"].astype(np.float32)
    wrong = example["wrong"].astype(np.float32)
    _, rows, columns, _ = images.shape
    moved = rng.random() < self.moved
    tops, lefts = (
      _places(room, time, moved, rng)
      for room in (rows - self.height, columns - self.width)
    )
    crop = np.stack(
      [
        image[y : y + self.height, x : x + self.width]
        for image, y, x in zip(images, tops, lefts, strict=True)
      ]
    )
    y, x = tops[1] // _GRID, lefts[1] // _GRID
    inner = (
      slice(y, y + self.height // _GRID),
      slice(x, x + self.width // _GRID),
    )
    flow = flow[:, *inner]
    for way, k in enumerate((0, 2)):
      flow[way] += np.array(
        [lefts[1] - lefts[k], tops[1] - tops[k]], np.float32
      )
    wrong = wrong[inner]
    if rng.random() < 0.5:
      crop, flow, wrong = crop[:, ::-1], flow[:, ::-1], wrong[::-1]
      flow = flow * np.array([1, -1], np.float32)
    if rng.random() < 0.5:
      crop, flow, wrong = crop[:, :, ::-1], flow[:, :, ::-1], wrong[:, ::-1]
      flow = flow * np.array([-1, 1], np.float32)
    if rng.random() < 0.5:
      crop, flow, time = crop[::-1], flow[::-1], 1 - time
    return {
      "images": np.ascontiguousarray(crop[..., rng.permutation(3)]),
      "time": np.array(time, np.float32),
      "flow": np.ascontiguousarray(flow),
      "wrong": np.ascontiguousarray(wrong),
    }


def _places(
  room: int, time: float, moved: bool, rng: np.random.Generator
) -> list[int]:
  """Where the three crops begin, along one axis; the middle one on the grid."""
  middle = int(rng.integers(room // _GRID + 1)) * _GRID
  speed = float(rng.uniform(-room, room)) if moved else 0.0
  return [
    int(np.clip(round(middle + part * speed), 0, room)) if part else middle
    for part in (-time, 0.0, 1 - time)
  ]


def training_batches(
  config: ml_collections.ConfigDict,
  source: Examples,
  *,
  batch_size: int,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset[Any]:
  """An endless stream of batches of `Augment`'s arrays."""
  transform = Augment(config.height, config.width, config.moved)
  return pipeline.batches(
    source,
    [transform],
    batch_size=batch_size,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_threads=config.threads,
  )
