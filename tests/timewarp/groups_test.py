"""Groups of clips of one source at several speeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import groups


@settings(max_examples=150, deadline=None)
@given(
  st.integers(0, 2**32 - 1),
  st.integers(2, 64),
  st.integers(0, 300),
  st.integers(1, 5),
  st.booleans(),
  st.sampled_from([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]),
)
def test_every_plan_fits_its_source(
  seed, clip_length, spare, clips, integer, exposure_range
):
  available = clip_length + 1 + spare
  plans = groups.sample_group(
    np.random.default_rng(seed),
    available,
    clip_length,
    clips,
    factor_range=(1, 16),
    exposure_range=exposure_range,
    integer=integer,
  )
  assert len(plans) == clips
  for plan in plans:
    first, last = plan.frame_span
    assert 0 <= first <= last < available
    assert 1 <= plan.factor <= 16
    assert plan.factor == int(plan.factor) or not integer


def test_a_source_of_exactly_the_clip_length_plays_once_at_1x():
  (plan,) = groups.sample_group(np.random.default_rng(0), 16, 16, 1)
  assert plan.indices.tolist() == list(range(16))


def _factors(count=4000, **options):
  rng = np.random.default_rng(1)
  return np.array(
    [
      [p.factor for p in groups.sample_group(rng, 1000, 16, 3, **options)]
      for _ in range(count)
    ]
  )


def test_each_clip_alone_is_log_uniform():
  log2 = np.log2(_factors(factor_range=(1, 16)))
  for clip in log2.T:
    histogram, _ = np.histogram(clip, bins=8, range=(0, 4))
    # Uniform counts of 4000 in 8 bins: 500 +- 21; five sigmas.
    assert np.abs(histogram - 500).max() < 105


def test_the_speeds_of_a_group_spread_out():
  log2 = np.sort(np.log2(_factors(factor_range=(1, 8))), axis=1)
  assert np.all(np.floor(log2) == [0, 1, 2])


def test_a_short_source_limits_the_speed():
  rng = np.random.default_rng(0)
  plans = groups.sample_group(rng, 31, 16, 50, factor_range=(1, 8))
  assert max(plan.factor for plan in plans) <= 2


def test_exposure_does_not_tell_the_speed():
  rng = np.random.default_rng(2)
  plans = groups.sample_group(rng, 1000, 8, 3000, (1, 16), (0.1, 0.9))
  exposure = [plan.exposure for plan in plans]
  factor = [plan.factor for plan in plans]
  assert abs(np.corrcoef(exposure, factor)[0, 1]) < 0.06
  assert 0.1 <= min(exposure) < 0.12 and 0.88 < max(exposure) <= 0.9


def test_ratios_and_order_are_exact():
  plans = groups.sample_group(np.random.default_rng(3), 500, 8, 4)
  ratios = groups.log2_ratios(plans)
  np.testing.assert_array_equal(ratios, -ratios.T)
  for i, a in enumerate(plans):
    for j, b in enumerate(plans):
      assert ratios[i, j] == pytest.approx(np.log2(a.factor / b.factor))
      assert np.sign(ratios[i, j]) == np.sign(a.factor - b.factor)


def test_a_seed_fixes_the_group():
  one, two = (
    groups.sample_group(np.random.default_rng(7), 300, 16, 4, (1, 8), (0, 1))
    for _ in range(2)
  )
  assert one == two


def test_the_whole_group_is_reversed_or_none():
  rng = np.random.default_rng(4)
  seen = set()
  for _ in range(20):
    plans = groups.sample_group(rng, 99, 8, 3, reverse_probability=0.5)
    (direction,) = {plan.reverse for plan in plans}
    seen.add(direction)
  assert seen == {True, False}


def test_a_source_that_is_too_short_is_named():
  with pytest.raises(ValueError, match="10 frames are too few for 16"):
    groups.sample_group(np.random.default_rng(0), 10, 16, 2)


def test_slower_than_the_source_is_refused():
  rng = np.random.default_rng(0)
  with pytest.raises(ValueError, match="factor_range"):
    groups.sample_group(rng, 100, 16, 2, factor_range=(0.5, 2))


def test_a_range_without_a_whole_factor_is_refused():
  rng = np.random.default_rng(0)
  with pytest.raises(ValueError, match="whole factor"):
    groups.sample_group(rng, 999, 16, 2, factor_range=(2.2, 2.8), integer=True)
