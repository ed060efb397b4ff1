"""Motion maps of a video, each computed once for all networks that read it."""

import io
import itertools
import os
from collections.abc import Sequence
from concurrent import futures
from typing import Self

import numpy as np

from speedflow import media
from speedflow.data import motion
from speedflow.pictures import spool

# Threads that share the pairs of frames of one call at most, and the fewest
# pairs that are worth one.
_MOST_THREADS = 8
_FEWEST = 16
_SHAPE = (*motion.MAP_SIZE, len(motion.CHANNELS))


class MotionMaps:
  """Maps between frames, found again by the times of the two frames.

  Optical flow is most of the cost of a small video. Threads may
  share one.
  """

  def __init__(self, kept: spool.Spool | None = None):
    """Begins without maps.

    Args:
      kept: where maps are kept, 3 kB each. Without, every call computes.
    """
    self._kept = kept
    self._places: dict[tuple[float, float], spool.Place] = {}

  @classmethod
  def in_memory(cls) -> Self:
    """Maps that are kept in memory: for a stretch of bounded length."""
    return cls(spool.Spool("memory", io.BytesIO()))

  def along(self, frames: Sequence[media.Frame]) -> np.ndarray:
    """Maps between consecutive ones of these frames.

    Args:
      frames: at least two of one video, grey, uint8 [96, 128] each.

    Returns:
      float16 [n - 1, 12, 16, 8], as `motion.MotionMapper.between`.

    Raises:
      SpeedflowError: there is no room to keep them.
    """
    pairs = list(itertools.pairwise(frames))
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    share = max(_FEWEST, -(-len(pairs) // threads))
    parts = [pairs[n : n + share] for n in range(0, len(pairs), share)]
    first, *others = parts
    with futures.ThreadPoolExecutor(max_workers=threads) as pool:
      pending = [pool.submit(self._of_pairs, part) for part in others]
      found = self._of_pairs(first)
      return np.stack([*found, *(x for job in pending for x in job.result())])

  def _of_pairs(
    self, pairs: Sequence[tuple[media.Frame, media.Frame]]
  ) -> list[np.ndarray]:
    mapper = motion.MotionMapper()
    return [self._between(mapper, *pair) for pair in pairs]

  def _between(
    self, mapper: motion.MotionMapper, before: media.Frame, after: media.Frame
  ) -> np.ndarray:
    if self._kept is None:
      return mapper.between(before.image, after.image)
    key = float(before.time), float(after.time)
    place = self._places.get(key)
    if place is not None:
      return np.frombuffer(self._kept.get(place), np.float16).reshape(_SHAPE)
    made = mapper.between(before.image, after.image)
    self._places[key] = self._kept.put(made.tobytes())
    return made
