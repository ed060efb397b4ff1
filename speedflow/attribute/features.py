"""What a training clip does to a generator, in 512 numbers.

The gradient of the loss of one clip, at one time of the flow and one draw of
noise that all clips share, so that clips differ by their content alone; each
point counts as it moves, and the whole is divided by the clip's length (Motive,
arXiv 2601.08828, section 3). It is projected and scaled to length one.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.attribute.projection import Projection
from speedflow.data import tracks
from speedflow.generate.generator import SpeedGenerator
from speedflow.models import generator
from speedflow.timewarp import labels

Mask = Literal["min_max", "max", "none"]
"""How points count: see `motion_weights`."""

# Clips whose gradients are held at once.
_TOGETHER = 8
# World time that a clip shows at most, seconds, where the generator may choose.
_CLIP_S = 1.07
# A motion that varies less than this, relative to its fastest, is one motion.
_UNIFORM = 0.1


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all clips and queries have in common; else scores mean nothing.

  Attributes:
    log2_step: of every moment (log2 of 30 x seconds between them).
    time: of the flow, 0 (noise) .. 1 (data).
    mask: how points count, see `motion_weights`.
    by_length: whether the loss is divided by the clip's length.
    dimensions: of the features.
    seed: of noise and projection.
  """

  log2_step: float
  time: float
  mask: Mask = "min_max"
  by_length: bool = True
  dimensions: int = 512
  seed: int = 0

  @classmethod
  def of(cls, maker: SpeedGenerator, mask: Mask = "min_max") -> "Settings":
    """What suits a generator: where its training dwelt."""
    facts = maker.facts
    step = float(np.log2(_CLIP_S * labels.REFERENCE_FPS / facts.knots))
    return cls(
      log2_step=float(np.clip(step, facts.low, facts.high)),
      time=float(1 / (1 + np.exp(-facts.time_shift))),
      mask=mask,
    )


class Clip(NamedTuple):
  """A record as the generator sees it at the settings' pace.

  Attributes:
    image: uint8 [s, s, 3].
    trajectories: float32 [t, g, g, 2]; beyond the record's end they are
      extrapolated.
    weight: float32 [t, g, g], of each point's error; 0 beyond the end.
    length: moments until the end.
    motion: mean speed of the points until the end, sides per second.
  """

  image: np.ndarray
  trajectories: np.ndarray
  weight: np.ndarray
  length: int
  motion: float


class Features(NamedTuple):
  """Of some clips.

  Attributes:
    unit: float16 [n, d], projected gradients of length 1; 0 where there is no
      gradient, as of a clip without motion.
    norm: float32 [n], lengths of the projected gradients.
    length: int32 [n], moments.
    motion: float32 [n], mean speed of points, sides of the picture per second.
  """

  unit: np.ndarray
  norm: np.ndarray
  length: np.ndarray
  motion: np.ndarray


def motion_weights(
  speeds: np.ndarray, length: int, mask: Mask = "min_max"
) -> np.ndarray:
  """How much each point's error counts.

  Args:
    speeds: float [t, g, g], how fast points go.
    length: moments that count.
    mask: "min_max" scales speeds of the clip to 0..1, as Motive does; a view
      that moves as a whole has no contrast to scale, and counts in full. "max"
      divides by the fastest. "none" counts all points alike.

  Returns:
    float32 [t, g, g], 0 .. 1.
  """
  weight = np.zeros(speeds.shape, np.float32)
  seen = speeds[:length]
  if mask == "none":
    weight[:length] = 1.0
    return weight
  low, high = float(seen.min(initial=np.inf)), float(seen.max(initial=0.0))
  if not high > 0:
    return weight
  if mask == "max" or high - low < _UNIFORM * high:
    low = 0.0
  weight[:length] = (seen - low) / (high - low)
  return weight


def read_clip(
  record: tracks.TrackRecord, settings: Settings, knots: int, size: int
) -> Clip:
  """Reads a record off at the settings' pace.

  Args:
    record: where points go.
    settings: see there.
    knots: moments that the generator tells.
    size: of the picture that it looks at, pixels.
  """
  step_s = 2.0**settings.log2_step / labels.REFERENCE_FPS
  end_s = float(record.times_s[-1])
  times = step_s * np.arange(knots + 1)
  # Rounding must not cost the last moment.
  length = int(np.clip((end_s + 1e-3) / step_s, 1, knots))
  trajectories = tracks.between(
    record.times_s, record.trajectories.astype(np.float32), times
  )
  speeds = np.linalg.norm(np.diff(trajectories, axis=0), axis=-1) / step_s
  side = size, size
  return Clip(
    image=cv2.resize(record.image, side, interpolation=cv2.INTER_AREA),
    trajectories=trajectories[1:],
    weight=motion_weights(speeds, length, settings.mask),
    length=length,
    motion=float(speeds[:length].mean()),
  )


