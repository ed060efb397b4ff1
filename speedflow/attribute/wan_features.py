"""What a clip of latents does to Wan, in 512 numbers.

As Motive (arXiv 2601.08828) asks it of Wan, but for the weights of motion.
There they are the optical flow of the video (by AllTracker), scaled to 0..1 and
brought to the grid of the latents. Records of latents hold no video: here it is
how much a latent changes from frame to frame that is scaled. A change of light
counts as motion, then, and what moves without contrast does not.

A clip is told its own text, known frames and speed, as in training. The loss is
a mean over its frames, which divides by their number.

The gradient is projected leaf by leaf within one program, and the blocks of the
network are one leaf for each of their parameters: besides the network and its
gradient, memory holds little. Over several devices both are split.
"""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.attribute import features as features_lib
from speedflow.attribute import queries
from speedflow.attribute.projection import Projection
from speedflow.data.records import RecordSource, split_shards
from speedflow.errors import SpeedflowError
from speedflow.models.wan import config, transformer
from speedflow.wan import (
  encoders,
  examples,
  index,
  latents,
  objective,
  pipeline,
  spreading,
)
from speedflow.weights import room_for
from speedflow.weights import wan as weights

# Of a film, frames per second: what Wan's clips play at.
_FILM_FPS = 16
# In memory at once: the network, and its gradient.
_COPIES = 2


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all clips and queries have in common; else scores mean nothing.

  Attributes:
    time: of the flow, 0 (clean) .. 1 (noise).
    adapter_rank: 0 takes the gradient of all parameters. Above, of low-rank
      matrices beside the attentions' projections alone: of those that are zero
      before training, which sees the gradient of the matrix beside them through
      as many random directions (LoRA, arXiv 2106.09685).
    mask: how places count, see `features.motion_weights`.
    dimensions: of the features.
    seed: of noise, projection and low-rank matrices.
  """

  time: float
  adapter_rank: int = 0
  mask: features_lib.Mask = "min_max"
  dimensions: int = 512
  seed: int = 0

  @classmethod
  def of(cls, trained: index.Trained, adapter_rank: int = 0) -> "Settings":
    """The median of the times that were trained on."""
    return cls(objective.times(0.5, trained.shift), adapter_rank)


class WanFeatureMaker:
  """Turns records of latents into features, by one Wan.

  See `features.Maker`.
  """

  shown = (
    "Every clip is shown as its latents are decoded, at 16 frames a second."
  )

  def __init__(
    self,
    folder: pathlib.Path,
    settings: Settings,
    image_tokens: int = 0,
    devices: Sequence[jax.Device] | None = None,
  ):
    """Loads the transformer.

    Args:
      folder: a pipeline of Wan that has learnt speed, as diffusers keeps it.
      settings: see there.
      image_tokens: of a first picture, where the transformer is told it.
      devices: over which a clip and the network are spread, or as many of them
        as divide its tokens; by default all that this process has.

    Raises:
      SpeedflowError: it is no such folder, has not learnt speed, or there is
        not enough memory.
    """
    self.settings = settings
    self._folder = folder
    self._sizes = examples.sizes_of(folder, image_tokens)
    self._spread = spreading.Spreading(
      _dividing(devices or jax.local_devices(), self._tokens(folder))
    )
    cpu = jax.default_backend() == "cpu"
    dtype = jnp.float32 if cpu else jnp.bfloat16
    computed = config.Computation(
      dtype=dtype,
      param_dtype=dtype,
      remat="none" if cpu else "full",
      lora_rank=settings.adapter_rank,
      trained="added" if settings.adapter_rank else "all",
      **weights.speed_of(folder / "transformer"),
    )
    room_for.require(
      _COPIES
      * weights.transformer_bytes(folder / "transformer", computed)
      // self._spread.mesh.size,
      f"{folder}: Wan's transformer and its gradient",
      "take a smaller Wan (1.3B in place of 14B), --adapter-rank, or more "
      "devices",
    )
    model = weights.load_transformer(
      folder / "transformer", computed, self._spread.place, settings.seed
    )
    wanted: Any = nnx.Param
    if settings.adapter_rank:
      # Of the other matrix the gradient is 0 as long as this one is.
      wanted = nnx.All(nnx.LoRAParam, nnx.PathContains("lora_b"))
    self._graph, state = nnx.split(model)
    self._params, self._rest = nnx.split_state(state, wanted, ...)
    rng = np.random.default_rng(settings.seed)
    self._noise = rng.standard_normal((1, *self._sizes.latents), np.float32)

  def _tokens(self, folder: pathlib.Path) -> int:
    """Of a clip."""
    patch = weights.transformer_config(folder / "transformer").patch_size
    places = zip(self._sizes.latents[:3], patch, strict=True)
    return math.prod(size // side for size, side in places)

  def made_by(self) -> dict[str, Any]:
    """Tells features that may not be compared apart, as JSON."""
    return {
      "parameters_sha256": features_lib.digest((self._params, self._rest)),
      "settings": dataclasses.asdict(self.settings),
    }

  decode = staticmethod(latents.LatentRecord.decode)

  def read_queries(
    self, folder: pathlib.Path, speed: float
  ) -> list[latents.LatentRecord]:
    """Reads records of latents; videos have to be encoded before."""
    del speed  # Records say theirs.
    examples.require_autoencoder(folder, self._folder)
    return queries.read(
      folder, self.decode, self._refuse_video, "a folder of records of latents"
    )

  def _refuse_video(self, path: pathlib.Path) -> latents.LatentRecord:
    raise SpeedflowError(
      f"{path}: Wan is asked about records of latents; write them with "
      "`speedflow data build` and `speedflow data latents --weights "
      f"{self._folder}`, of the frames and size of the training clips"
    )

  def film(self, record: latents.LatentRecord, side: int) -> features_lib.Film:
    """Decodes a clip."""
    given = jnp.asarray(record.latents[None], jnp.float32)
    frames = pipeline.pictures(self._autoencoder, given)
    scale = side / max(frames.shape[1:3])
    high, wide = (2 * max(1, round(n * scale / 2)) for n in frames.shape[1:3])
    shown = [
      cv2.resize(frame, (wide, high), interpolation=cv2.INTER_AREA)
      for frame in frames
    ]
    return features_lib.Film(shown, _FILM_FPS)

  @functools.cached_property
  def _autoencoder(self) -> Any:
    return encoders.Encoders(self._folder, config.Computation()).autoencoder

  def features(
    self, records: Sequence[latents.LatentRecord]
  ) -> features_lib.Features:
    """Features of records, in their order, one clip at a time."""
    clips = [self.read_clip(record) for record in records]
    project = functools.partial(
      _project,
      projection=Projection(self.settings.dimensions, self.settings.seed),
    )
    return features_lib.of_gradients(
      np.stack([np.asarray(self._of(project, clip)) for clip in clips]),
      [len(clip.example["latents"][0]) for clip in clips],
      [clip.motion for clip in clips],
    )

  def read_clip(self, record: latents.LatentRecord) -> "Clip":
    """A record as the gradient wants it.

    Raises:
      SpeedflowError: it is of another size than Wan was trained on.
    """
    made = examples.example(record, self._sizes, str(self._folder))
    changes = latent_changes(record.latents)
    weight = features_lib.motion_weights(
      changes, len(changes), self.settings.mask
    )
    made |= {"has_speed": np.array(True), "weight": weight}
    return Clip(
      {name: value[None] for name, value in made.items()},
      float(changes.mean()),
    )

  def gradient(self, record: latents.LatentRecord) -> nnx.State:
    """The whole gradient of one clip."""
    return self._of(_gradient, self.read_clip(record))

  def _of(self, wanted: Any, clip: "Clip") -> Any:
    """Calls a program with a clip, which all devices have."""
    everywhere = functools.partial(jax.device_put, device=self._spread.whole)
    with jax.set_mesh(self._spread.mesh):
      return wanted(
        self._params,
        self._graph,
        self._rest,
        everywhere(self._noise),
        everywhere(np.full(1, self.settings.time, np.float32)),
        everywhere(clip.example),
      )


def _dividing(devices: Sequence[jax.Device], count: int) -> list[jax.Device]:
  return list(devices[: math.gcd(len(devices), count)])


class Clip(NamedTuple):
  """A record as the gradient wants it.

  Attributes:
    example: a batch of one, see `examples.example`; and weight: float32 [1, t',
      h', w'], of the error at each place.
    motion: mean change of the latents from frame to frame.
  """

  example: dict[str, np.ndarray]
  motion: float


def latent_changes(values: np.ndarray) -> np.ndarray:
  """How much each latent differs from the one before it.

  Args:
    values: float [t, h, w, z].

  Returns:
    float32 [t, h, w]; the first is like the second.
  """
  changes = np.linalg.norm(np.diff(values.astype(np.float32), axis=0), axis=-1)
  return np.concatenate([changes[:1], changes])


def load(
  folder: pathlib.Path, data: pathlib.Path, split: str, adapter_rank: int
) -> tuple[WanFeatureMaker, list[pathlib.Path]]:
  """Loads Wan, to ask what it learnt from a folder of records.

  Args:
    folder: see `WanFeatureMaker`.
    data: of records of latents.
    split: of these.
    adapter_rank: see `Settings`.

  Returns:
    What makes features, and the files of records.

  Raises:
    SpeedflowError: as `WanFeatureMaker`; or there are no records, or those of
      another autoencoder.
  """
  trained = index.read(folder).trained
  shards = split_shards(
    data,
    split,
    "records of latents",
    f"`speedflow data latents --weights {folder}` writes them",
  )
  examples.require_autoencoder(data, folder)
  # A file of shots that are all too short is empty.
  shards = [path for path in shards if path.stat().st_size]
  if not shards:
    raise SpeedflowError(f"{data}: no record of the split {split!r} in it")
  try:
    first = latents.LatentRecord.decode(RecordSource(shards)[0])
  except SpeedflowError as error:
    raise SpeedflowError(f"{shards[0]}: {error}") from error
  maker = WanFeatureMaker(
    folder, Settings.of(trained, adapter_rank), len(first.image)
  )
  return maker, shards


def _loss(
  params: nnx.State,
  graph: nnx.GraphDef,
  rest: nnx.State,
  noise: jax.Array,
  time: jax.Array,
  clip: dict[str, jax.Array],
) -> jax.Array:
  """The loss of one clip, a scalar."""
  model: transformer.Transformer = nnx.merge(graph, params, rest)
  return objective.velocity_error(model, clip, noise, time, clip["weight"])[0]


_gradient = jax.jit(jax.grad(_loss))


@functools.partial(jax.jit, static_argnames="projection")
def _project(
  params: nnx.State,
  graph: nnx.GraphDef,
  rest: nnx.State,
  noise: jax.Array,
  time: jax.Array,
  clip: dict[str, jax.Array],
  *,
  projection: Projection,
) -> jax.Array:
  gradient = jax.grad(_loss)(params, graph, rest, noise, time, clip)
  return projection(gradient)
