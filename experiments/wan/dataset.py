"""Training batches for Wan, from records of latents."""

import dataclasses
import pathlib
from collections.abc import Mapping

import grain
import ml_collections
import numpy as np

from speedflow.data import pipeline
from speedflow.data.records import RecordSource, split_shards
from speedflow.errors import SpeedflowError
from speedflow.models.wan import layout
from speedflow.wan import latents
from speedflow.wan import pipeline as pipeline_lib

_REMEDY = "`speedflow data latents` writes them"


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Of one example.

  Attributes:
    latents: t', h', w', z.
    words: tokens and features of a text.
    image: of a picture; (0, 0) where the transformer is not told one.
  """

  latents: tuple[int, int, int, int]
  words: tuple[int, int]
  image: tuple[int, int]

  @classmethod
  def of(cls, config: ml_collections.ConfigDict) -> "Sizes":
    """What the configuration asks for."""
    data, model = config.data, config.model
    side = data.scale_factor_spatial
    return cls(
      (
        1 + (data.frames - 1) // layout.MASKS,
        data.height // side,
        data.width // side,
        model.out_channels,
      ),
      (data.words, model.text_dim),
      (data.image_tokens, model.image_dim) if model.image_dim else (0, 0),
    )


@dataclasses.dataclass(frozen=True)
class ClipSampler:
  """A transform: record of latents -> arrays of one clip.

  Attributes:
    sizes: of the arrays.
    nothing: see `latents.load_nothing`.
    drop_text: chance that the text is left out.
    drop_known: chance that what is known is left out, and the picture.
    drop_speed: chance that the speed is left out.
  """

  sizes: Sizes
  nothing: Mapping[str, np.ndarray]
  drop_text: float = 0.0
  drop_known: float = 0.0
  drop_speed: float = 0.0

  def __call__(
    self, encoded: bytes, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws one clip.

    Returns:
      latents: float16 [t', h', w', z]; beside: float16 [t', h', w', 4 + z], see
      `layout.condition`; words: float16 [m, features]; image: float16 [k,
      features], if there is one; log2_speed: float32 [t']; has_speed: bool [].

    Raises:
      SpeedflowError: the record is of another size.
    """
    record = latents.LatentRecord.decode(encoded)
    if record.latents.shape != self.sizes.latents:
      raise SpeedflowError(
        f"{record.id}: latents of {record.latents.shape}, where config.data and"
        f" config.model want {self.sizes.latents}; change these, or build the "
        "latents again"
      )
    no_text, no_known, no_speed = rng.random(3) < (
      self.drop_text,
      self.drop_known,
      self.drop_speed,
    )
    words = self.nothing["words"] if no_text else record.words
    beside, image, known = record.beside, record.image, record.known
    if no_known:
      beside, image = self.nothing["beside"], self.nothing["image"]
      known = np.zeros_like(known)
    masks = layout.mask(known[None])[0][:, None, None]
    masks = np.broadcast_to(masks, (*beside.shape[:-1], layout.MASKS))
    example = {
      "latents": record.latents,
      "beside": np.concatenate([masks, beside], -1).astype(np.float16),
      "words": _padded(words, self.sizes.words),
      "log2_speed": pipeline_lib.of_latents(record.log2_step),
      "has_speed": np.array(not no_speed),
    }
    if self.sizes.image[0]:
      if image.shape[0] != self.sizes.image[0]:
        raise SpeedflowError(
          f"{record.id}: {image.shape[0]} tokens of a picture, where "
          f"config.data.image_tokens is {self.sizes.image[0]}; change this, or "
          "build the latents with the encoders of this Wan"
        )
      example["image"] = _padded(image, self.sizes.image)
    return example


def _padded(tokens: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  padded = np.zeros(size, np.float16)
  if tokens.shape[1:] != size[1:]:
    raise SpeedflowError(
      f"tokens of {tokens.shape[-1]} features, where config.model wants "
      f"{size[1]}; build the latents with the encoders of this Wan"
    )
  padded[: len(tokens)] = tokens[: size[0]]
  return padded


def source(data: ml_collections.ConfigDict, split: str) -> RecordSource:
  """The records of a split.

  Raises:
    SpeedflowError: there are none.
  """
  folder = pathlib.Path(data.records)
  return RecordSource(
    split_shards(folder, split, "records of latents", _REMEDY)
  )


def training_batches(
  config: ml_collections.ConfigDict,
  *,
  seed: int,
  process_index: int,
  process_count: int,
) -> grain.IterDataset:
  """An endless stream of batches of clips."""
  data = config.data
  sampler = pipeline.configured(
    ClipSampler,
    data,
    sizes=Sizes.of(config),
    nothing=latents.load_nothing(pathlib.Path(data.records)),
  )
  return pipeline.batches(
    source(data, "train"),
    [sampler],
    batch_size=config.batch_size // process_count,
    seed=seed,
    process_index=process_index,
    process_count=process_count,
    num_workers=data.workers,
    num_threads=data.threads,
  )


def held_out(
  config: ml_collections.ConfigDict, split: str, count: int
) -> dict[str, np.ndarray]:
  """The same clips at every call, with all that is known, as in a batch."""
  records = source(config.data, split)
  folder = pathlib.Path(config.data.records)
  sampler = ClipSampler(Sizes.of(config), latents.load_nothing(folder))
  chosen = np.linspace(0, len(records) - 1, count).round().astype(int)
  clips = [
    sampler(records[int(number)], np.random.default_rng(0)) for number in chosen
  ]
  return {name: np.stack([c[name] for c in clips]) for name in clips[0]}
