import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from speedflow.attribute import features, track_features
from speedflow.attribute.projection import Projection
from speedflow.models import generator

SETTINGS = track_features.Settings(log2_step=2.0, time=0.1)


@pytest.fixture(scope="module")
def feature_maker(maker):
  return track_features.FeatureMaker(maker, SETTINGS)


def test_weights_are_speeds_scaled_to_the_range_of_the_clip():
  speeds = np.array([[[1.0, 2.0], [3.0, 5.0]]] * 3)
  weight = features.motion_weights(speeds, 2)
  np.testing.assert_allclose(weight[0], [[0, 0.25], [0.5, 1]])
  np.testing.assert_allclose(weight[1], weight[0])
  assert not weight[2].any()  # Beyond the end.


def test_a_view_that_moves_as_a_whole_counts_in_full():
  speeds = np.full((2, 4, 4), 0.3) + np.linspace(0, 0.01, 4)
  assert features.motion_weights(speeds, 2).min() > 0.9


def test_where_nothing_moves_nothing_counts_unless_all_points_do():
  still = np.zeros((2, 4, 4))
  assert not features.motion_weights(still, 2).any()
  assert features.motion_weights(still, 2, "none").all()


def test_a_clip_is_read_at_the_pace_of_the_settings(make_track):
  record = make_track(velocity=(0.3, 0.0), seconds=0.3)
  clip = track_features.read_clip(record, SETTINGS, knots=4, size=16)
  step_s = 4 / 30
  assert clip.image.shape == (16, 16, 3)
  assert clip.length == 2  # 0.3 s are two steps and a bit.
  body = clip.trajectories[:, 5, 5, 0]
  # Beyond its end, the body goes on as before.
  np.testing.assert_allclose(body, 0.3 * step_s * np.arange(1, 5), atol=1e-3)
  np.testing.assert_allclose(clip.weight[:2, 5, 5], 1.0, atol=0.02)
  assert not clip.weight[2:].any()
  assert clip.motion == pytest.approx(0.3 * 25 / 256, rel=0.01)


def test_features_are_projected_gradients_of_the_weighted_loss(
  maker, feature_maker, make_track
):
  records = [make_track("a", (0.3, 0.1)), make_track("b", (0, -0.2), 0.4)]
  found = feature_maker.features(records)

  noise = np.random.default_rng(0).standard_normal(
    (1, 4, 16, 16, 2), np.float32
  )
  for number, record in enumerate(records):
    clip = track_features.read_clip(record, SETTINGS, 4, 16)

    def loss(model, clip=clip):
      yes = np.ones(1, bool)
      error = generator.velocity_error(
        model,
        {
          "image": jnp.asarray(clip.image[None]),
          "trajectories": jnp.asarray(clip.trajectories[None]),
          "log2_step": jnp.full((1, 4), 2.0),
        },
        noise=noise,
        time=jnp.full(1, 0.1),
        has_image=yes,
        has_speed=yes,
        weight=jnp.asarray(clip.weight[None]),
      )
      return error[0] * 4 / clip.length

    gradient = nnx.jit(nnx.grad(loss))(maker.model)
    expected = Projection()(gradient)
    norm = np.linalg.norm(expected)
    np.testing.assert_allclose(found.norm[number], norm, rtol=1e-4)
    np.testing.assert_allclose(found.unit[number], expected / norm, atol=1e-3)


def test_features_do_not_depend_on_the_clips_beside_them(
  feature_maker, make_track
):
  records = [make_track(str(n), (0.1 * n, 0.1)) for n in range(11)]
  together = feature_maker.features(records)
  alone = feature_maker.features(records[9:10])
  np.testing.assert_allclose(together.unit[9], alone.unit[0], atol=1e-3)
  assert together.unit.dtype == np.float16


def test_the_same_motion_is_nearer_than_the_opposite(feature_maker, make_track):
  one, same, opposite = feature_maker.features(
    [
      make_track("a", (0.3, 0)),
      make_track("b", (0.28, 0)),
      make_track("c", (-0.3, 0)),
    ]
  ).unit.astype(float)
  assert one @ same > 0.9
  assert one @ opposite < one @ same


def test_a_still_clip_has_no_features(feature_maker, make_track):
  found = feature_maker.features([make_track("still", (0, 0))])
  assert not found.unit.any()
  assert found.norm[0] == 0


def test_dividing_by_length_scales_a_clip_and_leaves_its_direction(
  maker, feature_maker, make_track
):
  record = [make_track(seconds=0.3)]  # Two moments.
  undivided = track_features.FeatureMaker(
    maker, dataclasses.replace(SETTINGS, by_length=False)
  ).features(record)
  divided = feature_maker.features(record)
  np.testing.assert_allclose(undivided.norm, 2 * divided.norm, rtol=1e-4)
  np.testing.assert_allclose(undivided.unit, divided.unit, atol=1e-3)


def test_settings_suit_the_generator(maker):
  settings = track_features.Settings.of(maker)
  assert settings.time == pytest.approx(1 / (1 + np.exp(2.0)))
  assert maker.facts.low <= settings.log2_step <= maker.facts.high


def test_made_by_tells_parameters_and_settings_apart(maker, feature_maker):
  model = maker.model
  kernel = model.out.kernel
  kernel[...] = kernel[...] + 1e-3
  other = type(maker)(model, maker.facts)
  same = track_features.FeatureMaker(maker, SETTINGS).made_by()
  assert same == feature_maker.made_by()
  assert track_features.FeatureMaker(other, SETTINGS).made_by() != same
  changed = dataclasses.replace(SETTINGS, seed=1)
  assert track_features.FeatureMaker(maker, changed).made_by() != same
