"""From a picture and a speed to a clip."""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.generate import bodies, warp
from speedflow.models import generator as generator_lib
from speedflow.models import generator_flow
from speedflow.timewarp import labels

# Clips that are generated together; one shape, compiled once.
_BATCH = 16
# Sides of the pictures that are shown.
_SMALLEST, _LARGEST = 16, 1024
# Clips may last this many times the longest world time of training.
_BEYOND = 1.25

Picture = str | os.PathLike[str] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Facts:
  """What a generator was trained on.

  Attributes:
    knots: moments after the first frame.
    low: slowest log2 step (seconds of the world between knots x 30).
    high: fastest log2 step.
    time_shift: times of the flow that training favoured, see
      `generator_flow.sample_times`.
  """

  knots: int
  low: float
  high: float
  time_shift: float = 0.0

  @property
  def longest_s(self) -> float:
    """World time that a clip may last, seconds."""
    step_s = 2**self.high / labels.REFERENCE_FPS
    return _BEYOND * self.knots * step_s


class SpeedGenerator:
  """Makes clips that begin with a picture and play at a wanted speed.

  Attributes:
    facts: what it was trained on.
    config: sizes of the network.
    parameters: how many it has.
  """

  def __init__(self, model: generator_lib.Generator, facts: Facts):
    """Wraps a trained network.

    Args:
      model: the network.
      facts: what it was trained on.
    """
    self.facts = facts
    self.config = model.config
    self.parameters = sum(
      x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))
    )
    self._graph, self._state = nnx.split(model)

  @property
  def model(self) -> generator_lib.Generator:
    """The network; a new one, which may be changed."""
    return nnx.merge(self._graph, jax.tree.map(lambda x: x, self._state))

  @property
  def network(self) -> tuple[nnx.GraphDef, nnx.State]:
    """The trained network, as `nnx.merge` wants it."""
    return self._graph, self._state

  def generate(
    self,
    image: Picture,
    speed: float = 1.0,
    *,
    speed_curve: Sequence[float] | np.ndarray | None = None,
    frames: int | None = None,
    fps: float | Fraction = 30,
    guidance: float = 1.0,
    image_guidance: float = 1.0,
    steps: int = 30,
    seed: int = 0,
    size: int = 256,
    exposure: float = 0.5,
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes one clip.

    Args:
      image: the first frame: a file of a picture or of a video, whose first
        frame is taken; or pixels, uint8 [h, w, 3], or a clip of them
        [t, h, w, 3]. Its middle square is shown.
      speed: playback speed factor; 2.0 plays twice as fast as the world.
      speed_curve: the speed from each frame to the next, instead of `speed`.
      frames: length; that of `speed_curve`, or one more than the knots.
      fps: frames per second of playback.
      guidance: 1 follows the speed as trained, more exaggerates it.
      image_guidance: the same for the first frame; 0 ignores it.
      steps: of the sampler.
      seed: the same seed gives the same motion.
      size: height and width of the clip, pixels.
      exposure: open-shutter time / frame interval, for motion blur.
      on_progress: called with the share that is done.

    Returns:
      uint8 [frames, size, size, 3].

    Raises:
      SpeedflowError: a picture that cannot be read, or a number out of range.
    """
    check_positive("fps", fps)
    if speed_curve is None:
      length = self.facts.knots + 1 if frames is None else frames
      speeds = np.full(max(length, 0), float(speed))
    else:
      speeds = np.asarray(speed_curve, float)
      length = len(speeds) if frames is None else frames
      if speeds.ndim != 1 or len(speeds) != length:
        raise SpeedflowError(
          f"the speed curve has {speeds.size} values for {length} frames; give "
          "one speed for each frame"
        )
    for value in speeds:
      check_positive("speed", value)
    return self.generate_batch(
      first_frame(image, size)[None],
      labels.speed_to_step(np.log2(speeds), float(fps))[None],
      seeds=[seed],
      guidance=guidance,
      image_guidance=image_guidance,
      steps=steps,
      exposure=exposure,
      on_progress=on_progress,
    )[0]

  def generate_batch(
    self,
    images: np.ndarray,
    log2_step: np.ndarray,
    *,
    seeds: Sequence[int],
    guidance: float = 1.0,
    image_guidance: float = 1.0,
    steps: int = 30,
    exposure: float = 0.5,
    together: bool = True,
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes many clips; rows with the same seed start from the same noise.

    Args:
      images: uint8 [n, s, s, 3], first frames of any size.
      log2_step: float [n, t], log2 of 30 x seconds of the world from each
        frame to the next.
      seeds: [n].
      guidance: see `generate`.
      image_guidance: see `generate`.
      steps: of the sampler.
      exposure: see `generate`.
      together: see `trajectories`.
      on_progress: called with the share that is done.

    Returns:
      uint8 [n, t, s, s, 3].

    Raises:
      SpeedflowError: a number out of range.
    """
    log2_step = np.asarray(log2_step, np.float64)
    self._check(log2_step, steps, guidance, image_guidance, exposure)
    seconds = np.exp2(log2_step) / labels.REFERENCE_FPS
    times = np.cumsum(seconds, 1) - seconds  # Of the frames, [n, t].
    knots = np.stack([self._knots(row) for row in times])
    trajectories = self.trajectories(
      images,
      np.log2(np.diff(knots, axis=1) * labels.REFERENCE_FPS),
      seeds,
      guidance=guidance,
      image_guidance=image_guidance,
      steps=steps,
      together=together,
      on_progress=lambda done: on_progress(0.8 * done),
    )
    clips = []
    for number, image in enumerate(images):
      warper = warp.Warper(image, self.config.grid)
      clips.append(
        np.stack(
          [
            warper.frame(during(knots[number], trajectories[number], *shutter))
            for shutter in itertools.chain(
              # The first frame is as it was given.
              [(0.0, 0.0)],
              shutters(times[number, 1:], seconds[number, 1:], exposure),
            )
          ]
        )
      )
      on_progress(0.8 + 0.2 * (number + 1) / len(images))
    return np.stack(clips)

  def _knots(self, times: np.ndarray) -> np.ndarray:
    """World times of the knots: evenly spread over the frames."""
    frames = len(times)
    at = np.linspace(0, frames - 1, self.facts.knots + 1)
    return np.interp(at, np.arange(frames), times)

  def trajectories(
    self,
    images: np.ndarray,
    log2_step: np.ndarray,
    seeds: Sequence[int],
    *,
    guidance: float = 1.0,
    image_guidance: float = 1.0,
    steps: int = 30,
    together: bool = True,
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Samples where the points of pictures go.

    Args:
      images: uint8 [n, s, s, 3].
      log2_step: float [n, knots], log2 of 30 x seconds of the world that lead
        to each knot.
      seeds: [n].
      guidance: see `generate`.
      image_guidance: see `generate`.
      steps: of the sampler.
      together: whether points of one body are brought into line, see
        `generator_bodies`.
      on_progress: called with the share that is done.

    Returns:
      float32 [n, knots + 1, g, g, 2], x and y in sides of the picture, since
      the first frame; at first, all are where they were.
    """
    config, rows = self.config, len(images)
    at_once = min(_BATCH, rows)
    padding = -rows % at_once
    small = small_pictures(config, images)
    small = _repeat_last(small, padding)
    log2_step = _repeat_last(log2_step.astype(np.float32), padding)
    shape = log2_step.shape[1], config.grid, config.grid, config.channels
    noise = np.stack(
      [
        np.random.default_rng(seed).standard_normal(shape, np.float32)
        for seed in [*seeds, *[0] * padding]
      ]
    )
    times = generator_flow.schedule(steps, self.facts.time_shift)
    parts = []
    batches = len(small) // at_once
    for index in range(batches):
      part = slice(index * at_once, (index + 1) * at_once)
      point = jnp.asarray(noise[part])
      steps_in = jnp.asarray(log2_step[part])
      seen = _look(self._graph, self._state, jnp.asarray(small[part]))
      for step, (time, then) in enumerate(itertools.pairwise(times)):
        point = _advance(
          self._graph,
          self._state,
          point,
          seen,
          steps_in,
          jnp.float32(time),
          jnp.float32(then - time),
          guidance=float(guidance),
          image_guidance=float(image_guidance),
        )
        on_progress((index + (step + 1) / steps) / batches)
      if together:
        kept = bodies.keep_together(np.asarray(point))
        point = jnp.asarray(kept)
      parts.append(np.array(generator_lib.decode(config, point, steps_in)))
    trajectories = np.concatenate(parts)[:rows]
    return np.concatenate([np.zeros_like(trajectories[:, :1]), trajectories], 1)

  def _check(
    self,
    log2_step: np.ndarray,
    steps: int,
    guidance: float,
    image_guidance: float,
    exposure: float,
  ) -> None:
    frames, longest = log2_step.shape[1], self.facts.longest_s
    if not 2 <= frames <= 10_000:
      raise SpeedflowError(
        f"{frames} frames are asked for; wanted 2 or more, such as 17"
      )
    lasts = np.exp2(log2_step[:, :-1]).sum(1).max() / labels.REFERENCE_FPS
    if lasts > longest:
      raise SpeedflowError(
        f"{frames} frames at this speed last {lasts:.3g} s of the world, and "
        f"this generator makes {longest:.3g} s at most; ask for fewer frames "
        "or a lower speed"
      )
    slowest = 2.0 ** (self.facts.low - 4)
    if np.exp2(log2_step).min() < slowest:
      raise SpeedflowError(
        f"{2.0 ** log2_step.min():.3g}x at 30 frames per second is out of "
        f"range; ask for {slowest:.2g}x or more"
      )
    check_steps(steps)
    check_exposure(exposure)
    for name, value in (("", guidance), ("image ", image_guidance)):
      if not 0 <= value <= 20:
        raise SpeedflowError(
          f"{name}guidance is {value:g}; wanted 0 to 20, such as 1"
        )


def shutters(
  times: np.ndarray, seconds: np.ndarray, exposure: float
) -> Iterator[tuple[float, float]]:
  """When the shutter of each frame opens and closes.

  Args:
    times: of the frames, seconds, [t].
    seconds: of the world that lead to each, [t].
    exposure: open-shutter time / frame interval.
  """
  for time, step in zip(times, seconds, strict=True):
    yield time - exposure * step / 2, time + exposure * step / 2


def during(
  knots: np.ndarray, trajectories: np.ndarray, opens: float, closes: float
) -> np.ndarray:
  """Trajectories [2, g, g, 2] when the shutter opens and when it closes.

  Args:
    knots: increasing world times, seconds, [t].
    trajectories: at these times, float [t, g, g, 2].
    opens: seconds.
    closes: seconds.
  """
  found = []
  for time in (opens, closes):
    after = int(np.clip(np.searchsorted(knots, time), 1, len(knots) - 1))
    start, end = knots[after - 1], knots[after]
    # Beyond the last knot, all go on as they did.
    share = np.float32((time - start) / (end - start))
    found.append(
      (1 - share) * trajectories[after - 1] + share * trajectories[after]
    )
  return np.stack(found)


@jax.jit
def _look(graph: nnx.GraphDef, state: nnx.State, image: jax.Array) -> jax.Array:
  """The network's encoding of first frames, uint8 [b, s, s, 3]."""
  return nnx.merge(graph, state).look(image)


@functools.partial(jax.jit, static_argnames=("guidance", "image_guidance"))
def _advance(
  graph: nnx.GraphDef,
  state: nnx.State,
  point: jax.Array,
  seen: jax.Array,
  log2_step: jax.Array,
  time: jax.Array,
  duration: jax.Array,
  *,
  guidance: float,
  image_guidance: float,
) -> jax.Array:
  """One Euler step of the guided flow; point [b, t, g, g, channels]."""
  model = nnx.merge(graph, state)
  rows = len(point)

  def predict(has_image: bool, has_speed: bool) -> jax.Array:
    velocity, _ = model.flow(
      point,
      jnp.full(rows, time),
      seen,
      jnp.full(rows, has_image),
      log2_step,
      jnp.full(rows, has_speed),
    )
    return velocity

  # What has no weight is not computed.
  zero = jnp.zeros_like(point)
  both = predict(True, True) if guidance else zero
  alone = predict(True, False) if guidance != image_guidance else zero
  nothing = predict(False, False) if image_guidance != 1 else zero
  velocity = generator_flow.guide(
    nothing, alone, both, image_guidance, guidance
  )
  return point + duration * velocity


def first_frame(source: Picture, size: int) -> np.ndarray:
  """Reads a picture, and scales its middle square.

  Args:
    source: see `SpeedGenerator.generate`.
    size: height and width of the result, pixels.

  Returns:
    uint8 [size, size, 3].

  Raises:
    SpeedflowError: it is no picture, or the size is out of range.
  """
  if not _SMALLEST <= size <= _LARGEST:
    raise SpeedflowError(
      f"size is {size}; wanted {_SMALLEST} to {_LARGEST} pixels"
    )
  image = picture(source)
  side = min(image.shape[:2])
  top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
  square = image[top : top + side, left : left + side]
  method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
  return cv2.resize(square, (size, size), interpolation=method)


def picture(source: Picture) -> np.ndarray:
  """Reads a picture, or the first one of a video.

  Args:
    source: see `SpeedGenerator.generate`.

  Returns:
    uint8 [h, w, 3].

  Raises:
    SpeedflowError: it is no picture.
  """
  if isinstance(source, np.ndarray):
    image = source[0] if source.ndim == 4 and len(source) else source
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
      raise SpeedflowError(
        f"the first frame is {source.dtype} {list(source.shape)}; wanted uint8 "
        "[height, width, 3]"
      )
  else:
    image = _read(os.fspath(source))
  if not min(image.shape[:2]):
    raise SpeedflowError("the first frame is empty; give a picture")
  return image


def _read(path: str) -> np.ndarray:
  """Reads a picture, or the first one of a video, uint8 RGB [h, w, 3]."""
  # Of a missing file OpenCV complains by itself, besides.
  if os.path.isfile(path) and cv2.haveImageReader(path):
    image = cv2.imread(path, cv2.IMREAD_COLOR_RGB)
    if image is None:
      raise SpeedflowError(f"{path}: a damaged picture; copy it again")
    return image
  with media.VideoReader(path) as reader:
    frame = next(iter(reader), None)
  if frame is None:
    raise SpeedflowError(f"{path}: has no picture in it")
  return frame.image


def _repeat_last(rows: np.ndarray, count: int) -> np.ndarray:
  return np.concatenate([rows, np.repeat(rows[-1:], count, 0)])


def small_pictures(
  config: generator_lib.GeneratorConfig, images: np.ndarray
) -> np.ndarray:
  """Pictures [n, h, w, 3] at the network's size, uint8 [n, s, s, 3]."""
  side = config.image, config.image
  return np.stack(
    [cv2.resize(i, side, interpolation=cv2.INTER_AREA) for i in images]
  )


def check_steps(steps: int) -> None:
  """Raises a SpeedflowError unless a sampler can take so many steps."""
  if not 1 <= steps <= 1000:
    raise SpeedflowError(f"steps are {steps}; wanted 1 to 1000, such as 10")


def check_exposure(exposure: float) -> None:
  """Raises a SpeedflowError unless a shutter can be open so long."""
  if not 0 <= exposure <= 1:
    raise SpeedflowError(f"exposure is {exposure:g}; wanted 0 to 1")


def check_positive(name: str, value: float | Fraction) -> None:
  """Raises a SpeedflowError that names the number unless it is positive."""
  if not (value > 0 and math.isfinite(value)):
    raise SpeedflowError(f"{name} is {value}; wanted a positive number")
