import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.speed_generator import dataset, experiment, movers, streaming
from speedflow.generate import generator as inference
from speedflow.training import config as config_lib

STREAM = "configs/speed_generator.py:stream"
KEY = jax.random.key(0)


class Exact:
  """Knows where everything goes, up to a constant."""

  def __init__(self, off=0.0):
    self.facts = inference.Facts(knots=8, low=-4.0, high=2.0)
    self.off = off

  def roll_out(self, scenes, speeds):
    log2_step = np.log2(np.repeat(speeds, self.facts.knots))
    times = dataset.world_times(log2_step)
    trajectories = np.stack(
      [movers.trajectories(scene, 0.0, times) for scene in scenes]
    )
    body = np.linalg.norm(trajectories, axis=-1, keepdims=True) > 0
    return times, trajectories + self.off * body


@pytest.fixture
def scenes():
  return [dataset.World("mover", number).scene() for number in range(2)]


@pytest.mark.parametrize("off", [0.0, 0.03])
def test_ways_are_compared_with_the_true_ones(monkeypatch, scenes, off):
  monkeypatch.setattr(
    streaming,
    "roll_out",
    lambda maker, scenes, speeds, steps: maker.roll_out(scenes, speeds),
  )
  found = streaming.drift(Exact(off), scenes, (1.0, 2.0), steps=1)
  np.testing.assert_allclose(found["way_error"], off * np.sqrt(2), atol=1e-4)
  assert found["still_error"] == [0.0, 0.0]
  # Eight frames at 1x, and eight at 2x.
  way = movers.CROSSING_SPEED * np.array([8, 24]) / 30
  np.testing.assert_allclose(found["way_length"], way, rtol=1e-2)
  if not off:
    assert max(found["factor_error"]) < 1.25
    assert found["visible"] == [1.0, 1.0]
    np.testing.assert_allclose(found["contrast"], 1.0, atol=0.1)


@pytest.fixture
def build():
  def make(history):
    config = config_lib.load_config(
      STREAM,
      [
        f"--config.loss.history={history}",
        "--config.model.width=16",
        "--config.model.sight=1",
        "--config.model.depth=1",
      ],
    )
    return experiment.Experiment(config)

  return make


def test_chunks_of_a_noisy_history_have_times_of_their_own(build):
  time, weight = build("noisy").chunk_times(jax.random.key(0), 64)
  assert time.shape == (64, 4)
  assert weight.shape == (64, 16, 1, 1)
  assert len(np.unique(time)) == 256
  assert 0 <= float(time.min()) <= float(time.max()) <= 1
  # Half are near the noise, half are anywhere.
  assert 0.15 < float((time > 0.5).mean()) < 0.4
  assert float(weight.min()) > 0


def test_beside_a_clean_history_all_chunks_are_learnt_near_the_noise(build):
  time, weight = build("clean").chunk_times(jax.random.key(0), 64)
  assert len(np.unique(time)) == 256
  assert float((time > 0.5).mean()) < 0.01
  assert float(weight.min()) > 0


@pytest.mark.slow
def test_histories_are_learnt_beside_in_two_trajectories(build):
  made = {history: build(history) for history in ("noisy", "clean")}
  model = nnx.eval_shape(lambda: made["noisy"].init_model(nnx.Rngs(0)))
  graph, state = nnx.split(model)
  rng = np.random.default_rng(0)
  filled = jax.tree.map(
    lambda x: jnp.asarray(rng.normal(0, 0.1, x.shape), x.dtype), state
  )
  model = nnx.merge(graph, filled)
  batch = dataset.held_out([dataset.World("mover", 0)], dataset.ClipSpec(16), 0)
  losses = {
    history: float(
      nnx.jit(lambda model, batch, made=one: made.loss(model, batch, KEY)[0])(
        model, batch
      )
    )
    for history, one in made.items()
  }
  assert all(np.isfinite(loss) and loss > 0 for loss in losses.values())
  assert losses["noisy"] != pytest.approx(losses["clean"], rel=1e-3)


@pytest.mark.slow
def test_rolling_out_goes_on_beyond_the_length_of_training(build, scenes):
  made = build("noisy")
  facts = inference.Facts(knots=16, low=-4.0, high=2.0, time_shift=-3.0)
  maker = inference.SpeedGenerator(made.init_model(nnx.Rngs(0)), facts)
  times, trajectories = streaming.roll_out(maker, scenes, (0.25, 0.5), steps=4)
  assert trajectories.shape == (2, 32, 16, 16, 2)
  np.testing.assert_allclose(times[-1], 16 * (0.25 + 0.5) / 30)
  assert np.isfinite(trajectories).all()
  assert np.ptp(trajectories[:, 16:]) > 0
