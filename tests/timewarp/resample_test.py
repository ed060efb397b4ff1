"""The physics of resampling: frames, exposure, linear light, labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.timewarp import resample
from speedflow.timewarp.resample import ClipPlan, render_clip

_FACTORS = st.floats(1.0, 16.0)
_FEW = settings(max_examples=60, deadline=None)


def _noise(frames: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (frames, 6, 8, 3), dtype=np.uint8)


def _decode64(image: np.ndarray) -> np.ndarray:
  value = image.astype(np.float64) / 255
  return np.where(
    value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
  )


def _encode64(linear: np.ndarray) -> np.ndarray:
  value = np.where(
    linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
  )
  return value * 255


def _moving_edge(frames: int, velocity: float, width: int = 2048) -> np.ndarray:
  """White spreads to the right at `velocity` px/frame, exposure 1."""
  x = np.arange(width)
  clip = []
  for frame in range(frames):
    # Pixel x turns white at this moment; the frame's light is what follows.
    turns_white = (x - 40) / velocity
    clip.append(_encode64(np.clip(frame + 1 - turns_white, 0, 1)))
  return np.rint(np.stack(clip)).astype(np.uint8)[:, None, :].repeat(4, axis=1)


def _edge_width(row: np.ndarray) -> float:
  """Width in pixels of the box that blurred a step edge (linear light)."""
  spread = -np.diff(row)
  at = np.arange(len(spread))
  mean = (at * spread).sum() / spread.sum()
  variance = ((at - mean) ** 2 * spread).sum() / spread.sum()
  # A box of width w has variance w^2 / 12.
  return np.sqrt(12 * variance)


@pytest.mark.parametrize("velocity", [8.0, 20.0, 37.5])
@pytest.mark.parametrize(
  "factor, exposure",
  [(2, 1), (4, 0.5), (4, 0.75), (8, 0.5), (8, 1), (2.5, 0.8)],
)
def test_edge_blurs_by_speed_times_exposure_times_velocity(
  velocity, factor, exposure
):
  plan = ClipPlan(start=8, factor=factor, length=3, exposure=exposure)
  clip = render_clip(_moving_edge(48, velocity), plan)
  width = _edge_width(_decode64(clip[0, 0]))
  assert width == pytest.approx(factor * exposure * velocity, rel=0.01)


@pytest.mark.parametrize("factor, exposure", [(7, 0.5), (5.5, 0.9), (16, 0.3)])
def test_a_shutter_that_splits_frames_blurs_by_almost_the_same(
  factor, exposure
):
  # A split source frame keeps its own blur: up to half a frame's width more.
  plan = ClipPlan(start=8, factor=factor, length=2, exposure=exposure)
  clip = render_clip(_moving_edge(64, 20.0), plan)
  width = _edge_width(_decode64(clip[1, 0]))
  assert width == pytest.approx(factor * exposure * 20.0, abs=10.0)


def test_the_edge_moves_by_speed_times_velocity_between_frames():
  plan = ClipPlan(start=4, factor=3, length=5, exposure=1)
  clip = _decode64(render_clip(_moving_edge(32, 2.0), plan))
  np.testing.assert_allclose(np.diff(clip[:, 0].sum(axis=-1)), 6, atol=0.05)


def test_full_exposure_shares_out_all_light_of_the_source():
  frames = _noise(40)
  curve = resample.ramp_curve(8, [(0, 1), (7, 3)])
  plan = ClipPlan(start=2, factor=1.3, length=8, exposure=1, curve=curve)
  total = np.zeros(len(frames))
  for (first, weights), factor in zip(plan.shutters, plan.factors, strict=True):
    total[first : first + len(weights)] += weights * factor
  first, last = plan.frame_span
  np.testing.assert_allclose(total[first:last], 1, atol=1e-5)


@_FEW
@given(_FACTORS, st.integers(0, 20), st.integers(1, 30))
def test_zero_exposure_drops_frames_and_changes_none(factor, start, length):
  frames = _noise(start + int(factor * length) + 2)
  plan = ClipPlan(start=start, factor=factor, length=length)
  nearest = np.floor(start + factor * np.arange(length) + 0.5 + 1e-9)
  np.testing.assert_array_equal(
    render_clip(frames, plan), frames[nearest.astype(int)]
  )


@_FEW
@given(st.floats(0, 100), _FACTORS, st.integers(2, 200))
def test_no_frame_is_ever_read_twice(start, factor, length):
  plan = ClipPlan(start=start, factor=factor, length=length)
  assert np.diff(plan.indices).min() >= 1


@_FEW
@given(_FACTORS, _FACTORS)
def test_factors_compose(first, second):
  length = 12
  once = ClipPlan(start=0, factor=first, length=400)
  twice = ClipPlan(start=0, factor=second, length=length)
  both = ClipPlan(start=0, factor=first * second, length=length)
  # Positions of the second pass, counted in frames of the first.
  np.testing.assert_allclose(
    np.interp(twice.positions, np.arange(400), once.positions),
    both.positions,
    rtol=1e-12,
  )


def test_whole_factors_compose_frame_by_frame():
  frames = _noise(64)
  thrice = render_clip(frames, ClipPlan(start=0, factor=3, length=21))
  sixfold = render_clip(thrice, ClipPlan(start=1, factor=2, length=8))
  direct = render_clip(frames, ClipPlan(start=3, factor=6, length=8))
  np.testing.assert_array_equal(sixfold, direct)


@_FEW
@given(st.integers(0, 8), st.sampled_from([1, 2, 3, 2.5, 3.7]), st.floats(0, 1))
def test_reverse_is_the_clip_backwards(start, factor, exposure):
  frames = _noise(48)
  start = start + 4
  forward = ClipPlan(start, factor, length=8, exposure=exposure)
  backward = ClipPlan(start, factor, length=8, exposure=exposure, reverse=True)
  np.testing.assert_array_equal(
    render_clip(frames, backward), render_clip(frames, forward)[::-1]
  )


@_FEW
@given(st.integers(0, 8), st.integers(1, 4), st.sampled_from([0, 0.5, 1]))
def test_a_reversed_source_gives_the_mirrored_blur(start, factor, exposure):
  frames, length = _noise(48), 6
  plan = ClipPlan(start, factor, length, exposure)
  closes = plan.positions[-1] + max(factor * exposure, 1)
  mirrored = ClipPlan(len(frames) - closes, factor, length, exposure)
  forward = render_clip(frames, plan).astype(int)
  backward = render_clip(frames[::-1], mirrored)[::-1].astype(int)
  assert np.abs(forward - backward).max() <= 1  # Sums in another order.


@_FEW
@given(st.floats(3, 20), st.floats(0, 12))
def test_average_equals_a_float64_reference_in_linear_light(position, width):
  frames = _noise(40)
  first, weights = resample.exposure_weights(position, width)
  assert weights.sum() == pytest.approx(1)
  plan = ClipPlan(position, max(width, 1), 1, min(width, 1.0))
  reference = _encode64(
    sum(
      weight * _decode64(frames[first + offset])
      for offset, weight in enumerate(weights)
    )
  )
  clip = render_clip(frames, plan)[0]
  assert np.abs(clip - reference).max() <= 0.5 + 0.05


def test_black_and_white_average_to_half_the_light_not_half_the_code():
  frames = np.stack([np.zeros((4, 4)), np.full((4, 4), 255)]).astype(np.uint8)
  clip = render_clip(frames, ClipPlan(0, factor=2, length=1, exposure=1))
  assert np.unique(clip).tolist() == [188]


@pytest.mark.parametrize(
  "position, width, first, weights",
  [
    (5, 0, 5, [1]),
    (5, 1, 5, [1]),
    (5.4, 0.9, 5, [1]),
    (5, 3, 5, [1 / 3, 1 / 3, 1 / 3]),
    (5.5, 2, 5, [0.25, 0.5, 0.25]),
    (5, 2.5, 5, [0.4, 0.4, 0.2]),
  ],
)
def test_shutter_weights(position, width, first, weights):
  got_first, got_weights = resample.exposure_weights(position, width)
  assert got_first == first
  np.testing.assert_allclose(got_weights, weights)


@_FEW
@given(st.floats(0, 9), _FACTORS, st.integers(1, 20), st.floats(0, 1))
def test_frame_span_is_what_rendering_reads(start, factor, length, exposure):
  plan = ClipPlan(start, factor, length, exposure)
  read = set()

  def get_frame(index):
    read.add(index)
    return np.zeros((2, 2), np.uint8)

  render_clip(get_frame, plan)
  assert (min(read), max(read)) == plan.frame_span


def test_every_frame_of_a_ramp_carries_its_exact_speed():
  curve = resample.ramp_curve(41, [(10, 1), (20, 0.25), (30, 1)])
  plan = ClipPlan(start=0, factor=4, length=41, curve=curve)
  steps = np.diff(plan.positions)
  np.testing.assert_allclose(steps, plan.factors[:-1])
  assert steps[0] == steps[-1] == 4
  assert steps[20] == pytest.approx(1)
  assert steps[15] == pytest.approx(2)  # Half-way in octaves.


def test_a_splice_changes_speed_at_its_frame_also_backwards():
  curve = resample.splice_curve(10, change=4, before=1, after=2)
  forward = ClipPlan(start=3, factor=1, length=10, curve=curve)
  backward = ClipPlan(start=3, factor=1, length=10, curve=curve, reverse=True)
  expected = [1] * 4 + [2] * 5
  assert np.diff(forward.positions).tolist() == expected
  assert (-np.diff(backward.positions)).tolist() == expected
  assert backward.positions.min() == 3


@pytest.mark.parametrize("factor", [0.5, 0.99, 0.0, -1.0, float("nan")])
def test_slower_than_the_source_is_refused(factor):
  with pytest.raises(ValueError, match="duplicated"):
    ClipPlan(start=0, factor=factor, length=4)


def test_a_curve_below_the_source_speed_is_refused():
  with pytest.raises(ValueError, match=r"0\.5; below 1"):
    ClipPlan(start=0, factor=2, length=3, curve=(1, 0.25, 1))


@pytest.mark.parametrize(
  "field, value",
  [("exposure", 1.2), ("exposure", -0.1), ("start", -1), ("length", 0)],
)
def test_nonsense_plans_are_refused(field, value):
  plan = {"start": 0, "factor": 1, "length": 4} | {field: value}
  with pytest.raises(ValueError, match=field):
    ClipPlan(**plan)


def test_a_source_that_is_too_short_is_named():
  with pytest.raises(IndexError, match="frame 12 of 10"):
    render_clip(_noise(10), ClipPlan(start=0, factor=4, length=4))


def test_ramp_points_must_advance():
  with pytest.raises(ValueError, match="increase"):
    resample.ramp_curve(10, [(5, 1), (5, 2)])
