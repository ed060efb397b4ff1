"""Near duplicates: the same footage in several files.

Perceptual hashes of single frames (Zauner, "Implementation and benchmarking of
perceptual image hash functions", 2010) survive another codec, size or cut.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

_BITS = 64
_BAND = 16
# Of 64 bits, so many differ between encodings of one picture, at most.
_FARTHEST = 8
# Of the shorter clip's frames, such a share is found in the other one.
_SHARE = 0.5
# Fewer bits set, or more, and the picture is all but empty.
_LEAST_SET = 8


def perceptual_hash(image: np.ndarray) -> int:
  """64 bits: which of the lowest frequencies exceed their median.

  Args:
    image: uint8 [h, w], grey.
  """
  small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
  low = cv2.dct(small.astype(np.float32))[:8, :8].ravel()
  # The first is the brightness of the whole.
  bits = low > np.median(low[1:])
  return int.from_bytes(np.packbits(bits).tobytes(), "big")


def bands(hashes: Sequence[int]) -> Iterator[str]:
  """Keys of which similar clips share one, most likely.

  Args:
    hashes: of frames of a clip.
  """
  seen = set()
  for value in hashes:
    if _LEAST_SET <= value.bit_count() <= _BITS - _LEAST_SET:
      for shift in range(0, _BITS, _BAND):
        seen.add(f"{shift}:{value >> shift & (1 << _BAND) - 1:04x}")
  yield from sorted(seen)


def alike(first: Sequence[int], second: Sequence[int]) -> bool:
  """Whether two clips show the same footage.

  Args:
    first: hashes of frames.
    second: hashes of frames, at about the same distances.
  """
  shorter, longer = sorted([first, second], key=len)
  if not shorter:
    return False
  found = sum(
    any((a ^ b).bit_count() <= _FARTHEST for b in longer) for a in shorter
  )
  return found >= _SHARE * len(shorter)
