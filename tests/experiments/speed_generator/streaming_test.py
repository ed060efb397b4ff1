import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.speed_generator import dataset, experiment, movers, streaming
from speedflow.inference import generator as inference
from speedflow.training import config as config_lib

STREAM = "configs/speed_generator.py:stream"


class Exact:
  """Knows where everything goes, up to a constant."""

  def __init__(self, off=0.0):
    self.facts = inference.Facts(knots=8, low=-4.0, high=2.0)
    self.off = off

  def roll_out(self, scenes, speeds):
    log2_step = np.log2(np.repeat(speeds, self.facts.knots))
    times = dataset.world_times(log2_step)
    ways = np.stack([movers.ways(scene, 0.0, times) for scene in scenes])
    body = np.linalg.norm(ways, axis=-1, keepdims=True) > 0
    return times, ways + self.off * body


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
  time, weight = build("noisy")._chunk_times(jax.random.key(0), 64)
  assert time.shape == (64, 4)
  assert weight.shape == (64, 16, 1, 1)
  assert len(np.unique(time)) == 256
  assert 0 <= float(time.min()) <= float(time.max()) <= 1
  # Half are near the noise, half are anywhere.
  assert 0.15 < float((time > 0.5).mean()) < 0.4
  assert float(weight.min()) > 0


def test_of_a_clean_history_one_chunk_is_learnt(build):
  time, weight = build("clean")._chunk_times(jax.random.key(0), 64)
  learnt = np.asarray(weight[:, ::4, 0, 0] > 0)
  np.testing.assert_array_equal(learnt.sum(1), 1)
  before = np.cumsum(learnt[:, ::-1], 1)[:, ::-1] - learnt > 0
  np.testing.assert_array_equal(np.asarray(time)[before], 1.0)
  assert float(time[learnt].max()) < 1
  assert set(learnt.argmax(1)) == {0, 1, 2, 3}


@pytest.mark.parametrize("history", ["noisy", "clean"])
def test_both_histories_are_learnt_from(build, history):
  made = build(history)
  model = made.init_model(nnx.Rngs(0))
  spec = dataset.ClipSpec(16)
  batch = dataset.held_out(
    [dataset.World("mover", n) for n in range(2)], spec, 0
  )
  arrays = {name: jnp.asarray(value) for name, value in batch.items()}
  loss, gradient = nnx.jit(
    nnx.value_and_grad(
      lambda model: made.loss(model, arrays, jax.random.key(0))[0]
    )
  )(model)
  assert np.isfinite(loss)
  assert float(jnp.abs(gradient["out"]["kernel"][...]).max()) > 0


def test_rolling_out_goes_on_beyond_the_length_of_training(build, scenes):
  made = build("noisy")
  facts = inference.Facts(knots=16, low=-4.0, high=2.0, time_shift=-3.0)
  maker = inference.SpeedGenerator(made.init_model(nnx.Rngs(0)), facts)
  times, ways = streaming.roll_out(maker, scenes, (0.25, 0.5), steps=4)
  assert ways.shape == (2, 32, 16, 16, 2)
  np.testing.assert_allclose(times[-1], 16 * (0.25 + 0.5) / 30)
  assert np.isfinite(ways).all()
  assert np.ptp(ways[:, 16:]) > 0
