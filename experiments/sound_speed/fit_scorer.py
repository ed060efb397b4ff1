r"""Fits the scorer of the ear on real sound whose speed was changed.

  python -m experiments.sound_speed.fit_scorer \
    --out speedflow/weights/sound_changes.safetensors

Each training sound in SPEEDFLOW_DATA is changed in speed, cut, filtered, laid
under music and stretched at random; the moments that `speedflow.sound.changes`
considers are the examples. Probabilities are calibrated on the validation
split.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
import safetensors.numpy
from scipy import optimize

from experiments.sound_speed import protocol
from speedflow.evaluation import report
from speedflow.output.atomic import atomic_path
from speedflow.sound import changes, evidence, scorer, spectra

CALCULATED = 40
"""Calculated sounds beside the real ones."""

_HIDDEN = 24
_BATCH = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 3e-2
# A moment this near to a change is an example of it; up to the second, none
# of anything.
_NEAR_S = 0.06
_FAR_S = 0.4
# Share of the moments without a change that are learnt from, and of those
# that are most like one. Calibration makes up for what is left out.
_KEPT = 0.15
_KEPT_HARD = 0.3
_HARD = ("cut", "low-pass")
# Width of the target about the true shift, bands.
_TARGET_WIDTH = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
  """Moments with what is true of them.

  Attributes:
    features: float16 [n, LAGS, FEATURES].
    lag: float32 [n], bands that frequencies move by; nan: speed stays.
  """

  features: np.ndarray
  lag: np.ndarray


def examples(
  cases: Iterable[protocol.Case], kept: float, kept_hard: float
) -> Examples:
  """Takes the moments of all cases.

  Args:
    cases: sounds with a change, and without.
    kept: share of the moments without one that is taken.
    kept_hard: the same, of the kinds of cases that are most like one.
  """
  rng = np.random.default_rng(0)
  features, lags = [], []
  for case in cases:
    lag = spectra.BANDS_PER_OCTAVE * np.log2(case.ratio)
    share = kept_hard if case.kind in _HARD else kept
    for part in changes.candidates(spectra.columns([case.audio])):
      for time_s, found in zip(part.time_s, part.features, strict=True):
        off = abs(time_s - case.time_s)  # nan without a change.
        if _NEAR_S < off < _FAR_S:
          continue
        if off <= _NEAR_S or rng.random() < share:
          features.append(found.astype(np.float16))
          lags.append(lag if off <= _NEAR_S else np.nan)
  return Examples(np.stack(features), np.array(lags, np.float32))


Tree = dict[str, jax.Array]


def initial(data: Examples, seed: int) -> Tree:
  """Random parameters, and the scale of the evidence."""
  sample = data.features[:: max(1, len(data.lag) // 2000)].astype(np.float32)
  keys = jax.random.split(jax.random.key(seed), 3)
  taps, hidden = 2 * scorer.REACH + 1, _HIDDEN
  normal = jax.nn.initializers.he_normal(in_axis=(0, 1))
  return {
    "mean": jnp.asarray(sample.mean((0, 1))),
    "spread": jnp.asarray(sample.std((0, 1)) + 1e-3),
    "first": normal(keys[0], (taps, scorer.INPUTS, hidden)),
    "first_bias": jnp.zeros(hidden),
    "second": normal(keys[1], (taps, hidden, hidden)),
    "second_bias": jnp.zeros(hidden),
    "out": 0.1 * jax.random.normal(keys[2], (hidden,)),
    "none": jnp.zeros(evidence.FEATURES + 2 * hidden),
    "none_bias": jnp.full(1, 5.0),
  }


def logits(tree: Tree, x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """As `scorer.judge`: of the shifts [n, LAGS] and of no change [n]."""

  def convolve(x, kernel):
    return jax.lax.conv_general_dilated(
      x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    )

  h = jax.nn.relu(convolve(x, tree["first"]) + tree["first_bias"])
  h = jax.nn.relu(convolve(h, tree["second"]) + tree["second_bias"])
  small = np.abs(evidence.LAGS) < scorer.SMALLEST_LAG
  of_lag = jnp.where(small, -1e9, h @ tree["out"])
  still = x[:, 0, evidence.FEATURES : 2 * evidence.FEATURES]
  pooled = jnp.concatenate([still, h.mean(1), h.max(1)], -1)
  return of_lag, pooled @ tree["none"] + tree["none_bias"]


def loss(tree: Tree, x: jax.Array, lag: jax.Array) -> jax.Array:
  """Cross-entropy over the shifts and "no change"."""
  of_lag, none = logits(tree, x)
  everything = jnp.concatenate([of_lag, none[:, None]], 1)
  changed = ~jnp.isnan(lag)
  distance = evidence.LAGS - jnp.where(changed, lag, 0.0)[:, None]
  near = jnp.exp(-0.5 * (distance / _TARGET_WIDTH) ** 2)
  near *= np.abs(evidence.LAGS) >= scorer.SMALLEST_LAG
  near /= near.sum(1, keepdims=True)
  target = jnp.concatenate([near * changed[:, None], 1.0 - changed[:, None]], 1)
  return optax.softmax_cross_entropy(everything, target).mean()


def fit(data: Examples, epochs: int, seed: int) -> Tree:
  """Trains; time backwards is as good an example."""
  tree = initial(data, seed)
  fixed = {name: tree.pop(name) for name in ("mean", "spread")}
  order = np.arange(len(data.lag))
  steps = epochs * len(order) // _BATCH
  schedule = optax.cosine_decay_schedule(_LEARNING_RATE, steps)
  optimizer = optax.adamw(schedule, weight_decay=_WEIGHT_DECAY)

  @jax.jit
  def step(tree, state, x, lag):
    gradient = jax.grad(loss)(tree, x, lag)
    update, state = optimizer.update(gradient, state, tree)
    return optax.apply_updates(tree, update), state

  rng, state = np.random.default_rng(seed), optimizer.init(tree)
  mean, spread = (np.asarray(fixed[name]) for name in ("mean", "spread"))
  for _ in range(epochs):
    rng.shuffle(order)
    for first in range(0, len(order) - _BATCH + 1, _BATCH):
      batch = order[first : first + _BATCH]
      features, lag = data.features[batch].astype(np.float32), data.lag[batch]
      if rng.random() < 0.5:
        features, lag = features[:, ::-1], -lag
      x = scorer.inputs(features, mean, spread)
      tree, state = step(tree, state, x, lag)
  return tree | fixed


def calibrated(tree: Tree, data: Examples) -> scorer.Parameters:
  """Scale and offset of the log odds that fit held-out moments best."""
  identity = {"scale": np.ones(1), "offset": np.zeros(1)}
  plain = scorer.Parameters(
    **{k: np.asarray(v, np.float32) for k, v in (tree | identity).items()}
  )
  probability, _ = scorer.judge(data.features.astype(np.float32), plain)
  p = np.clip(probability, 1e-7, 1 - 1e-7)
  log_odds = np.log(p / (1 - p))
  changed = ~np.isnan(data.lag)

  def misfit(ab: np.ndarray) -> float:
    signed = np.where(changed, 1, -1) * (ab[0] * log_odds + ab[1])
    return float(np.logaddexp(0, -signed).mean())

  scale, offset = optimize.minimize(misfit, [1.0, 0.0], method="Nelder-Mead").x
  return dataclasses.replace(
    plain,
    scale=np.array([scale], np.float32),
    offset=np.array([offset], np.float32),
  )


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the fit; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", type=pathlib.Path, required=True)
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--epochs", type=int, default=5)
  parser.add_argument("--seed", type=int, default=0)
  args = parser.parse_args(argv)
  originals = protocol.sounds("train")
  originals += protocol.scenes(CALCULATED, args.seed)
  training = examples(
    protocol.training_cases(originals, args.seed, args.rounds),
    _KEPT,
    _KEPT_HARD,
  )
  held_out = examples(
    protocol.training_cases(protocol.sounds("val"), args.seed, args.rounds),
    1.0,
    1.0,
  )
  parameters = calibrated(fit(training, args.epochs, args.seed), held_out)
  # The library writes an array of another layout in the wrong order.
  arrays = {
    name: np.asarray(array, order="C")
    for name, array in dataclasses.asdict(parameters).items()
  }
  with atomic_path(args.out) as temporary:
    safetensors.numpy.save_file(arrays, temporary)
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
