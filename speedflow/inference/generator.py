"""From a picture and a speed to a clip."""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Sequence
from fractions import Fraction

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.models import generator as generator_lib
from speedflow.models import generator_flow
from speedflow.timewarp import labels

# Clips that are generated together; one shape, compiled once.
_BATCH = 16
# A clip may be so many times as long as those that were trained on.
_LONGEST = 2

Picture = str | os.PathLike[str] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Facts:
  """What a generator was trained on.

  Attributes:
    frames: of a clip.
    size: height and width, pixels.
    low: slowest log2 step (seconds of the world between frames x 30).
    high: fastest log2 step.
  """

  frames: int
  size: int
  low: float
  high: float


class SpeedGenerator:
  """Makes clips that begin with a picture and play at a wanted speed.

  Attributes:
    facts: what it was trained on.
  """

  def __init__(self, model: generator_lib.Generator, facts: Facts):
    """Wraps a trained network.

    Args:
      model: the network.
      facts: what it was trained on.
    """
    self.facts = facts
    self._graph, self._state = nnx.split(model)

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
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes one clip.

    Args:
      image: the first frame: a file of a picture or of a video, whose first
        frame is taken; or pixels, uint8 [h, w, 3], or a clip of them
        [t, h, w, 3]. Its middle square is scaled to the size of the network.
      speed: playback speed factor; 2.0 plays twice as fast as the world.
      speed_curve: the speed from each frame to the next, instead of `speed`.
      frames: length; that of `speed_curve`, or of training, by default.
      fps: frames per second of playback.
      guidance: 1 follows the speed as trained, more exaggerates it, 0 ignores
        it.
      image_guidance: the same for the first frame.
      steps: of the sampler.
      seed: the same seed gives the same clip.
      on_progress: called with the share that is done.

    Returns:
      uint8 [frames, size, size, 3].

    Raises:
      SpeedflowError: a picture that cannot be read, or a number out of range.
    """
    _positive("fps", fps)
    if speed_curve is None:
      length = self.facts.frames if frames is None else frames
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
      _positive("speed", value)
    log2_step = labels.speed_to_step(np.log2(speeds), float(fps))
    first = first_frame(image, self.facts.size)
    return self.generate_batch(
      first[None],
      log2_step[None],
      seeds=[seed],
      guidance=guidance,
      image_guidance=image_guidance,
      steps=steps,
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
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes many clips; rows with the same seed start from the same noise.

    Args:
      images: uint8 [n, size, size, 3].
      log2_step: float [n, t], log2 of 30 x seconds of the world from each
        frame to the next.
      seeds: [n].
      guidance: see `generate`.
      image_guidance: see `generate`.
      steps: of the sampler.
      on_progress: called with the share that is done.

    Returns:
      uint8 [n, t, size, size, 3].

    Raises:
      SpeedflowError: a number out of range.
    """
    rows, frames = log2_step.shape
    self._check(log2_step, steps, guidance, image_guidance)
    together = min(_BATCH, rows)
    padding = -rows % together
    pad = functools.partial(_repeat_last, count=padding)
    images, log2_step = pad(images), pad(np.asarray(log2_step, np.float32))
    noise = np.stack(
      [
        _noise(seed, frames, self.facts.size)
        for seed in [*seeds, *[0] * padding]
      ]
    )
    parts = []
    batches = len(images) // together
    for index in range(batches):
      part = slice(index * together, (index + 1) * together)
      point = jnp.asarray(noise[part])
      encoded = generator_lib.encode(jnp.asarray(images[part]))
      for step in range(steps):
        point = _advance(
          self._graph,
          self._state,
          point,
          encoded,
          jnp.asarray(log2_step[part]),
          jnp.float32(step / steps),
          jnp.float32(1 / steps),
          guidance=float(guidance),
          image_guidance=float(image_guidance),
        )
        on_progress((index + (step + 1) / steps) / batches)
      parts.append(np.array(generator_lib.decode(point)))
    clips = np.concatenate(parts)
    clips[:, 0] = images
    return clips[:rows]

  def _check(
    self,
    log2_step: np.ndarray,
    steps: int,
    guidance: float,
    image_guidance: float,
  ) -> None:
    facts, frames = self.facts, log2_step.shape[1]
    if not 2 <= frames <= _LONGEST * facts.frames:
      raise SpeedflowError(
        f"{frames} frames are asked for; this generator makes 2 to "
        f"{_LONGEST * facts.frames} (trained on {facts.frames})"
      )
    # An octave beyond what it has seen; further out is guesswork.
    low, high = facts.low - 1, facts.high + 1
    if log2_step.min() < low or log2_step.max() > high:
      raise SpeedflowError(
        f"{2.0 ** log2_step.min():.3g}x to {2.0 ** log2_step.max():.3g}x at 30 "
        f"frames per second is out of range; ask for {2.0**low:.2g} to "
        f"{2.0**high:.2g}"
      )
    if not 1 <= steps <= 1000:
      raise SpeedflowError(f"steps are {steps}; wanted 1 to 1000, such as 30")
    for name, value in (("", guidance), ("image ", image_guidance)):
      if not 0 <= value <= 20:
        raise SpeedflowError(
          f"{name}guidance is {value:g}; wanted 0 to 20, such as 1"
        )


