"""What a clip of tracks does to a generator of trajectories, in 512 numbers.

The gradient of the loss of one clip, at one time of the flow and one draw of
noise that all clips share, so that clips differ by their content alone; each
point counts as it moves, and the whole is divided by the clip's length (Motive,
arXiv 2601.08828, section 3). It is projected and scaled to length one.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.attribute import features as features_lib
from speedflow.attribute import queries
from speedflow.attribute.projection import Projection
from speedflow.data import tracks
from speedflow.generate import warp
from speedflow.generate.generator import SpeedGenerator
from speedflow.models import generator
from speedflow.timewarp import labels

# Clips whose gradients are held at once.
_TOGETHER = 8
# World time that a clip shows at most, seconds, where the generator may choose.
_CLIP_S = 1.07
# Of the films that a page shows.
_FILM_FPS = 10
_LONGEST_S = 2.0


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all clips and queries have in common; else scores mean nothing.

  Attributes:
    log2_step: of every moment (log2 of 30 x seconds between them).
    time: of the flow, 0 (noise) .. 1 (data).
    mask: how points count, see `features.motion_weights`.
    by_length: whether the loss is divided by the clip's length.
    dimensions: of the features.
    seed: of noise and projection.
  """

  log2_step: float
  time: float
  mask: features_lib.Mask = "min_max"
  by_length: bool = True
  dimensions: int = 512
  seed: int = 0

  @classmethod
  def of(
    cls, maker: SpeedGenerator, mask: features_lib.Mask = "min_max"
  ) -> "Settings":
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
    weight=features_lib.motion_weights(speeds, length, settings.mask),
    length=length,
    motion=float(speeds[:length].mean()),
  )


class FeatureMaker:
  """Turns records of tracks into features, by one generator.

  See `features.Maker`.
  """

  shown = (
    "Every clip is shown as the generator knows it: its first picture, moved "
    "to where its points were found to go; at most two seconds, at the pace of "
    "the world."
  )

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
    return {
      "parameters_sha256": features_lib.digest(self._params),
      "settings": dataclasses.asdict(self.settings),
    }

  decode = staticmethod(tracks.TrackRecord.decode)

  def read_queries(
    self, folder: pathlib.Path, speed: float
  ) -> list[tracks.TrackRecord]:
    """Reads tracks, and videos at a speed; see `queries.read`."""
    return queries.read(
      folder,
      self.decode,
      lambda path: tracks.track_video(path, speed),
      "a folder of videos of the motion, or of records of tracks",
    )

  def film(self, record: tracks.TrackRecord, side: int) -> features_lib.Film:
    """Moves the first picture to where its points were found to go."""
    image = cv2.resize(
      record.image, (side, side), interpolation=cv2.INTER_CUBIC
    )
    warper = warp.Warper(image, tracks.GRID)
    seconds = min(float(record.times_s[-1]), _LONGEST_S)
    times = np.arange(max(int(seconds * _FILM_FPS), 1) + 1) / _FILM_FPS
    trajectories = tracks.between(
      record.times_s, record.trajectories.astype(np.float32), times
    )
    frames = [warper.frame(moment[None]) for moment in trajectories]
    return features_lib.Film(frames, _FILM_FPS)

  def features(
    self, records: Sequence[tracks.TrackRecord]
  ) -> features_lib.Features:
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
    return features_lib.of_gradients(
      np.concatenate(parts),
      [clip.length for clip in clips],
      [clip.motion for clip in clips],
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
