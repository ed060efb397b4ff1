"""Between stored pixel values and linear light.

A shutter adds up light, not code values, so motion blur must be averaged on
linear values. The curve is sRGB (IEC 61966-2-1).
"""

import functools

import cv2
import numpy as np
from numpy.typing import DTypeLike


def _srgb_to_linear(value: np.ndarray) -> np.ndarray:
  return np.where(
    value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
  )


def _linear_to_srgb(value: np.ndarray) -> np.ndarray:
  return np.where(
    value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055
  )


_DECODE = _srgb_to_linear(np.arange(256) / 255).astype(np.float32)
# 16 bits resolve the steepest (darkest) part of the curve into 20 levels for
# each 8-bit code, so the look-up never errs by more than a rounding.
_ENCODE = np.rint(_linear_to_srgb(np.arange(65536) / 65535) * 255).astype(
  np.uint8
)


def to_linear(image: np.ndarray) -> np.ndarray:
  """Decodes uint8 or uint16 pixels [...] to linear light, float32 in 0..1."""
  if image.dtype == np.uint16:
    return _decode_deep()[image]
  if image.dtype != np.uint8:
    raise ValueError(f"pixels are {image.dtype}, not uint8 or uint16")
  if image.ndim in (2, 3):
    return cv2.LUT(image, _DECODE)
  return _DECODE[image]


def from_linear(light: np.ndarray, dtype: DTypeLike = np.uint8) -> np.ndarray:
  """Encodes linear light [...], floats in 0..1 (clipped), to pixels.

  Args:
    light: to be encoded.
    dtype: of the pixels, uint8 or uint16.
  """
  linear = np.clip(light, 0.0, 1.0)
  if dtype == np.uint16:
    return np.rint(_linear_to_srgb(linear) * 65535).astype(np.uint16)
  return _ENCODE[(linear * 65535 + 0.5).astype(np.uint16)]


@functools.cache
def _decode_deep() -> np.ndarray:
  return _srgb_to_linear(np.arange(65536) / 65535).astype(np.float32)
