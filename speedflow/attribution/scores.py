"""From features to a ranking: who taught a motion, and who taught against it.

The influence of a clip on a query is the cosine of their features. Over many
queries clips are ranked by votes: a query votes for the clips that suit it best
(Motive, arXiv 2601.08828, section 3), and against those that suit it worst.
"""

from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
  """Of n clips, for q queries.

  Attributes:
    cosine: float32 [n, q], influence of each clip on each query.
    mean: float32 [n], over queries.
    votes_for: int [n], queries for which a clip is among the best.
    votes_against: int [n], queries for which it is among the worst.
    order: int [n], clips from the best to the worst.
  """

  cosine: np.ndarray
  mean: np.ndarray
  votes_for: np.ndarray
  votes_against: np.ndarray
  order: np.ndarray


def rank(clips: np.ndarray, queries: np.ndarray, top: float) -> Ranking:
  """Ranks clips.

  Args:
    clips: [n, d], features.
    queries: [q, d], features.
    top: share of the clips that a query votes for, and against, 0 .. 1.

  Returns:
    The order is by votes for less votes against, then by mean cosine.
  """
  cosine = _unit(clips) @ _unit(queries).T
  count = share(top, len(clips))
  places = cosine.argsort(axis=0, kind="stable").argsort(axis=0)
  votes_for = np.sum(places >= len(clips) - count, axis=1)
  votes_against = np.sum(places < count, axis=1)
  mean = cosine.mean(1)
  return Ranking(
    cosine=cosine,
    mean=mean,
    votes_for=votes_for,
    votes_against=votes_against,
    order=np.lexsort((-mean, votes_against - votes_for)),
  )


def share(top: float, count: int) -> int:
  """How many are a share of some, one at least."""
  return max(1, round(top * count))


def _unit(features: np.ndarray) -> np.ndarray:
  """Rows of length 1; rows of zeros stay."""
  rows = features.astype(np.float32)
  length = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.where(length > 0, length, 1.0)
