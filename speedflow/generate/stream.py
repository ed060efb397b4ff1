"""A clip that goes on and on, at a speed that may change while it runs.

A causal generator makes one chunk of frames after the other. What it made is
kept as keys and values of its last chunks, so a chunk costs the same however
long the clip has become.

  maker = load_generator("FILE.safetensors")
  stream = generator_stream.Stream(maker, "street.jpg")
  frames = stream.advance(1.0)
  slower = stream.advance(0.25)
"""

import functools
from collections.abc import Sequence
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.generate import generator as inference
from speedflow.generate import warp
from speedflow.models import generator as generator_lib
from speedflow.models import generator_flow
from speedflow.timewarp import labels


class TrajectoryStream:
  """Where the points of pictures go, chunk after chunk.

  Attributes:
    chunk: moments that are made at once.
  """

  def __init__(
    self,
    generator: inference.SpeedGenerator,
    images: np.ndarray,
    seeds: Sequence[int],
    *,
    steps: int = 10,
  ):
    """Starts at the first frames.

    Args:
      generator: a causal one.
      images: uint8 [n, s, s, 3].
      seeds: [n]; the same seed gives the same motion.
      steps: of the sampler.

    Raises:
      SpeedflowError: the generator is not causal, or a number is out of range.
    """
    config = generator.config
    if not config.causal:
      raise SpeedflowError(
        "this generator makes whole clips, and cannot go on; train a causal "
        "one with configs/speed_generator.py:stream"
      )
    inference.check_steps(steps)
    self.chunk = config.chunk
    self._config = config
    self._network = generator.network
    self._seeds = list(seeds)
    self._made = 0
    times = generator_flow.schedule(steps, generator.facts.time_shift)
    self._times = jnp.asarray(times, jnp.float32)
    small = inference.small_pictures(config, images)
    # With the chunk that is made, as many as training saw at once.
    window = generator.facts.knots // config.chunk - 1
    self._seen, self._memory = _begin(
      *self._network, jnp.asarray(small), window=window
    )

  def advance(self, log2_step: np.ndarray) -> np.ndarray:
    """Goes one chunk further.

    Args:
      log2_step: float [n, chunk], log2 of 30 x seconds of the world that lead
        to each moment.

    Returns:
      float32 [n, chunk, g, g, 2], x and y in sides of the picture, since the
      first frame.
    """
    config = self._config
    shape = config.chunk, config.grid, config.grid, config.channels
    noise = np.stack(
      [
        np.random.default_rng([seed, self._made]).standard_normal(
          shape, np.float32
        )
        for seed in self._seeds
      ]
    )
    trajectories, self._memory = _next_chunk(
      *self._network,
      jnp.asarray(noise),
      self._seen,
      jnp.asarray(log2_step, jnp.float32),
      self._memory,
      self._times,
    )
    self._made += 1
    return np.array(trajectories)


class Stream:
  """A clip of one picture that is made while it is watched.

  Attributes:
    image: the first frame, uint8 [s, s, 3].
    chunk: frames that are made at once.
  """

  def __init__(
    self,
    generator: inference.SpeedGenerator,
    image: inference.Picture,
    *,
    fps: float | Fraction = 30,
    seed: int = 0,
    steps: int = 10,
    size: int = 256,
    exposure: float = 0.5,
  ):
    """Starts at a picture; see `SpeedGenerator.generate` for the arguments.

    Raises:
      SpeedflowError: the generator is not causal, the picture cannot be read,
        or a number is out of range.
    """
    inference.check_positive("fps", fps)
    inference.check_exposure(exposure)
    self.image = inference.first_frame(image, size)
    self._trajectories = TrajectoryStream(
      generator, self.image[None], [seed], steps=steps
    )
    self.chunk = self._trajectories.chunk
    self._fps = float(fps)
    self._exposure = exposure
    self._warper = warp.Warper(self.image, generator.config.grid)
    grid = generator.config.grid
    self._time = 0.0
    self._last = np.zeros((grid, grid, 2), np.float32)

  def advance(self, speed: float | Sequence[float] = 1.0) -> np.ndarray:
    """Makes the next frames.

    Args:
      speed: playback speed factor; or one for the step to each frame, [chunk].

    Returns:
      uint8 [chunk, size, size, 3].

    Raises:
      SpeedflowError: the speed is not positive.
    """
    speeds = np.broadcast_to(np.asarray(speed, float), self.chunk)
    for value in speeds:
      inference.check_positive("speed", value)
    log2_step = labels.speed_to_step(np.log2(speeds), self._fps)
    seconds = np.exp2(log2_step) / labels.REFERENCE_FPS
    knots = self._time + np.concatenate([[0.0], np.cumsum(seconds)])
    trajectories = np.concatenate(
      [self._last[None], self._trajectories.advance(log2_step[None])[0]]
    )
    self._time, self._last = float(knots[-1]), trajectories[-1]
    return np.stack(
      [
        self._warper.frame(inference.during(knots, trajectories, *shutter))
        for shutter in inference.shutters(knots[1:], seconds, self._exposure)
      ]
    )


@functools.partial(jax.jit, static_argnames="window")
def _begin(
  graph: nnx.GraphDef, state: nnx.State, image: jax.Array, *, window: int
) -> tuple[jax.Array, generator_lib.Memory]:
  """What is seen in first frames, and an empty memory of some chunks."""
  model = nnx.merge(graph, state)
  return model.look(image), model.remember_nothing(len(image), window)


@jax.jit
def _next_chunk(
  graph: nnx.GraphDef,
  state: nnx.State,
  noise: jax.Array,
  seen: jax.Array,
  log2_step: jax.Array,
  memory: generator_lib.Memory,
  times: jax.Array,
) -> tuple[jax.Array, generator_lib.Memory]:
  """Trajectories [n, chunk, g, g, 2] from noise, and the memory of them."""
  model = nnx.merge(graph, state)
  yes = jnp.ones(len(noise), bool)

  def flow(point: jax.Array, time: jax.Array):
    time = jnp.full((len(noise), 1), time)
    return model.flow(point, time, seen, yes, log2_step, yes, memory)

  def step(point: jax.Array, span: tuple[jax.Array, jax.Array]):
    time, then = span
    velocity, _ = flow(point, time)
    return point + (then - time) * velocity, None

  point, _ = jax.lax.scan(step, noise, (times[:-1], times[1:]))
  _, longer = flow(point, jnp.float32(1.0))
  trajectories = generator_lib.decode(
    model.config, point, log2_step, memory.seconds
  )
  return trajectories, longer