class FeatureMaker:
  """Turns records into features, by one generator."""

  def __init__(self, maker: SpeedGenerator, settings: Settings):
    """Compiles nothing yet.

    Args:
      maker: the generator whose training is to be explained.
      settings: see there.
    """
    self.settings = settings
    self._knots = maker.facts.knots
    self._config = maker.config
    self._graph, state = nnx.split(maker.model)
    self._params, self._rest = nnx.split_state(state, nnx.Param, ...)
    grid = self._config.grid
    shape = self._knots, grid, grid, self._config.channels
    rng = np.random.default_rng(settings.seed)
    self._noise = rng.standard_normal(shape, np.float32)

  def made_by(self) -> dict[str, Any]:
    """Tells features that may not be compared apart, as JSON."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(self._params):
      digest.update(np.asarray(leaf).tobytes())
    return {
      "parameters_sha256": digest.hexdigest(),
      "settings": dataclasses.asdict(self.settings),
    }

  def features(self, records: Sequence[tracks.TrackRecord]) -> Features:
    """Features of records, in their order."""
    clips = [
      read_clip(record, self.settings, self._knots, self._config.image)
      for record in records
    ]
    parts = []
    for first in range(0, len(clips), _TOGETHER):
      some = clips[first : first + _TOGETHER]
      # One shape, compiled once.
      padded = some + some[-1:] * (_TOGETHER - len(some))
      of_some = self.project(stack(padded, self.settings))
      parts.append(np.asarray(of_some)[: len(some)])
    projected = np.concatenate(parts)
    norm = np.linalg.norm(projected, axis=1)
    unit = projected / np.where(norm > 0, norm, 1.0)[:, None]
    return Features(
      unit=unit.astype(np.float16),
      norm=norm.astype(np.float32),
      length=np.array([clip.length for clip in clips], np.int32),
      motion=np.array([clip.motion for clip in clips], np.float32),
    )

  def project(self, batch: Mapping[str, np.ndarray]) -> jax.Array:
    """Projected gradients of a batch of `stack`, float32 [b, d]."""
    return _project(
      self._graph,
      self._params,
      self._rest,
      self._noise,
      self.settings.time,
      dict(batch),
      projection=Projection(self.settings.dimensions, self.settings.seed),
      by_length=self.settings.by_length,
    )

  def gradient(self, batch: Mapping[str, np.ndarray]) -> nnx.State:
    """The whole gradient of the first clip of a batch of `stack`."""
    return _gradient(
      self._params,
      self._graph,
      self._rest,
      self._noise,
      self.settings.time,
      {name: value[0] for name, value in batch.items()},
      by_length=self.settings.by_length,
    )


def _loss(
  params: nnx.State,
  graph: nnx.GraphDef,
  rest: nnx.State,
  noise: jax.Array,
  time: jax.Array,
  clip: dict[str, jax.Array],
  by_length: bool,
) -> jax.Array:
  """The loss of one clip, a scalar."""
  model = nnx.merge(graph, params, rest)
  one = {name: value[None] for name, value in clip.items()}
  yes = jnp.ones(1, bool)
  error = generator.velocity_error(
    model,
    one,
    noise=noise[None],
    time=jnp.full(1, time),
    has_image=yes,
    has_speed=yes,
    weight=one["weight"],
  )
  # The error is a mean over all moments, those beyond the end among them.
  total = error[0] * len(noise)
  return total / clip["length"] if by_length else total


# Compiled once for all generators of the same sizes.
_gradient = jax.jit(jax.grad(_loss), static_argnames="by_length")


@functools.partial(jax.jit, static_argnames=("projection", "by_length"))
def _project(
  graph: nnx.GraphDef,
  params: nnx.State,
  rest: nnx.State,
  noise: jax.Array,
  time: jax.Array,
  batch: dict[str, jax.Array],
  *,
  projection: Projection,
  by_length: bool,
) -> jax.Array:
  def one(clip: dict[str, jax.Array]) -> jax.Array:
    gradient = jax.grad(_loss)(
      params, graph, rest, noise, time, clip, by_length
    )
    return projection(gradient)

  return jax.vmap(one)(batch)


def stack(clips: Sequence[Clip], settings: Settings) -> dict[str, np.ndarray]:
  """Clips as a batch, with the speed that they are told to have."""
  moments = len(clips[0].trajectories)
  return {
    "image": np.stack([clip.image for clip in clips]),
    "trajectories": np.stack([clip.trajectories for clip in clips]),
    "weight": np.stack([clip.weight for clip in clips]),
    "length": np.array([clip.length for clip in clips], np.float32),
    "log2_step": np.full((len(clips), moments), settings.log2_step, np.float32),
  }