@functools.partial(jax.jit, static_argnames=("guidance", "image_guidance"))
def _advance(
  graph: nnx.GraphDef,
  state: nnx.State,
  point: jax.Array,
  image: jax.Array,
  log2_step: jax.Array,
  time: jax.Array,
  duration: jax.Array,
  *,
  guidance: float,
  image_guidance: float,
) -> jax.Array:
  """One Euler step of the guided flow; point [b, t, h, w, 3]."""
  model = nnx.merge(graph, state)
  rows, frames = point.shape[:2]

  def predict(has_image: bool, has_speed: bool) -> jax.Array:
    return model(
      point,
      jnp.full((rows, frames), time),
      image,
      jnp.full(rows, has_image),
      log2_step,
      jnp.full(rows, has_speed),
    )

  # What has no weight is not computed.
  zero = jnp.zeros_like(point)
  both = predict(True, True) if guidance else zero
  alone = predict(True, False) if guidance != image_guidance else zero
  nothing = predict(False, False) if image_guidance != 1 else zero
  velocity = generator_flow.guide(
    nothing, alone, both, image_guidance, guidance
  )
  # The first frame goes straight to the picture.
  straight = (image - point[:, 0]) / (1 - time)
  return point + duration * velocity.at[:, 0].set(straight)


def first_frame(source: Picture, size: int) -> np.ndarray:
  """Reads a picture, and scales its middle square.

  Args:
    source: see `SpeedGenerator.generate`.
    size: of the result, pixels.

  Returns:
    uint8 [size, size, 3].

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
  side = min(image.shape[:2])
  if not side:
    raise SpeedflowError("the first frame is empty; give a picture")
  top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
  square = image[top : top + side, left : left + side]
  way = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
  return cv2.resize(square, (size, size), interpolation=way)


def _read(path: str) -> np.ndarray:
  """Reads a picture, or the first one of a video, uint8 RGB [h, w, 3]."""
  if cv2.haveImageReader(path):
    image = cv2.imread(path, cv2.IMREAD_COLOR_RGB)
    if image is None:
      raise SpeedflowError(f"{path}: a damaged picture; copy it again")
    return image
  with media.VideoReader(path) as reader:
    frame = next(iter(reader), None)
  if frame is None:
    raise SpeedflowError(f"{path}: has no picture in it")
  return frame.image


def _noise(seed: int, frames: int, size: int) -> np.ndarray:
  return np.random.default_rng(seed).standard_normal(
    (frames, size, size, generator_lib.CHANNELS), np.float32
  )


def _repeat_last(rows: np.ndarray, count: int) -> np.ndarray:
  return np.concatenate([rows, np.repeat(rows[-1:], count, 0)])


def _positive(name: str, value: float | Fraction) -> None:
  if not (value > 0 and math.isfinite(value)):
    raise SpeedflowError(f"{name} is {value}; wanted a positive number")
