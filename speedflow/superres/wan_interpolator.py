"""Pictures between frames, by Wan.

Wan fills in what is missing between known frames, as it was trained to; see
`speedflow.models.wan.layout`. It invents: of two drawings from other noise, one
is shown, and how far the other is from it is what it does not know.
"""

import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from speedflow.data import speed_clips
from speedflow.errors import SpeedflowError
from speedflow.models.wan import layout
from speedflow.superres.interpolator import Neighbour, Picture
from speedflow.wan import pipeline

_EVERY = speed_clips.EVERY
_TEXT = "a video"
# Neighbours at other distances than this, in intervals, are not shown.
_BESIDE = (0.99, 1.01)
# Of a time, in eighths.
_NEAR = 0.01


class WanInterpolator:
  """Has the methods of `FrameInterpolator` that frames are made by."""

  def __init__(self, folder: pathlib.Path, steps: int = pipeline.STEPS):
    """Looks at the folder.

    Args:
      folder: Wan as the library diffusers keeps it, trained on frames between.
      steps: of the sampler.

    Raises:
      SpeedflowError: it is no such folder, or there is not enough memory.
    """
    self._folder, self._steps = folder, steps
    self._wan = pipeline.WanGenerator(folder)

  def between(
    self,
    first: np.ndarray,
    second: np.ndarray,
    times: Sequence[float],
    exposure: float | None = 0.0,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
  ) -> Iterator[Picture]:
    """Yields the pictures at some times; see `FrameInterpolator.between`.

    Raises:
      SpeedflowError: a time is not a number of eighths.
    """
    if not times:
      return
    numbers = [round(time * _EVERY) for time in times]
    for time, number in zip(times, numbers, strict=True):
      if abs(time * _EVERY - number) > _NEAR:
        raise SpeedflowError(
          f"{self._folder}: Wan makes frames at eighths between two, not at "
          f"{time:.3f}; take --factor 2, 4 or 8 (retime: --speed 0.5, 0.25 or "
          "0.125), of a video of even rate"
        )
    known = [first, second]
    lead = 0
    if before is not None and _BESIDE[0] < before.distance < _BESIDE[1]:
      known.insert(0, before.image)
      lead = _EVERY
    if after is not None and _BESIDE[0] < after.distance < _BESIDE[1]:
      known.append(after.image)
    drawn = [self._drawn(known, exposure or 0.0, seed) for seed in (0, 1)]
    for number in numbers:
      one, other = (clip[lead + number] for clip in drawn)
      apart = np.abs(one.astype(np.float32) - other).mean(-1)
      height, width = apart.shape
      half = ((width + 1) // 2, (height + 1) // 2)
      doubt = cv2.resize(apart, half, interpolation=cv2.INTER_AREA)
      yield Picture(_as_deep(one, first.dtype), doubt)

  def _drawn(
    self, known: Sequence[np.ndarray], exposure: float, seed: int
  ) -> np.ndarray:
    """The clip through all known frames, uint8 [t, h, w, 3]."""
    height, width = known[0].shape[:2]
    token = self._wan.token
    border = (-height % token, -width % token)
    frames = (len(known) - 1) * _EVERY + 1
    shown = layout.places(frames, _EVERY)
    video = np.zeros(
      (frames, height + border[0], width + border[1], 3), np.uint8
    )
    for place, image in zip(np.flatnonzero(shown), known, strict=True):
      if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
      video[place] = cv2.copyMakeBorder(
        image, 0, border[0], 0, border[1], cv2.BORDER_REPLICATE
      )
    made = self._wan.fill(
      video,
      shown * layout.certainty(exposure),
      pipeline.Wish(
        text=_TEXT,
        frames=frames,
        seed=seed,
        steps=self._steps,
        text_guidance=1.0,
      ),
    )
    return made[0, :, :height, :width]


def _as_deep(image: np.ndarray, kind: np.dtype) -> np.ndarray:
  """A picture of 8 bits in as many as the frames have."""
  if kind == np.uint16:
    return image.astype(np.uint16) * 257
  return image
