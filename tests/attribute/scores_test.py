import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.attribute import scores

# Of two dimensions: to the right, up, to the left, and nothing.
CLIPS = np.array([[1, 0], [0.1, 3], [-2, 0], [0, 0]], np.float16)


def test_influence_is_the_cosine_whatever_the_lengths():
  ranking = scores.rank(CLIPS, np.array([[5.0, 0]]), top=0.25)
  np.testing.assert_allclose(
    ranking.cosine[:, 0], [1, 0.0333, -1, 0], atol=1e-3
  )
  assert ranking.order.tolist() == [0, 1, 3, 2]
  assert ranking.votes_for.tolist() == [1, 0, 0, 0]
  assert ranking.votes_against.tolist() == [0, 0, 1, 0]


def test_the_majority_outvotes_one_strong_opinion():
  queries = np.array([[1, 0.2], [1, 0.3], [0, 1]])
  ranking = scores.rank(CLIPS, queries, top=0.25)
  assert ranking.votes_for.tolist() == [2, 1, 0, 0]
  assert ranking.order[0] == 0
  # The mean cosine alone would say so of the second.
  assert ranking.mean[1] > 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.5))
def test_a_ranking_goes_with_its_clips(seed, top):
  rng = np.random.default_rng(seed)
  clips, queries = rng.normal(size=(20, 8)), rng.normal(size=(5, 8))
  names = [f"clip {number}" for number in range(20)]
  ranking = scores.rank(clips, queries, top, names)
  mixed = rng.permutation(20)
  again = scores.rank(
    clips[mixed], queries, top, [names[number] for number in mixed]
  )
  np.testing.assert_array_equal(mixed[again.order], ranking.order)
  count = scores.share(top, 20)
  assert ranking.votes_for.sum() == ranking.votes_against.sum() == 5 * count


def test_what_float32_cannot_tell_apart_is_ranked_by_name():
  clips = np.array([[1, 0], [1, 3e-4], [1, -3e-4], [-1, 3e-4], [-1, 0]])
  query, names = np.array([[1.0, 0]]), ["d", "b", "c", "a", "e"]
  for noise in (-1e-6, 0, 1e-6):
    moved = clips + noise * np.arange(5)[:, None]
    ranking = scores.rank(moved, query, 0.2, names)
    assert [names[i] for i in ranking.order] == ["b", "c", "d", "a", "e"]
    assert ranking.by_query[:, 0].tolist() == ranking.order.tolist()


@pytest.mark.parametrize(("top", "count"), [(0.1, 1), (0.5, 5), (0.01, 1)])
def test_a_share_is_one_clip_at_least(top, count):
  assert scores.share(top, 10) == count
