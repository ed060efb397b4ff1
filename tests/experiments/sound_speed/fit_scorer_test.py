"""What is fitted in JAX is what NumPy runs."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.sound_speed import fit_scorer, protocol
from speedflow.sound import evidence, scorer


@pytest.fixture(scope="module")
def data() -> fit_scorer.Examples:
  (scene,) = protocol.scenes(1, seed=3)
  rng = np.random.default_rng(0)
  case = protocol.with_change(scene, rng, log2_ratio=1.0)
  return fit_scorer.examples([case], kept=1.0, kept_hard=1.0)


@pytest.fixture(scope="module")
def tree(data):
  tree = fit_scorer.initial(data, seed=0)
  keys = jax.random.split(jax.random.key(1), len(tree))
  return {
    name: x + 0.1 * jax.random.normal(key, x.shape)
    for key, (name, x) in zip(keys, tree.items(), strict=True)
  } | {name: tree[name] for name in ("mean", "spread")}


def test_numpy_and_jax_agree(data, tree):
  plain = {"scale": np.ones(1), "offset": np.zeros(1)}
  parameters = scorer.Parameters(
    **{k: np.asarray(v, np.float32) for k, v in (tree | plain).items()}
  )
  features = data.features.astype(np.float32)
  probability, of_lag = scorer.judge(features, parameters)
  x = scorer.inputs(features, parameters.mean, parameters.spread)
  logits, none = fit_scorer.logits(tree, x)
  everything = jax.nn.softmax(
    np.concatenate([logits, np.asarray(none)[:, None]], 1)
  )
  np.testing.assert_allclose(probability, 1 - everything[:, -1], atol=1e-4)
  np.testing.assert_allclose(
    of_lag, jax.nn.softmax(np.asarray(logits)), atol=1e-4
  )


def test_time_backwards_turns_the_shifts_round():
  rng = np.random.default_rng(0)
  sides = rng.normal(-60, 10, (2, evidence.SPECTRA, 179)).astype(np.float32)
  sides[..., 150:] = -120
  forwards, backwards = evidence.compare(sides), evidence.compare(sides[::-1])
  np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-3)


def test_the_change_is_among_the_examples_and_far_moments_are_not_it(data):
  lags = data.lag[~np.isnan(data.lag)]
  assert len(lags)
  np.testing.assert_allclose(lags, 24.0)
  assert np.isnan(data.lag).any()


def test_calibration_raises_what_is_said_too_low(data, tree):
  certain = dataclasses.replace(
    data, lag=np.full(len(data.lag), 24.0, np.float32)
  )
  parameters = fit_scorer.calibrated(tree, certain)
  probability, _ = scorer.judge(data.features.astype(np.float32), parameters)
  assert probability.min() > 0.9
