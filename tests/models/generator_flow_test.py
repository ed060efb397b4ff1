import jax
import jax.numpy as jnp
import numpy as np
import pytest

from speedflow.models import generator_flow


@pytest.mark.parametrize("time", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("deviation", [0.3, 1.0])
def test_scales_are_the_linear_optimum_on_gaussians(time, deviation):
  """Of many Gaussian clips, least squares finds the same slope and rest."""
  rng = np.random.default_rng(0)
  clip = rng.normal(0, deviation, 200_000)
  noise = rng.normal(0, 1, 200_000)
  point = (1 - time) * noise + time * clip
  velocity = clip - noise
  slope = (velocity * point).mean() / (point**2).mean()
  rest = velocity - slope * point
  scales = generator_flow.scales(jnp.float32(time), jnp.float32(deviation))
  assert float(scales.skip) == pytest.approx(slope, abs=0.02)
  assert float(scales.out) == pytest.approx(rest.std(), abs=0.02)
  assert float(scales.inside) == pytest.approx(1 / point.std(), rel=0.02)


def test_the_flow_of_a_gaussian_ends_in_that_gaussian():
  """With the exact velocity, noise of deviation 1 shrinks to deviation 0.3."""
  noise = np.random.default_rng(0).normal(size=1000)
  point, steps = noise, 400
  for step in range(steps):
    skip = generator_flow.scales(jnp.float32(step / steps), jnp.float32(0.3))[0]
    point = point + float(skip) * point / steps
  np.testing.assert_allclose(point, 0.3 * noise, rtol=0.02)


def test_points_start_as_noise_and_end_as_clips():
  clip, noise = jnp.ones((3, 2, 2, 1)), jnp.zeros((3, 2, 2, 1))
  point = generator_flow.interpolate(clip, noise, jnp.array([0.0, 0.25, 1.0]))
  np.testing.assert_array_equal(point[:, 0, 0, 0], [0.0, 0.25, 1.0])


def test_times_of_both_kinds_lie_between_noise_and_clip():
  for name in ("uniform", "logit_normal"):
    times = generator_flow.sample_times(jax.random.key(0), 4000, name)
    assert times.min() > 0 and times.max() < 1
    assert float(times.mean()) == pytest.approx(0.5, abs=0.02)
  shifted = generator_flow.sample_times(
    jax.random.key(0), 4000, "logit_normal", 1.0
  )
  assert float(jnp.median(shifted)) == pytest.approx(0.731, abs=0.02)
  with pytest.raises(ValueError, match="'cosine'; wanted"):
    generator_flow.sample_times(jax.random.key(0), 4, "cosine")


def test_schedules_run_from_noise_to_clips_denser_where_training_dwelt():
  for shift in (-2.0, 0.0):
    times = generator_flow.schedule(50, shift)
    assert times[0] == 0 and times[-1] == 1
    assert np.all(np.diff(times) > 0)
    assert np.median(times) == pytest.approx(1 / (1 + np.exp(-shift)), abs=1e-6)


def test_guidance_limits():
  nothing, image, both = jnp.array([1.0]), jnp.array([2.0]), jnp.array([4.0])

  def guided(image_guidance, speed_guidance):
    return float(
      generator_flow.guide(
        nothing, image, both, image_guidance, speed_guidance
      )[0]
    )

  assert guided(0, 0) == 1.0  # No condition.
  assert guided(1, 0) == 2.0  # The first frame alone.
  assert guided(1, 1) == 4.0  # Both, as trained.
  assert guided(1, 2) == 6.0  # The speed's own share, doubled.
  assert guided(2, 1) == 5.0
