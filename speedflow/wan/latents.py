"""Clips encoded once, so that training needs no encoder in memory.

Wan's encoders are larger than what many devices hold beside the transformer.
A record holds a clip's latents, the latents of what is known of it, and the
tokens of its text and first picture; what stands for no text and no picture
lies beside the records, in `NOTHING`.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import nnx

from speedflow import wording
from speedflow.data import beam_runner, example, shards, speed_clips
from speedflow.data.records import (
  RecordSource,
  RecordWriter,
  fingerprint,
)
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.models.wan import config, layout
from speedflow.output import claims
from speedflow.output.atomic import atomic_path
from speedflow.wan import encoders
from speedflow.weights import wan as weights

NOTHING = "nothing.safetensors"
"""The file with what no text, no known frame and no picture are encoded as."""

SPEC = "latents.json"
"""The file with what the records are of: options, and their encoders."""

_TEXTS = ("id", "source", "split", "task", "text")
_ARRAYS = ("latents", "beside", "words", "image")
# Both of few bits, which is less than what encoders err by.
_STORED = np.float16
# What bfloat16 on one device and float32 on another may differ by.
_ALIKE = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LatentRecord:
  """An encoded clip.

  Attributes:
    id: of the shot, and the number of the clip.
    source: repository of the shot.
    split: `train`, `val` or `test`.
    task: which frames are known; see `speed_clips`.
    text: what can be seen.
    latents: float [t', h', w', z], of the truth.
    beside: float [t', h', w', z], of what is known.
    known: float32 [t], how far each frame is known; see `layout`.
    log2_step: float32 [t]; see `speed_clips.Clip`.
    words: float [m, features], the text's tokens.
    image: float [k, features], the first picture's; k is 0 where the
      transformer is not told it.
  """

  id: str
  source: str
  split: str
  task: str
  text: str
  latents: np.ndarray
  beside: np.ndarray
  known: np.ndarray
  log2_step: np.ndarray
  words: np.ndarray
  image: np.ndarray

  def encode(self) -> bytes:
    """Serialises the record as a `tf.train.Example`."""
    features: dict[str, example.Value] = {
      name: [getattr(self, name).encode()] for name in _TEXTS
    }
    for name in _ARRAYS:
      value = getattr(self, name)
      features[name] = [np.ascontiguousarray(value, _STORED).tobytes()]
      features[f"{name}/shape"] = np.array(value.shape, np.int64)
    features["known"] = self.known.astype(np.float32)
    features["log2_step"] = self.log2_step.astype(np.float32)
    return example.encode(features)

  @classmethod
  def decode(cls, record: bytes) -> "LatentRecord":
    """Parses a record.

    Raises:
      SpeedflowError: it holds something else.
    """
    try:
      stored = example.decode(record)
      values: dict[str, Any] = {
        name: np.frombuffer(stored[name][0], _STORED).reshape(
          [int(n) for n in stored[f"{name}/shape"]]
        )
        for name in _ARRAYS
      }
      values |= {name: str(stored[name][0], "utf-8") for name in _TEXTS}
      return cls(
        known=np.asarray(stored["known"], np.float32),
        log2_step=np.asarray(stored["log2_step"], np.float32),
        **values,
      )
    except (KeyError, IndexError, TypeError, ValueError) as error:
      raise SpeedflowError(
        f"not a record of latents ({error!r}); wanted a data set written by "
        "`speedflow data latents`: build it again"
      ) from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """What is encoded.

  Attributes:
    frames: of a clip, 1 more than a multiple of 8.
    height: pixels, a multiple of a token's.
    width: the same.
    clips: drawn from each shot.
    text: of all clips; "" takes what the records say can be seen.
    tasks: which frames are known; see `speed_clips`.
    seed: of the drawing.
    mirror: whether every second clip is mirrored; see `speed_clips`.
  """

  frames: int = 81
  height: int = 480
  width: int = 832
  clips: int = 4
  text: str = ""
  tasks: Sequence[speed_clips.Task] = speed_clips.TASKS
  seed: int = 0
  mirror: bool = False

  @property
  def drawing(self) -> speed_clips.Drawing:
    """What clips are drawn."""
    return speed_clips.Drawing(
      self.frames,
      self.height,
      self.width,
      tuple(self.tasks),
      mirror=self.mirror,
    )

  def check(self, token: int) -> None:
    """Raises SpeedflowError if a size does not suit.

    Args:
      token: pixels along a side of a token.
    """
    if self.frames < 9 or self.frames % speed_clips.EVERY != 1:
      raise SpeedflowError(
        f"--frames is {self.frames}; wanted 1 more than a multiple of "
        f"{speed_clips.EVERY}, such as 81"
      )
    if self.height % token or self.width % token or self.height < token:
      raise SpeedflowError(
        f"--size is {self.width}x{self.height}; wanted multiples of {token}"
      )
    if self.clips < 1:
      raise SpeedflowError(f"--clips is {self.clips}; wanted 1 or more")


def build(
  records: pathlib.Path,
  out: pathlib.Path,
  folder: pathlib.Path,
  options: Options,
  *,
  runner: Any = "DirectRunner",
  beam_options: Sequence[str] = (),
  overwrite: bool = False,
  on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
  """Encodes clips of all shots, by Beam.

  A file of records that is there, of the same encoders and options, is kept, so
  that a killed build goes on where it was.

  Args:
    records: folder that `speedflow data build` wrote.
    out: folder for the records of latents; files keep their names.
    folder: Wan, as diffusers keeps it.
    options: what is encoded.
    runner: of Beam.
    beam_options: for it.
    overwrite: whether to replace files in `out` that speedflow did not make.
    on_progress: called with the number of files done, and of all.

  Returns:
    The number of records in the folder.

  Raises:
    SpeedflowError: bad input.
  """
  sources = shards.of_shots(records, out)
  job = _Job(folder, options)
  options.check(job.token)
  weights.require_fit(folder)
  # Read once, so that a damaged file is said before the work.
  made_from = fingerprint(list(sources.values()))
  with claims.claim(
    "data latents", folders=[out], inputs=[records, folder], overwrite=overwrite
  ):
    fields = {**job.spec(), "records": made_from}
    spec = json.dumps(fields, indent=2, sort_keys=True)
    old = out / SPEC
    fits = old.exists() and old.read_text(encoding="utf-8") == spec
    nothing = job.nothing()
    fits = fits and _alike(nothing, out)
    shards.remove_stale(out, sources, all_stale=not fits)
    with atomic_path(old) as temporary:
      temporary.write_text(spec, encoding="utf-8")
    with atomic_path(out / NOTHING) as temporary:
      safetensors.numpy.save_file(nothing, temporary)
    missing = [(s, p) for p, s in sources.items() if not p.exists()]
    on_progress(len(sources) - len(missing), len(sources))
    if missing:
      beam, _ = beam_runner.import_beam()
      # One worker: its program has all of the accelerator.
      pipeline = beam_runner.new_pipeline(runner, 1, beam_options)
      tasks = pipeline | beam.Create(missing) | beam.Reshuffle()
      _ = tasks | "Encode" >> beam.Map(functools.partial(_encode_file, job=job))
      beam_runner.run(pipeline)
    on_progress(len(sources), len(sources))
  count = sum(
    len(RecordSource(path)) for path in sources if path.stat().st_size
  )
  if not count:
    raise SpeedflowError(
      f"{records}: no shot in it is long enough for a clip of {options.frames} "
      "frames; take fewer --frames, or build records of longer shots"
    )
  return count


class _Job:
  """What a worker needs; it is pickled without the encoders."""

  def __init__(self, folder: pathlib.Path, options: Options):
    self._folder, self._options = folder, options
    self._sizes = weights.transformer_config(folder / "transformer")

  def __getstate__(self) -> dict[str, Any]:
    return {
      name: value
      for name, value in self.__dict__.items()
      if name in ("_folder", "_options", "_sizes")
    }

  @functools.cached_property
  def _encoders(self) -> encoders.Encoders:
    dtype = jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
    return encoders.Encoders(
      self._folder,
      config.Computation(dtype=dtype, param_dtype=dtype),
      keep_text_encoder=True,
    )

  @property
  def token(self) -> int:
    """Pixels along a side of a token."""
    side = self._encoders.autoencoder.config.scale_factor_spatial
    return side * self._sizes.patch_size[1]

  def spec(self) -> dict[str, Any]:
    """By what records are told apart from those of another job."""
    return {
      **dataclasses.asdict(self._options),
      "autoencoder": json.loads(
        (self._folder / "vae" / "config.json").read_text(encoding="utf-8")
      ),
      "text_dim": self._sizes.text_dim,
      "image_dim": self._sizes.image_dim,
    }

  def nothing(self) -> dict[str, np.ndarray]:
    """What nothing is encoded as; see `NOTHING`."""
    options = self._options
    grey = np.zeros((options.frames, options.height, options.width, 3))
    beside = self._latents(grey.astype(np.float32)[None])[0]
    image = self._image(np.full((*grey.shape[1:],), 128, np.uint8))
    return {
      "beside": beside.astype(_STORED),
      "words": self._words("").astype(_STORED),
      # Wan has no picture that stands for none; nought is what LoRA learns.
      "image": np.zeros_like(image, _STORED),
    }

  def clips(self, shot: ShotRecord) -> Iterator[LatentRecord]:
    """Draws and encodes clips of a shot."""
    options = self._options
    count = options.clips if shot.split == "train" else 1
    for number in range(count):
      rng = np.random.default_rng([options.seed, number, *shot.id.encode()])
      clip = options.drawing.draw(shot, rng)
      if clip is None:
        return
      known = clip.known * layout.certainty(clip.exposure)
      shown = np.where(clip.known[:, None, None, None], _signed(clip.shown), 0)
      both = np.stack([_signed(clip.truth), shown.astype(np.float32)])
      latents, beside = self._latents(both)
      text = options.text.strip() or shot.content or "a video"
      yield LatentRecord(
        id=f"{shot.id}/{number}",
        source=shot.source,
        split=shot.split,
        task=clip.task,
        text=text,
        latents=latents,
        beside=beside,
        known=known.astype(np.float32),
        log2_step=clip.log2_step,
        words=self._words(text),
        image=self._image(clip.shown[0]),
      )

  def _latents(self, videos: np.ndarray) -> np.ndarray:
    return np.asarray(_encoded(self._encoders.autoencoder, jnp.asarray(videos)))

  @functools.cached_property
  def _known_words(self) -> dict[str, np.ndarray]:
    return {}

  def _words(self, text: str) -> np.ndarray:
    """A text's tokens, without those after its end."""
    if text not in self._known_words:
      tokens = np.asarray(self._encoders.texts([text])[0], np.float32)
      length = int(np.flatnonzero(np.abs(tokens).sum(1)).max(initial=0)) + 1
      self._known_words[text] = tokens[:length]
    return self._known_words[text]

  def _image(self, picture: np.ndarray) -> np.ndarray:
    if self._sizes.image_dim is None:
      return np.zeros((0, 0), np.float32)
    return np.asarray(self._encoders.image(picture), np.float32)


@nnx.jit
def _encoded(autoencoder: Any, videos: jax.Array) -> jax.Array:
  return autoencoder.encode(videos)


def _signed(video: np.ndarray) -> np.ndarray:
  return video.astype(np.float32) / 127.5 - 1


def _encode_file(task: tuple[pathlib.Path, pathlib.Path], *, job: _Job) -> None:
  source, target = task
  claims.join(target.parent)
  with RecordWriter(target) as writer:
    for encoded in RecordSource(source):
      try:
        shot = ShotRecord.decode(encoded)
      except SpeedflowError as error:
        raise SpeedflowError(f"{source}: {error}") from error
      for record in job.clips(shot):
        writer.write(record.encode())


def _alike(nothing: dict[str, np.ndarray], out: pathlib.Path) -> bool:
  """Whether the encoders are those that were used before, as far as they tell.

  Other weights of the same sizes encode nothing otherwise, too; other devices
  do so by little.
  """
  if not (out / NOTHING).exists():
    return True
  before = load_nothing(out)
  return all(
    value.shape == before[name].shape
    and np.allclose(value, before[name], rtol=_ALIKE, atol=_ALIKE)
    for name, value in nothing.items()
  )


def load_nothing(folder: pathlib.Path) -> dict[str, np.ndarray]:
  """What no text ("words"), no frame ("beside") and no picture are encoded as.

  Args:
    folder: of records of latents.

  Raises:
    SpeedflowError: the file is missing or damaged.
  """
  path = folder / NOTHING
  try:
    found = safetensors.numpy.load_file(path)
    return {name: found[name] for name in ("beside", "words", "image")}
  except (OSError, safetensors.SafetensorError, KeyError) as error:
    raise SpeedflowError(
      f"{path}: no file of records of latents ({wording.one_line(error)}); "
      "write them with `speedflow data latents`"
    ) from error
