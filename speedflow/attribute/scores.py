"""From features to a ranking: who taught a motion, and who taught against it.

The influence of a clip on a query is the cosine of their features. Over many
queries clips are ranked by votes: a query votes for the clips that suit it best
(Motive, arXiv 2601.08828, section 3), and against those that suit it worst.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Cosines of features in float16 mean no more than this; digits beyond depend on
# the processor. What is equal to here is ranked by name.
_DECIMALS = 4


class Ranking(NamedTuple):
  """Of n clips, for q queries.

  Attributes:
    cosine: float32 [n, q], influence of each clip on each query.
    mean: float32 [n], over queries.
    votes_for: int [n], queries for which a clip is among the best.
    votes_against: int [n], queries for which it is among the worst.
    order: int [n], clips from the best to the worst.
    by_query: int [n, q], the same for each query alone.
  """

  cosine: np.ndarray
  mean: np.ndarray
  votes_for: np.ndarray
  votes_against: np.ndarray
  order: np.ndarray
  by_query: np.ndarray


def rank(
  clips: np.ndarray,
  queries: np.ndarray,
  top: float,
  names: Sequence[str] | None = None,
) -> Ranking:
  """Ranks clips.

  Args:
    clips: [n, d], features.
    queries: [q, d], features.
    top: share of the clips that a query votes for, and against, 0 .. 1.
    names: of the clips, by which ties are broken; None for their places.

  Returns:
    The order is by votes for less votes against, then by mean cosine, then by
    name.
  """
  cosine = _unit(clips) @ _unit(queries).T
  count = share(top, len(clips))
  mean = cosine.mean(1)
  name = _places(np.arange(len(clips)) if names is None else np.array(names))
  by_query = np.lexsort(
    (np.broadcast_to(name[:, None], cosine.shape), -cosine.round(_DECIMALS)),
    axis=0,
  )
  places = by_query.argsort(axis=0)
  votes_for = np.sum(places < count, axis=1)
  votes_against = np.sum(places >= len(clips) - count, axis=1)
  return Ranking(
    cosine=cosine,
    mean=mean,
    votes_for=votes_for,
    votes_against=votes_against,
    order=np.lexsort((name, -mean.round(_DECIMALS), votes_against - votes_for)),
    by_query=by_query,
  )


def share(top: float, count: int) -> int:
  """How many are a share of some, one at least."""
  return max(1, round(top * count))


def _places(values: np.ndarray) -> np.ndarray:
  """The place of each value among all of them."""
  return values.argsort(kind="stable").argsort()


def _unit(features: np.ndarray) -> np.ndarray:
  """Rows of length 1; rows of zeros stay."""
  rows = features.astype(np.float32)
  length = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.where(length > 0, length, 1.0)
