"""True high-rate footage to retime, and what it should look like then."""

import itertools
import os
import pathlib
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from speedflow import media
from speedflow.evaluation import real_clips
from speedflow.timewarp import light

SHORT_SIDE = 144
FRAMES = 128
"""At most so many of a clip."""

CRF = 10
"""Of the files that are retimed."""

_HIGH_RATE = 50.0
_OF_A_GROUP = 2


class Footage(NamedTuple):
  """Frames of a high-rate clip.

  Attributes:
    name: of the file.
    group: its scene group.
    fps: frames per second as stored.
    images: uint8 RGB [h, w, 3] each, of even height and width.
  """

  name: str
  group: str
  fps: Fraction
  images: list[np.ndarray]


def clips(data: str | os.PathLike[str], split: str) -> list[Footage]:
  """High-speed clips and those of 50 frames a second and more.

  Args:
    data: folder of `clips.csv`.
    split: "train", "val" or "test".

  Returns:
    Two of a scene group at most.
  """
  folder = pathlib.Path(data)
  rows = [
    row
    for row in real_clips.rows(folder)
    if row["split"] == split
    and (row["category"] == "highfps" or float(row["fps"]) >= _HIGH_RATE)
  ]
  rows.sort(key=lambda row: row["scene_group"])
  chosen = []
  for _, members in itertools.groupby(rows, key=lambda row: row["scene_group"]):
    chosen += list(itertools.islice(members, _OF_A_GROUP))
  return [_read(folder / row["file"], row["scene_group"]) for row in chosen]


def _read(path: pathlib.Path, group: str) -> Footage:
  with media.VideoReader(path, short_side=SHORT_SIDE) as reader:
    images = [frame.image for frame in itertools.islice(reader, FRAMES)]
    fps = reader.info.fps.limit_denominator(1001)
  height, width = (side // 2 * 2 for side in images[0].shape[:2])
  return Footage(
    path.name, group, fps, [image[:height, :width] for image in images]
  )


def write(
  path: pathlib.Path,
  images: Sequence[np.ndarray],
  fps: Fraction,
  crf: int = CRF,
) -> None:
  """Encodes frames."""
  height, width = images[0].shape[:2]
  with media.VideoWriter(path, fps, (width, height), crf=crf) as writer:
    for image in images:
      writer.write(np.ascontiguousarray(image))


def read(path: pathlib.Path) -> list[np.ndarray]:
  """Decodes all frames."""
  with media.VideoReader(path) as reader:
    return [frame.image for frame in reader]


def exposed(
  images: Sequence[np.ndarray], every: int, frames: int
) -> list[np.ndarray]:
  """What a camera of fewer frames and a longer exposure would have seen.

  Args:
    images: true frames.
    every: so many from one exposure to the next.
    frames: so many that the shutter is open for.

  Returns:
    Averages in linear light, uint8 RGB [h, w, 3] each.
  """
  starts = range(0, len(images) - frames + 1, every)
  return [
    light.from_linear(
      np.mean([light.to_linear(i) for i in images[k : k + frames]], axis=0)
    )
    for k in starts
  ]
