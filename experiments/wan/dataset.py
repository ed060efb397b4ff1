"""Training batches for Wan, from records of latents."""

import dataclasses
import pathlib
from collections.abc import Mapping

import grain
import ml_collections
import numpy as np

from speedflow.data import pipeline
from speedflow.data.records import RecordSource, split_shards
from speedflow.models.wan import layout
from speedflow.wan import examples, latents

_REMEDY = "`speedflow data latents` writes them"


def sizes_of(config: ml_collections.ConfigDict) -> examples.Sizes:
  """Of one example, as the configuration asks for it."""
  data, model = config.data, config.model
  side = data.scale_factor_spatial
  return examples.Sizes(
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

  sizes: examples.Sizes
  nothing: Mapping[str, np.ndarray]
  drop_text: float = 0.0
  drop_known: float = 0.0
  drop_speed: float = 0.0

  def __call__(
    self, encoded: bytes, rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws one clip.

    Returns:
      Those of `examples.example`; has_speed: bool [].

    Raises:
      SpeedflowError: the record is of another size.
    """
    record = latents.LatentRecord.decode(encoded)
    no_text, no_known, no_speed = rng.random(3) < (
      self.drop_text,
      self.drop_known,
      self.drop_speed,
    )
    if no_text:
      record = dataclasses.replace(record, words=self.nothing["words"])
    if no_known:
      record = dataclasses.replace(
        record,
        beside=self.nothing["beside"],
        image=self.nothing["image"],
        known=np.zeros_like(record.known),
      )
    return {
      **examples.example(record, self.sizes, "the configuration"),
      "has_speed": np.array(not no_speed),
    }


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
    sizes=sizes_of(config),
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
  sampler = ClipSampler(sizes_of(config), latents.load_nothing(folder))
  chosen = np.linspace(0, len(records) - 1, count).round().astype(int)
  clips = [
    sampler(records[int(number)], np.random.default_rng(0)) for number in chosen
  ]
  return {name: np.stack([c[name] for c in clips]) for name in clips[0]}
