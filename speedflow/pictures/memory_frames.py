"""Frames in memory as if they were read from a file."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels


def as_frames(
  images: np.ndarray | Sequence[np.ndarray],
  fps: float | Fraction | None,
  resize: Callable[[np.ndarray], np.ndarray],
) -> Iterator[media.Frame]:
  """Times frames evenly, from 0 on.

  Args:
    images: uint8 [t, h, w, 3] or [t, h, w].
    fps: frames per second; 30 if not given.
    resize: applied to each, RGB.

  Raises:
    SpeedflowError: these are no frames, or there are none.
  """
  if isinstance(images, np.ndarray) and images.ndim not in (3, 4):
    raise SpeedflowError(
      f"frames have the shape {images.shape}; wanted [t, h, w, 3] or [t, h, w]"
    )
  if not len(images):
    raise SpeedflowError("there are no frames; wanted two at least")
  rate = frame_rate(fps)
  for number, image in enumerate(images):
    yield media.Frame(resize(_rgb(np.asarray(image))), number / rate)


def frame_rate(fps: float | Fraction | None) -> Fraction:
  """Frames per second of frames in memory.

  Args:
    fps: as the user gives it; None: `labels.REFERENCE_FPS`.

  Raises:
    SpeedflowError: it is not above 0.
  """
  given = labels.REFERENCE_FPS if fps is None else fps
  rate = Fraction(given).limit_denominator(100_000)
  if rate <= 0:
    raise SpeedflowError(f"fps is {fps}; wanted frames per second above 0")
  return rate


def _rgb(image: np.ndarray) -> np.ndarray:
  if image.dtype != np.uint8 or image.ndim not in (2, 3):
    raise SpeedflowError(
      f"a frame is {image.dtype} {image.shape}; wanted uint8 [h, w, 3] or "
      "[h, w]"
    )
  if image.ndim == 3 and image.shape[2] != 3:
    raise SpeedflowError(
      f"a frame has {image.shape[2]} channels; wanted 3 (RGB), or [h, w]"
    )
  return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
