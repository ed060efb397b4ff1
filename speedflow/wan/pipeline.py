"""Clips from a picture, a text and a speed, by Wan.

Networks are read from a folder as diffusers keeps them (`model_index.json`,
and a folder for each network). Weights that have learnt speed (see
`weights.wan.EXTRAS`) obey the one that is asked for; Wan itself knows none.
"""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from speedflow.errors import SpeedflowError
from speedflow.models.wan import (
  autoencoder,
  config,
  layout,
  pixels,
  sampler,
  transformer,
)
from speedflow.wan import encoders, index, spreading
from speedflow.weights import room_for
from speedflow.weights import wan as weights

SLOWEST, FASTEST = 0.01, 8.0
"""Speeds that may be asked for."""

STEPS = 50
"""Of the sampler, as Wan is published."""

PARTS = (
  "transformer",
  "vae",
  "text_encoder",
  "tokenizer",
  "image_encoder",
  "scheduler",
)
"""Folders of a pipeline; the last two are not in all."""

SECOND = "transformer_2"
"""The one that makes the less noisy steps, where there are two."""

_LONGEST_ASPECT = 3.0
_Flow = Callable[[jax.Array, float, int, jax.Array | None], jax.Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
  """What clips should be.

  Attributes:
    text: what happens in it.
    against: what should not.
    log2_speeds: a clip for each, which begins in the same noise: of each frame,
      if 30 of them play in a second, float [frames]; None: no speed is asked
      for.
    frames: 1 more than a multiple of 4.
    seed: the same gives the same clip.
    steps: of the sampler.
    method: of the sampler.
    text_guidance: 1 follows the text as trained, more exaggerates it.
    speed_guidance: the same for the speed.
  """

  text: str
  against: str = ""
  log2_speeds: Sequence[np.ndarray | None] = (None,)
  frames: int = index.Trained.frames
  seed: int = 0
  steps: int = STEPS
  method: sampler.Method = "unipc"
  text_guidance: float = 5.0
  speed_guidance: float = 1.0


class WanGenerator:
  """Wan, from a folder.

  Attributes:
    trained: what it was trained for.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    computed: config.Computation | None = None,
    devices: Sequence[jax.Device] | None = None,
  ):
    """Looks at the folder; networks are loaded when they are needed.

    Args:
      folder: see the module.
      computed: how it is computed; by default in bfloat16, but on a CPU in
        float32.
      devices: over which the transformer is spread; by default all that this
        process has.

    Raises:
      SpeedflowError: it is no such folder, or there is not enough memory.
    """
    if computed is None:
      dtype = jnp.bfloat16
      if jax.default_backend() == "cpu":
        dtype = jnp.float32
      computed = config.Computation(dtype=dtype, param_dtype=dtype)
    self._folder = folder
    self._index = index.read(folder)
    self.trained = self._index.trained
    for part in PARTS[:4]:
      require_part(folder, part)
    if self._index.boundary is not None:
      require_part(folder, SECOND)
      self._require_twins()
    weights.require_fit(folder)
    self._computed = dataclasses.replace(
      computed, **weights.speed_of(folder / "transformer")
    )
    self._spread = spreading.Spreading(devices or jax.local_devices())
    sizes = weights.transformer_config(folder / "transformer")
    room_for.require(
      weights.transformer_bytes(folder / "transformer", self._computed)
      // self._spread.mesh.size,
      f"{folder}: Wan's transformer",
      "take a smaller Wan (1.3B in place of 14B), or more devices",
    )
    self._sizes = sizes
    self._loaded: tuple[str, transformer.Transformer] | None = None
    self._encoders = encoders.Encoders(folder, self._computed)
    self._told: tuple[str, ...] = ()
    self._words = jnp.zeros(0)

  def _require_twins(self) -> None:
    """Both transformers must be shown known frames, or neither."""
    first, second = (
      weights.transformer_config(self._folder / part).in_channels
      for part in (PARTS[0], SECOND)
    )
    if first != second:
      raise SpeedflowError(
        f"{self._folder}: transformer takes {first} channels, and {SECOND} "
        f"{second}; train the other as well (--config.part in experiments/wan)"
      )

  @property
  def knows_speed(self) -> bool:
    """Whether the weights have learnt speed."""
    return self._computed.speed != "none"

  def generate(
    self,
    image: np.ndarray,
    wish: Wish,
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes clips.

    Args:
      image: their first frame, uint8 [h, w, 3]; see `fitted`.
      wish: what they should be.
      on_progress: called with the share that is done.

    Returns:
      uint8 [clips, frames, h, w, 3].

    Raises:
      SpeedflowError: a wish that cannot be.
    """
    video = np.zeros((max(wish.frames, 1), *image.shape), np.uint8)
    video[0] = image
    return self.fill(video, np.arange(wish.frames) == 0, wish, on_progress)

  def fill(
    self,
    video: np.ndarray,
    known: np.ndarray,
    wish: Wish,
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> np.ndarray:
    """Makes the frames of a clip that are not known.

    Args:
      video: uint8 [t, h, w, 3]; what is not known does not matter.
      known: bool or float [t], the first among them; see `layout.mask`.
      wish: what is to be made.
      on_progress: called with the share that is done.

    Returns:
      uint8 [clips, t, h, w, 3]; known frames have gone through the autoencoder,
      too.

    Raises:
      SpeedflowError: a wish that cannot be.
    """
    self._check(video[0], wish)
    encoder = self._encoders.autoencoder
    text = self._texts((wish.text, wish.against))
    told = None
    if self._sizes.image_dim is not None:
      told = self._encoders.image(video[0])[None]
    signed = jnp.asarray(video[None].astype(np.float32) / 127.5 - 1)
    by_time = self._index.first_by_time
    if by_time:
      self._require_first(known)
      given = _first_latents(encoder, signed)
    else:
      given = _condition(encoder, signed, jnp.asarray(known)[None])
    on_progress(0.05)
    shape = (1, 1 + (len(video) - 1) // autoencoder.CHUNK, *given.shape[2:4])
    noise = jax.random.normal(
      jax.random.key(wish.seed), (*shape, encoder.config.z_dim)
    )
    plan = sampler.steps(wish.steps, self.trained.shift, wish.method)
    everywhere = functools.partial(jax.device_put, device=self._spread.whole)
    noise = everywhere(noise)
    flow = self._flow(*everywhere((given, text, told)))
    ways = [
      sampler.sample(_guided(flow, speed, wish), noise, plan, wish.method)
      for speed in wish.log2_speeds
    ]
    # Step by step, so that a transformer is loaded once for all clips.
    for number in range(1, len(plan) + 1):
      latents = [next(way) for way in ways]
      # Steps are asked for ahead of being computed; progress is of what is.
      jax.block_until_ready(latents)
      on_progress(0.05 + 0.9 * number / len(plan))
    clips: list[np.ndarray] = []
    for each in (each.addressable_data(0) for each in latents):
      whole = each.at[:, :1].set(given) if by_time else each
      clips.append(pictures(encoder, whole))
    on_progress(1.0)
    return np.stack(clips)

  def _require_first(self, known: np.ndarray) -> None:
    if not known[0] or np.any(known[1:]):
      raise SpeedflowError(
        f"{self._folder}: this Wan knows a first frame and no other; fine-tune "
        "it to be shown others (experiments/wan), or take an image-to-video one"
      )

  def _texts(self, texts: tuple[str, ...]) -> jax.Array:
    """Encodes texts, those of the clip before not again."""
    if self._told != texts:
      self._told = texts
      self._words = self._encoders.texts(texts)[:, : self.trained.words]
    return self._words

  def fitted(self, image: np.ndarray) -> np.ndarray:
    """Scales a picture to what Wan was trained on, and cuts it to whole tokens.

    Args:
      image: uint8 [h, w, 3].

    Raises:
      SpeedflowError: it is too long or too high.
    """
    height, width = image.shape[:2]
    aspect = max(height / width, width / height)
    if aspect > _LONGEST_ASPECT:
      raise SpeedflowError(
        f"the picture is {width}x{height}; wanted one that is at most "
        f"{_LONGEST_ASPECT:g} times as long as high, or as high as long"
      )
    side = self.token
    pixels = self.trained.height * self.trained.width
    scale = math.sqrt(pixels / (height * width))
    size = [max(1, round(n * scale / side)) * side for n in (height, width)]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)

  @property
  def token(self) -> int:
    """Pixels along a side of a token."""
    sizes = self._encoders.autoencoder.config
    return sizes.scale_factor_spatial * self._sizes.patch_size[1]

  def _check(self, image: np.ndarray, wish: Wish) -> None:
    if not wish.text.strip():
      raise SpeedflowError(
        f"{self._folder}: Wan wants a text; give --text 'what happens'"
      )
    if wish.frames < 1 or wish.frames % autoencoder.CHUNK != 1:
      raise SpeedflowError(
        f"--frames is {wish.frames}; Wan makes 1 more than a multiple of "
        f"{autoencoder.CHUNK}, such as {self.trained.frames}"
      )
    if wish.steps < 1:
      raise SpeedflowError(f"--steps is {wish.steps}; wanted 1 or more")
    if any(size % self.token for size in image.shape[:2]):
      raise SpeedflowError(
        f"the picture is {image.shape[1]}x{image.shape[0]}; wanted multiples of"
        f" {self.token} pixels"
      )
    asked = [each for each in wish.log2_speeds if each is not None]
    if asked and not self.knows_speed:
      raise SpeedflowError(
        f"{self._folder}: these weights have not learnt speed; omit --speed"
      )
    low, high = np.log2(SLOWEST), np.log2(FASTEST)
    if not all(((low <= each) & (each <= high)).all() for each in asked):
      raise SpeedflowError(f"speeds lie within {SLOWEST} and {FASTEST:g}")
    shown = self._sizes.in_channels != self._sizes.out_channels
    if not (shown or self._index.first_by_time):
      raise SpeedflowError(
        f"{self._folder}: this Wan starts from a text alone; take an "
        "image-to-video one (I2V)"
      )

  def _flow(
    self, given: jax.Array, text: jax.Array, told: jax.Array | None
  ) -> _Flow:
    """The velocity of latents: at a time, by number of a text, and speeds."""

    def of_text(latents, time, number, speeds):
      chosen = text[number : number + 1]
      network = self._network(time)
      with jax.set_mesh(self._spread.mesh):
        return _velocity(
          _after_first if self._index.first_by_time else beside,
          network,
          latents,
          given,
          time,
          chosen,
          told,
          speeds,
        )

    return of_text

  def _network(self, time: float) -> transformer.Transformer:
    """The transformer for a time; one is held at a time."""
    boundary = self._index.boundary
    part = PARTS[0]
    if boundary is not None and time < boundary * sampler.TIMES:
      part = SECOND
    if self._loaded is None or self._loaded[0] != part:
      self._loaded = None
      self._loaded = (
        part,
        weights.load_transformer(
          self._folder / part, self._computed, self._spread.place
        ),
      )
    return self._loaded[1]


_condition = nnx.jit(layout.condition)


@nnx.jit
def _first_latents(encoder: Any, video: jax.Array) -> jax.Array:
  return encoder.encode(video[:, :1])


def pictures(
  encoder: autoencoder.Autoencoder | pixels.Pixels, latents: jax.Array
) -> np.ndarray:
  """Decodes the latents of one clip, float [1, t', h', w', z].

  Returns:
    uint8 [t, h, w, 3].
  """
  video = np.asarray((_decode(encoder, latents)[0] + 1) * 127.5)
  return np.clip(np.round(video), 0, 255).astype(np.uint8)


@nnx.jit
def _decode(encoder: Any, latents: jax.Array) -> jax.Array:
  return encoder.decode(latents)


def beside(
  latents: jax.Array, condition: jax.Array, time: float
) -> tuple[jax.Array, jax.Array]:
  """What a network is given that is shown known frames, and its times."""
  given = jnp.concatenate([latents, condition.astype(latents.dtype)], -1)
  return given, jnp.full(len(latents), time)


def _after_first(
  latents: jax.Array, first: jax.Array, time: float
) -> tuple[jax.Array, jax.Array]:
  """The same of one that knows what is clean by its time, 0."""
  given = latents.at[:, :1].set(first.astype(latents.dtype))
  return given, jnp.full(latents.shape[:2], time).at[:, 0].set(0)


def step_velocity(
  shown: Callable[..., tuple[jax.Array, jax.Array]],
  network: transformer.Transformer,
  latents: jax.Array,
  given: jax.Array,
  time: float,
  text: jax.Array,
  told: jax.Array | None,
  speeds: jax.Array | None,
) -> jax.Array:
  """The velocity of latents at a time, float32 like them.

  Args:
    shown: what the network sees of latents, and of each the time.
    network: Wan.
    latents: float [1, t, h, w, z].
    given: what is known, like the latents: the mask and the known frames, or
      the first frame.
    time: 0 (clean) to `sampler.TIMES`.
    text: float [1, tokens, features].
    told: of the first picture, float [1, tokens, features], or None.
    speeds: log2 of the speed at each latent, float [1, t], or None.
  """
  seen, times = shown(latents, given, time)
  return network(seen, times, text, told, speeds).astype(jnp.float32)


_velocity = nnx.jit(step_velocity, static_argnums=0)


def _guided(
  flow: _Flow, log2_speed: np.ndarray | None, wish: Wish
) -> Callable[[jax.Array, float], jax.Array]:
  """The velocity of latents at a time, with what is asked for exaggerated."""
  speeds = None
  if log2_speed is not None:
    speeds = jnp.asarray(of_latents(log2_speed), jnp.float32)[None]

  def velocity(latents: jax.Array, time: float) -> jax.Array:
    found = flow(latents, time, 0, speeds)
    total = found
    if wish.text_guidance != 1:
      without = flow(latents, time, 1, speeds)
      total = without + wish.text_guidance * (found - without)
    if speeds is not None and wish.speed_guidance != 1:
      without = flow(latents, time, 0, None)
      total = total + (wish.speed_guidance - 1) * (found - without)
    return total

  return velocity


def of_latents(values: np.ndarray) -> np.ndarray:
  """Means of frames over those that each latent frame holds.

  Args:
    values: float [t]; t is 1 more than a multiple of 4.

  Returns:
    float [1 + (t - 1) / 4].
  """
  rest = values[1:].reshape(-1, autoencoder.CHUNK).mean(1)
  return np.concatenate([values[:1], rest])


def require_part(folder: pathlib.Path, part: str) -> None:
  """Raises SpeedflowError if a pipeline lacks one of `PARTS`."""
  path = folder / part
  if path.is_symlink() and not path.exists():
    raise SpeedflowError(
      f"{path}: a link to {os.readlink(path)}, which is not there; copy "
      "pipelines that speedflow exports by `cp -rL`, or export it again"
    )
  if not path.is_dir():
    raise SpeedflowError(
      f"{folder}: no folder {part} in it; wanted a pipeline of Wan as"
      " diffusers keeps it"
    )


def is_folder(name: str | pathlib.Path) -> bool:
  """Whether weights are those of Wan: a folder."""
  return pathlib.Path(name).is_dir()
